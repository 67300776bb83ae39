/**
 * `number-dispenser import FILE` and `import -redis URL`: lines that another program counted go on here.
 * FILE is dispensers.json of the Go implementation of this idea, which saves late: each line moves ahead by
 * a margin that covers what it may have handed out since. All of them are taken, or none.
 */

import { RedisClient } from "bun";
import { parseState } from "../cluster/memory.ts";
import { UsageError } from "../config-file.ts";
import {
  type Definition,
  define,
  fieldsOf,
  parseNumber,
  positionsOf,
} from "../dispenser/definition.ts";
import { NUMBER_MAX, numberAt, positionOf } from "../dispenser/line.ts";
import { isName, toBytes, toText } from "../dispenser/name.ts";
import { strategies, strategyNames } from "../dispenser/strategy.ts";
import { Engine } from "../engine.ts";
import { CannotStart, Refusal, reasonOf } from "../refusal.ts";
import type { FolderOptions } from "../store/folder.ts";
import { openSqliteStore } from "../store/sqlite.ts";
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
  if (strategy !== undefined && !Object.hasOwn(strategies, strategy)) {
    throw new UsageError(`-strategy: '${strategy}' must be one of ${strategyNames.join(", ")}`);
  }
  const margin = marginOf(flags.get("margin"));
  const { entries, leftOut } =
    redis === undefined
      ? readDispensers(file!)
      : { entries: await readCounters(redis, flags), leftOut: [] };
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
  const others = leftOut.map((name) => `  ${name}: left out, its type is none of this server's`);
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
async function readCounters(url: string, flags: ReadonlyMap<string, string>): Promise<Entry[]> {
  const strategy = flags.get("strategy");
  const client = new RedisClient(url, {
    autoReconnect: false,
    connectionTimeout: CONNECT_MS_MAX,
  });
  const found: Entry[] = [];
  try {
    await client.connect();
    let cursor = "0";
    do {
      const page = ["MATCH", flags.get("match") ?? "*", "COUNT", "1000", "TYPE", "string"];
      const [next, keys] = (await client.send("SCAN", [cursor, ...page])) as [string, string[]];
      cursor = String(next);
      const values = keys.length === 0 ? [] : ((await client.send("MGET", keys)) as unknown[]);
      for (const [index, name] of keys.entries()) {
        const value = parseNumber(String(values[index]));
        if (value === undefined) continue;
        const starting = value < NUMBER_MAX ? value + 1n : value;
        const fields = new Map([
          ["type", "3"],
          ["starting", String(starting)],
          ...(strategy === undefined ? [] : [["auto_disk", strategy] as const]),
        ]);
        found.push({ name, fields, next: starting });
      }
    } while (cursor !== "0");
  } catch (error) {
    const { host } = URL.canParse(url) ? new URL(url) : { host: url };
    throw new CannotStart(`cannot read the counters of ${host}: ${reasonOf(error)}`);
  } finally {
    client.close();
  }
  // A key may be scanned twice.
  return [...new Map(found.map((line) => [line.name, line])).values()];
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
  const store = openSqliteStore(options.dataDir, options);
  const engine = new Engine(store, { now: () => 0, savesCounts: false });
  try {
    const { membership, place } = parseState(store.node);
    if (membership !== undefined || place !== undefined) {
      throw new CannotStart(
        "the data folder is that of one node of several: import into a folder of its own, and let that join",
      );
    }
    const present = planned.filter(({ name }) => engine.has(name));
    if (present.length > 0) {
      throw new CannotStart(
        `${present.length} of the dispensers are there already, '${toText(present[0]!.name)}' among them: ` +
          "import overwrites nothing; DEL them first, or name another folder",
      );
    }
    for (const { name, definition, position } of planned) {
      engine.define(name, fieldsOf(definition));
      engine.moves.skip(engine.find(name)!, position);
    }
    // One commit: all of them or none.
    const failure = engine.commit();
    if (failure !== undefined) throw failure;
  } finally {
    engine.close();
  }
}
