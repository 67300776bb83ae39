/**
 * `number-dispenser import FILE` and `import -redis URL`: lines that another program counted go on here.
 * FILE is dispensers.json of the Go implementation of this idea, which saves late: each line moves ahead by
 * a margin that covers what it may have handed out since. All of them are taken, or none.
 */

import { readFileSync } from "node:fs";
import { RedisClient } from "bun";
import { parseState } from "../cluster/memory.ts";
import { UsageError } from "../config-file.ts";
import {
  type Definition,
  define,
  type Fields,
  fieldsOf,
  parseNumber,
  positionsOf,
} from "../dispenser/definition.ts";
import { NUMBER_MAX, numberAt, positionOf } from "../dispenser/line.ts";
import { isName, toBytes, toText } from "../dispenser/name.ts";
import { Engine } from "../engine.ts";
import { CannotStart, Refusal, reasonOf } from "../refusal.ts";
import type { FolderOptions } from "../store/folder.ts";
import { openSqliteStore } from "../store/sqlite.ts";

/** A segment of the Go implementation: it may have handed out so many that it did not save. */
const MARGIN_DEFAULT = 1000n;
/** The report names so many lines. */
const SHOWN_MAX = 100;
const CONNECT_MS_MAX = 5000;

export interface ImportOptions extends FolderOptions {
  readonly dataDir: string;
}

/** A line as another program left it. */
interface Found {
  /** As text. */
  readonly name: string;
  readonly fields: Fields;
  /** The number it would have handed out next; undefined for random ones. */
  readonly next: bigint | undefined;
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
  if ((file === undefined) === (redis === undefined)) {
    throw new UsageError("import needs FILE, or -redis URL; see -help");
  }
  const margin = marginOf(flags.get("margin"));
  const found = redis === undefined ? readGoFile(file!) : await readCounters(redis, flags);
  const planned = found.map((line) => plan(line, margin));
  write(planned, options);
  const shown = planned.slice(0, SHOWN_MAX).map(({ name, definition, position }) => {
    const next = definition.type.isLine ? `, next ${numberAt(definition, position)}` : "";
    return `  ${toText(name)}: type ${definition.type.code}, ${definition.strategy}${next}`;
  });
  const rest = planned.length > SHOWN_MAX ? [`  and ${planned.length - SHOWN_MAX} more`] : [];
  const what = `imported ${planned.length} dispensers, each line moved ahead by ${margin} numbers`;
  return [what, ...shown, ...rest].join("\n");
}

function marginOf(text: string | undefined): bigint {
  const margin = text === undefined ? MARGIN_DEFAULT : parseNumber(text);
  if (margin !== undefined) return margin;
  throw new UsageError(`-margin: '${text}' must be a whole number from 0 to ${NUMBER_MAX}`);
}

/** Numbers keep all their digits. */
const exactly = (_: string, value: unknown, { source }: { source?: string } = {}): unknown =>
  typeof value === "number" ? source : value;

function readGoFile(file: string): Found[] {
  let data: Record<string, { config?: Record<string, unknown>; current?: unknown }>;
  try {
    data = JSON.parse(
      readFileSync(file, "utf8"),
      exactly as (key: string, value: unknown) => unknown,
    );
  } catch (error) {
    throw new CannotStart(`cannot read ${file}: ${reasonOf(error)}`);
  }
  if (typeof data !== "object" || data === null || Array.isArray(data)) {
    throw new CannotStart(`${file} is no dispensers.json: it has to be an object of dispensers`);
  }
  return Object.entries(data).map(([name, entry]) => {
    const { config, current } = entry ?? {};
    const next = parseNumber(String(current));
    if (typeof config !== "object" || config === null || next === undefined) {
      throw new CannotStart(`${file}: '${name}' has no config, or no current number`);
    }
    const fields = new Map<string, string>();
    for (const [field, value] of Object.entries(config)) {
      // What was not given stands there as 0 or as nothing.
      if (String(value) !== "0" && value !== "") fields.set(field, String(value));
    }
    const isRandom = fields.get("type") === "1";
    // It keeps these for random ones, too, where they mean nothing.
    if (isRandom) for (const field of ["starting", "step"]) fields.delete(field);
    if (fields.get("type") === "3") fields.delete("length");
    return { name, fields, next: isRandom ? undefined : next };
  });
}

/** The counters of a Redis: its keys whose value is a whole number. */
async function readCounters(url: string, flags: ReadonlyMap<string, string>): Promise<Found[]> {
  const strategy = flags.get("strategy");
  const client = new RedisClient(url, {
    autoReconnect: false,
    connectionTimeout: CONNECT_MS_MAX,
  });
  const found: Found[] = [];
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

function plan({ name: text, fields, next }: Found, margin: bigint): Planned {
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
