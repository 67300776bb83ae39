/**
 * `number-dispenser import FILE` and `import -redis URL`: lines that another program counted go on here.
 * FILE is dispensers.json of the Go implementation of this idea, which saves late: each line moves ahead by
 * a margin that covers what it may have handed out since. All of them are taken, or none.
 */

import { RedisClient } from "bun";
import { CannotStart, Refusal, reasonOf } from "../base/errors.ts";
import { openFolder } from "../cluster/open-node.ts";
import { UsageError } from "../config/file.ts";
import {
  type Definition,
  define,
  fieldsOf,
  parseNumber,
  positionsOf,
} from "../dispenser/definition.ts";
import { isName, toBytes, toText } from "../dispenser/name.ts";
import { strategyNames, strategyOf } from "../dispenser/strategy.ts";
import { NUMBER_MAX, numberAt, positionOf } from "../dispenser/types/line.ts";
import type { FolderOptions } from "../storage/folder.ts";
import { type Entry, readDispensers } from "./dispensers-json.ts";

/** A segment of the Go implementation: it may have handed out so many that it did not save. */
const MARGIN_DEFAULT = 1000n;
const SAVES_LATE =
  "that implementation saves every 5 seconds, and not when it stops: where a line handed out more than the margin " +
  "since, ADVANCE it past the highest number used";
/** The report names so many lines. */
const SHOWN_MAX = 100;
const CONNECT_MS_MAX = 5000;

export interface ImportOptions extends FolderOptions {
  readonly dataDir: string;
}

interface Counters {
  readonly entries: Entry[];
  /** Names of those whose next number would be below 0. */
  readonly below: readonly string[];
}

interface Planned {
  readonly name: string;
  readonly definition: Definition;
  readonly position: bigint;
}

/** Answers lines that say what was done. Throws CannotStart, and UsageError. */
export async function importDispensers(
  file: string | undefined,
  flags: ReadonlyMap<string, string>,
  options: ImportOptions,
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
    throw new UsageError(`-strategy: '${strategy}' must be one of ${strategyNames.join(", ")}`);
  }
  const margin = marginOf(flags.get("margin"));
  const { entries, leftOut, below } =
    redis === undefined
      ? { ...readDispensers(file!), below: [] }
      : { ...(await readCounters(redis, flags)), leftOut: [] };
  const planned = entries.map((entry) => plan(entry, margin));
  write(planned, options);
  const shown = planned.slice(0, SHOWN_MAX).map(({ name, definition, position }) => {
    const isOver = position >= positionsOf(definition);
    const at = isOver ? "at its end" : `next ${numberAt(definition, position)}`;
    const next = definition.type.isLine ? `, ${at}` : "";
    const isVague = next !== "" && definition.strategy === "memory" && redis === undefined;
    const doubt = isVague ? " (the file never knows where such a line stands: it may repeat)" : "";
    return `  ${toText(name)}: type ${definition.type.code}, ${definition.strategy}${next}${doubt}`;
  });
  const rest = planned.length > SHOWN_MAX ? [`  and ${planned.length - SHOWN_MAX} more`] : [];
  const others = [
    ...leftOut.map((name) => `  ${name}: left out, its type is none of this server's`),
    ...below.map((name) => `  ${name}: left out, its next number is below 0`),
  ];
  const what = `imported ${planned.length} dispensers, each line moved ahead by ${margin} numbers`;
  const advice = redis === undefined ? [SAVES_LATE] : [];
  return [what, ...shown, ...rest, ...others, ...advice].join("\n");
}

function marginOf(text: string | undefined): bigint {
  const margin = text === undefined ? MARGIN_DEFAULT : parseNumber(text);
  if (margin !== undefined) return margin;
  throw new UsageError(`-margin: '${text}' must be a whole number from 0 to ${NUMBER_MAX}`);
}

/** The counters of a Redis: its keys whose value is a whole number. */
async function readCounters(url: string, flags: ReadonlyMap<string, string>): Promise<Counters> {
  const strategy = flags.get("strategy");
  const client = new RedisClient(url, {
    autoReconnect: false,
    connectionTimeout: CONNECT_MS_MAX,
  });
  const found: Entry[] = [];
  const below = new Set<string>();
  try {
    await client.connect();
    let cursor = "0";
    do {
      const page = ["MATCH", flags.get("match") ?? "*", "COUNT", "1000", "TYPE", "string"];
      const [next, keys] = (await client.send("SCAN", [cursor, ...page])) as [string, string[]];
      cursor = String(next);
      const values = keys.length === 0 ? [] : ((await client.send("MGET", keys)) as unknown[]);
      for (const [index, name] of keys.entries()) {
        const value = readInteger(String(values[index]));
        if (value === undefined) continue;
        // INCR would have answered this next.
        const next = value + 1n;
        if (next < 0n) {
          below.add(name);
          continue;
        }
        // Of a counter at its end there is no next number: the last one is behind it.
        const starting = next <= NUMBER_MAX ? next : NUMBER_MAX;
        const fields = new Map([
          ["type", "3"],
          ["starting", String(starting)],
          ...(strategy === undefined ? [] : [["auto_disk", strategy] as const]),
        ]);
        found.push({ name, fields, next });
      }
    } while (cursor !== "0");
  } catch (error) {
    const { host } = URL.canParse(url) ? new URL(url) : { host: url };
    throw new CannotStart(`cannot read the counters of ${host}: ${reasonOf(error)}`);
  } finally {
    client.close();
  }
  // A key may be scanned twice.
  const entries = [...new Map(found.map((line) => [line.name, line])).values()];
  return { entries, below: [...below] };
}

/** A whole number of Redis, as INCR takes it; undefined for any other text. */
function readInteger(text: string): bigint | undefined {
  if (!/^(0|-?[1-9][0-9]{0,18})$/.test(text)) return undefined;
  const value = BigInt(text);
  return value === BigInt.asIntN(64, value) ? value : undefined;
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
  const end = positionsOf(definition);
  let position = positionOf(definition, next) + margin;
  if (position > end) position = end;
  return { name, definition, position };
}

function write(planned: readonly Planned[], options: ImportOptions): void {
  const { state, engine } = openFolder(options.dataDir, options);
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
      const refusal = engine.refuseMet(name, definition);
      if (refusal === undefined) continue;
      const reason = refusal.message.replace(/^ERR /, "").replace(/ [^.]*, or say reuse yes$/, "");
      throw new CannotStart(`${toText(reason)} Nothing was imported: name another folder`);
    }
    for (const { name, definition, position } of planned) {
      engine.define(name, fieldsOf(definition));
      // A line that was deleted here goes on where it stood, if that is further.
      const dispenser = engine.find(name)!;
      const ahead = position - dispenser.position;
      if (ahead > 0n) engine.moves.skip(dispenser, ahead);
    }
    // One commit: all of them or none.
    const failure = engine.commit();
    if (failure !== undefined) throw failure;
  } finally {
    engine.close();
  }
}
