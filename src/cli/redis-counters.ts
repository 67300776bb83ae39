/** Reads the counters of a Redis as lines to import. */

import { isName, NAMES_ALLOWED } from "../dispenser/name.ts";
import { largestOf, NUMBER_MAX } from "../dispenser/types/whole-number.ts";
import { type Client, ErrorReply } from "./client.ts";
import type { Entry } from "./dispensers-json.ts";
import type { LeftOut } from "./import-report.ts";
import { openRedis, reasonFor, unreadable } from "./redis.ts";
import { readRedisUrl } from "./redis-url.ts";

/** How many keys are asked for together, and how long the answer may take. */
const PAGE = 1000;
const PAGE_SECONDS = 30;
/** A whole number has at most 20 characters: of a longer value no more than this is read. */
const VALUE_BYTES = 32;

/** The shape of the lines: the fields of HSET besides `starting`. */
export type Shape = ReadonlyMap<string, string>;

interface Counters {
  readonly entries: readonly Entry[];
  /** The keys that cannot become lines. */
  readonly leftOut: readonly LeftOut[];
}

/**
 * The counters of a Redis: its keys that match a pattern and whose value is a whole number. Throws
 * CannotStart and UsageError.
 */
export async function readCounters(
  text: string,
  shape: Shape,
  flags: ReadonlyMap<string, string>,
): Promise<Counters> {
  const url = readRedisUrl(text);
  const client = await openRedis(url, flags);
  // SCAN may list a key twice.
  const found = new Map<string, Entry | LeftOut>();
  client.limitEach(PAGE_SECONDS);
  try {
    let cursor = "0";
    do {
      const words = ["SCAN", cursor, "MATCH", flags.get("match") ?? "*", "COUNT", String(PAGE)];
      const [next, keys] = (await client.command(...words)) as [Buffer, Buffer[]];
      cursor = String(next);
      for (const [index, value] of (await valuesOf(client, keys)).entries()) {
        const key = keys[index]!;
        const read = value === undefined ? undefined : entryOf(key, value, shape);
        if (read !== undefined) found.set(key.toString("latin1"), read);
      }
    } while (cursor !== "0");
  } catch (error) {
    throw unreadable(url, reasonFor(url, error));
  } finally {
    client.close();
  }
  const all = [...found.values()];
  return {
    entries: all.filter((each) => "fields" in each),
    leftOut: all.filter((each) => "reason" in each),
  };
}

/** The value of a key; why it has none that can be read; undefined if the key is gone by now. */
type Value = string | { readonly reason: string } | undefined;

async function valuesOf(client: Client, keys: readonly Buffer[]): Promise<Value[]> {
  const range = ["0", String(VALUE_BYTES - 1)];
  const values = await client.pipeline(keys.map((key) => ["GETRANGE", key, ...range]));
  // What has no text as value, or none at all, says what it is.
  const isAsked = (value: unknown) => value instanceof ErrorReply || String(value) === "";
  const asked = keys.filter((_, index) => isAsked(values[index]));
  const types = await client.pipeline(asked.map((key) => ["TYPE", key]));
  return values.map((value) => (isAsked(value) ? withoutText(value, types.shift()) : `${value}`));
}

/** The value of a key that is no text, or an empty one. Throws ErrorReply if no key can be read. */
function withoutText(value: unknown, type: unknown): Value {
  for (const error of [value, type]) {
    if (!(error instanceof ErrorReply)) continue;
    if (/run the '/.test(error.message)) throw error;
    if (!error.message.startsWith("WRONGTYPE")) return { reason: `reading it: ${error.message}` };
  }
  const name = String(type);
  if (name === "none") return undefined;
  return value instanceof ErrorReply ? { reason: `its type is ${name}, not a counter` } : "";
}

/** The line that a key becomes, or why it becomes none. */
function entryOf(key: Buffer, value: string | { readonly reason: string }, shape: Shape) {
  const leftOut = (reason: string): LeftOut => ({ name: key, reason });
  if (!isName(key.toString("latin1"))) return leftOut(`it cannot be a name here: ${NAMES_ALLOWED}`);
  if (typeof value !== "string") return leftOut(value.reason);
  const counted = readInteger(value);
  if (typeof counted === "string") return leftOut(counted);
  // The number that INCR would have answered next.
  const next = counted + 1n;
  if (next < 0n) return leftOut(`its next number is ${next}, and there are none below 0 here`);
  const length = shape.get("length");
  if (length !== undefined && next > largestOf(BigInt(length))) {
    return leftOut(`its next number is ${next}, which needs more than ${length} digits`);
  }
  // A counter at its end has no next number: its line starts at the last one, and has passed it.
  const starting = next <= NUMBER_MAX ? next : NUMBER_MAX;
  const fields = new Map([...shape, ["starting", String(starting)]]);
  return { name: key.toString(), fields, next } satisfies Entry;
}

/** A whole number as INCR accepts it, or what is wrong with the text, which may be a secret. */
function readInteger(text: string): bigint | string {
  if (text === "") return "its value is empty";
  if (!/^[+-]?[0-9]+$/.test(text)) return "its value is no whole number";
  if (text.startsWith("+")) return "its value begins with '+', which INCR refuses";
  if (/^-?0./.test(text) || text === "-0") return "its value begins with 0, which INCR refuses";
  const value = BigInt(text);
  if (value !== BigInt.asIntN(64, value)) return "its value does not fit into 64 bits";
  return value;
}
