/**
 * `number-dispenser import FILE` and `import -redis URL`: imports the lines that another program
 * counted, and moves each ahead by a margin. All are imported, or none, unless -skip leaves out
 * those that cannot be. FILE is dispensers.json of the Go implementation of this idea, which saves
 * late; the margin covers what it may have handed out since.
 */

import { smallest } from "../base/bigint.ts";
import { CannotStart, Refusal } from "../base/errors.ts";
import { shownText } from "../base/secrets.ts";
import { openFolder } from "../cluster/open-node.ts";
import { UsageError } from "../config/file.ts";
import { fieldsOf } from "../dispenser/definition.ts";
import { define } from "../dispenser/fields.ts";
import { isName, NAMES_ALLOWED, toBytes, toText } from "../dispenser/name.ts";
import { strategyNames, strategyOf } from "../dispenser/strategy.ts";
import { NO_PERIOD } from "../dispenser/types/type.ts";
import type { Engine } from "../engine/engine.ts";
import { LocalCatalog } from "../engine/local-catalog.ts";
import type { FolderSettings } from "./data-folder.ts";
import { type Entry, readDispensers } from "./dispensers-json.ts";
import {
  type Foreign,
  type LeftOut,
  type Planned,
  type Report,
  refusalText,
  reportJson,
  reportText,
} from "./import-report.ts";
import { marginIn } from "./margin.ts";
import { readCounters, type Shape } from "./redis-counters.ts";
import type { Said } from "./said.ts";

/** A segment of the Go implementation, which it may have handed out without saving it. */
const MARGIN_DEFAULT = 1000n;
const SHAPED = ["strategy", "type", "length", "format", "period", "zone"];
const FOR_REDIS = ["redis", "match", ...SHAPED, "ca", "cert", "key"];

type Flags = ReadonlyMap<string, string>;

/** What is read of another program. */
interface Source {
  readonly entries: readonly Entry[];
  readonly leftOut: readonly LeftOut[];
  readonly foreign: readonly Foreign[];
}

/** Answers what was done. Throws CannotStart and UsageError. */
export async function importDispensers(
  file: string | undefined,
  flags: Flags,
  options: FolderSettings,
): Promise<Said> {
  const margin = marginIn(flags) ?? MARGIN_DEFAULT;
  const source = await read(file, flags);
  const planned: Planned[] = [];
  const leftOut = [...source.leftOut];
  for (const entry of source.entries) {
    const line = plan(entry, margin);
    if ("reason" in line) leftOut.push(line);
    else planned.push(line);
  }
  const isWhole = !flags.has("skip");
  const report = write(planned, leftOut, isWhole, options);
  const { foreign } = source;
  const all: Report = { ...report, margin, foreign, isFile: file !== undefined };
  const isRefused = isWhole && report.leftOut.length > 0;
  if (flags.has("json")) return { text: reportJson(all), isWell: !isRefused };
  if (isRefused) {
    const count = source.entries.length + source.leftOut.length;
    throw new CannotStart(refusalText(report.leftOut, count));
  }
  return { text: reportText(all), isWell: true };
}

/** Reads the file or the Redis that the command line names. */
async function read(file: string | undefined, flags: Flags): Promise<Source> {
  const redis = flags.get("redis");
  if (file === undefined && redis === undefined) {
    throw new UsageError("import needs FILE, or -redis URL; see import -help");
  }
  if (file === undefined) {
    return { ...(await readCounters(redis!, shapeIn(flags), flags)), foreign: [] };
  }
  const other = FOR_REDIS.find((flag) => flags.has(flag));
  if (other === undefined) return readDispensers(file);
  throw new UsageError(`-${other} has no use beside FILE: it is for the counters of a Redis`);
}

/** The fields of HSET that all lines of a Redis get. Throws UsageError. */
function shapeIn(flags: Flags): Shape {
  const [strategy, type = "3", length, format, period, zone] = SHAPED.map((name) =>
    flags.get(name),
  );
  if (strategy !== undefined && strategyOf(strategy) === undefined) {
    throw new UsageError(
      `-strategy: '${shownText(strategy)}' must be one of ${strategyNames.join(", ")}`,
    );
  }
  if (type !== "2" && type !== "3") {
    throw new UsageError(
      `-type: '${shownText(type)}' must be 2 (fixed width, with -length) or 3 (plain numbers)`,
    );
  }
  if ((length !== undefined) !== (type === "2")) {
    throw new UsageError("-type 2 and -length belong together: how many digits each number has");
  }
  const fields = new Map([["type", type]]);
  if (length !== undefined) fields.set("length", length);
  if (strategy !== undefined) fields.set("auto_disk", strategy);
  if (format !== undefined) fields.set("format", toBytes(format));
  if (period !== undefined) fields.set("period", period);
  if (zone !== undefined) fields.set("zone", zone);
  const definition = define(fields);
  if (!(definition instanceof Refusal)) return fields;
  const { message } = definition;
  const flag = ["length", "period", "format", "zone"].find((name) => message.includes(name));
  throw new UsageError(`-${flag}: ${toText(reasonIn(definition))}`);
}

function plan({ name: text, fields, next }: Entry, margin: bigint): Planned | LeftOut {
  const name = toBytes(text);
  const leftOut = (reason: string) => ({ name: Buffer.from(text), reason });
  if (!isName(name)) return leftOut(`it cannot be a name here: ${NAMES_ALLOWED}`);
  const definition = define(fields);
  if (definition instanceof Refusal) return leftOut(reasonIn(definition));
  if (next === undefined) return { name, definition, position: 0n };
  const end = definition.series.positions;
  const found = definition.numbers.positionFrom(String(next), NO_PERIOD);
  const position = found instanceof Refusal ? end : found + margin;
  return { name, definition, position: smallest(position, end) };
}

const reasonIn = ({ message }: Refusal) => message.replace(/^ERR /, "");

/**
 * Writes the lines in one commit, so that all are imported or none. Answers which were, and which
 * cannot be, with those before; `isWhole`: then none is.
 */
function write(
  planned: readonly Planned[],
  before: readonly LeftOut[],
  isWhole: boolean,
  options: FolderSettings,
): { planned: readonly Planned[]; leftOut: readonly LeftOut[] } {
  if (isWhole && before.length > 0) return { planned: [], leftOut: before };
  const { state, engine } = openFolder(options.dataDir, options);
  try {
    const { membership, stripe } = state;
    if (membership !== undefined || stripe !== undefined) {
      throw new CannotStart(
        "the data folder is that of one node of several: import into a folder of its own, and let that join",
      );
    }
    const catalog = new LocalCatalog(engine);
    const refused = new Map(planned.map((line) => [line, whyMet(line, engine, catalog)]));
    const leftOut = planned.flatMap((line) => {
      const reason = refused.get(line);
      return reason === undefined ? [] : [{ name: Buffer.from(line.name, "latin1"), reason }];
    });
    if (isWhole && leftOut.length > 0) return { planned: [], leftOut };
    const free = planned.filter((line) => refused.get(line) === undefined);
    for (const line of free) add(line, engine, catalog);
    const failure = engine.commit();
    if (failure !== undefined) throw failure;
    return { planned: free, leftOut: [...before, ...leftOut] };
  } finally {
    engine.close();
  }
}

/** Why a line meets one of the folder; undefined if it does not. */
function whyMet(
  { name, definition }: Planned,
  engine: Engine,
  catalog: LocalCatalog,
): string | undefined {
  if (engine.has(name)) return "it is there already, and import overwrites nothing";
  const refusal = catalog.refuseMet(name, definition);
  return refusal && reasonIn(refusal).replace(/\. [^.]*, or say reuse yes$/, "");
}

function add({ name, definition, position }: Planned, engine: Engine, catalog: LocalCatalog): void {
  catalog.define(name, fieldsOf(definition));
  // A line that was deleted here may stand further; then it stays there.
  const dispenser = engine.find(name)!;
  const ahead = position - dispenser.position;
  if (ahead > 0n) engine.skip(dispenser, ahead);
}
