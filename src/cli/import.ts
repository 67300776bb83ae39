/**
 * `number-dispenser import FILE` and `import -redis URL`: imports all lines that another program
 * counted, or none, and moves each ahead by a margin. FILE is dispensers.json of the Go
 * implementation of this idea, which saves late; the margin covers what it may have handed out
 * since.
 */

import { smallest } from "../base/bigint.ts";
import { CannotStart, Refusal } from "../base/errors.ts";
import { shownText } from "../base/secrets.ts";
import { openFolder } from "../cluster/open-node.ts";
import { UsageError } from "../config/file.ts";
import { type Definition, define, fieldsOf } from "../dispenser/definition.ts";
import { isName, toBytes, toText } from "../dispenser/name.ts";
import { strategyNames, strategyOf } from "../dispenser/strategy.ts";
import { LocalCatalog } from "../engine/local-catalog.ts";
import type { FolderSettings } from "./data-folder.ts";
import { type Entry, readDispensers } from "./dispensers-json.ts";
import { marginIn } from "./margin.ts";
import { readCounters } from "./redis-counters.ts";

/** A segment of the Go implementation, which it may have handed out without saving it. */
const MARGIN_DEFAULT = 1000n;
const SAVES_LATE =
  "that implementation saves every 5 seconds, and not when it stops: where a line handed out more than the margin " +
  "since, ADVANCE it past the highest number used";
/** How many lines the report names at most. */
const SHOWN_MAX = 100;

interface Planned {
  readonly name: string;
  readonly definition: Definition;
  readonly position: bigint;
}

/** Answers lines that say what was done. Throws CannotStart and UsageError. */
export async function importDispensers(
  file: string | undefined,
  flags: ReadonlyMap<string, string>,
  options: FolderSettings,
): Promise<string> {
  const redis = flags.get("redis");
  if (file === undefined && redis === undefined) {
    throw new UsageError("import needs FILE, or -redis URL; see import -help");
  }
  for (const flag of ["redis", "match", "strategy"]) {
    if (file !== undefined && flags.has(flag)) {
      throw new UsageError(`-${flag} has no use beside FILE: it is for the counters of a Redis`);
    }
  }
  const strategy = flags.get("strategy");
  if (strategy !== undefined && strategyOf(strategy) === undefined) {
    throw new UsageError(
      `-strategy: '${shownText(strategy)}' must be one of ${strategyNames.join(", ")}`,
    );
  }
  const margin = marginIn(flags) ?? MARGIN_DEFAULT;
  const { entries, leftOut, below } =
    redis === undefined
      ? { ...readDispensers(file!), below: [] }
      : { ...(await readCounters(redis, strategy, flags.get("match"))), leftOut: [] };
  const planned = entries.map((entry) => plan(entry, margin));
  write(planned, options);
  const what = `imported ${planned.length} dispensers, each line moved ahead by ${margin} numbers`;
  const others = [
    ...leftOut.map((name) => `  ${name}: left out, its type is none of this server's`),
    ...below.map((name) => `  ${name}: left out, its next number is below 0`),
  ];
  const advice = redis === undefined ? [SAVES_LATE] : [];
  return [what, ...rowsOf(planned, redis === undefined), ...others, ...advice].join("\n");
}

/** A row for each line that was imported, up to SHOWN_MAX. */
function rowsOf(planned: readonly Planned[], isFile: boolean): string[] {
  const shown = planned.slice(0, SHOWN_MAX).map(({ name, definition, position }) => {
    const isOver = position >= definition.series.positions;
    const at = isOver ? "at its end" : `next ${definition.series.numberAt(position)}`;
    const next = definition.type.hasPositions ? `, ${at}` : "";
    const isVague = next !== "" && definition.strategy === "memory" && isFile;
    const doubt = isVague ? " (the file never knows where such a line stands: it may repeat)" : "";
    return `  ${toText(name)}: type ${definition.type.code}, ${definition.strategy}${next}${doubt}`;
  });
  const rest = planned.length > SHOWN_MAX ? [`  and ${planned.length - SHOWN_MAX} more`] : [];
  return [...shown, ...rest];
}

function plan({ name: text, fields, next }: Entry, margin: bigint): Planned {
  const name = toBytes(text);
  if (!isName(name)) {
    throw new CannotStart(`'${text}' cannot be a dispenser's name: nothing was imported`);
  }
  const definition = define(fields);
  if (definition instanceof Refusal) {
    const reason = definition.message.replace(/^ERR /, "");
    throw new CannotStart(`'${text}': ${reason}: nothing was imported`);
  }
  if (next === undefined) return { name, definition, position: 0n };
  const end = definition.series.positions;
  const found = definition.series.positionFrom(String(next));
  const position = found instanceof Refusal ? end : found + margin;
  return { name, definition, position: smallest(position, end) };
}

function write(planned: readonly Planned[], options: FolderSettings): void {
  const { state, engine } = openFolder(options.dataDir, options);
  const catalog = new LocalCatalog(engine);
  try {
    const { membership, stripe } = state;
    if (membership !== undefined || stripe !== undefined) {
      throw new CannotStart(
        "the data folder is that of one node of several: import into a folder of its own, and let that join",
      );
    }
    const present = planned.filter(({ name }) => engine.has(name));
    if (present.length > 0) {
      throw new CannotStart(
        `${present.length} of the dispensers are there already, '${toText(present[0]!.name)}' among them: ` +
          "import overwrites nothing; name another folder",
      );
    }
    for (const { name, definition } of planned) {
      const refusal = catalog.refuseMet(name, definition);
      if (refusal === undefined) continue;
      const reason = refusal.message.replace(/^ERR /, "").replace(/ [^.]*, or say reuse yes$/, "");
      throw new CannotStart(`${toText(reason)} Nothing was imported: name another folder`);
    }
    for (const { name, definition, position } of planned) {
      catalog.define(name, fieldsOf(definition));
      // A line that was deleted here may stand further; then it stays there.
      const dispenser = engine.find(name)!;
      const ahead = position - dispenser.position;
      if (ahead > 0n) engine.skip(dispenser, ahead);
    }
    // One commit imports all lines or none.
    const failure = engine.commit();
    if (failure !== undefined) throw failure;
  } finally {
    engine.close();
  }
}
