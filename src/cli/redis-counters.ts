/** Reads the counters of a Redis as lines to import. */

import { RedisClient } from "bun";
import { CannotStart, reasonOf } from "../base/errors.ts";
import { NUMBER_MAX } from "../dispenser/types/whole-number.ts";
import { CONNECT_MS_MAX } from "./connection.ts";
import type { Entry } from "./dispensers-json.ts";

interface Counters {
  readonly entries: Entry[];
  /** The names of counters whose next number would be below 0. */
  readonly below: readonly string[];
}

/**
 * The counters of a Redis: its keys that match a pattern and whose value is a whole number. Their
 * lines get the strategy. Throws CannotStart.
 */
export async function readCounters(
  url: string,
  strategy: string | undefined,
  match = "*",
): Promise<Counters> {
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
      const page = ["MATCH", match, "COUNT", "1000", "TYPE", "string"];
      const [next, keys] = (await client.send("SCAN", [cursor, ...page])) as [string, string[]];
      cursor = String(next);
      const values = keys.length === 0 ? [] : ((await client.send("MGET", keys)) as unknown[]);
      for (const [index, name] of keys.entries()) {
        const value = readInteger(String(values[index]));
        if (value === undefined) continue;
        // The number that INCR would have answered next.
        const next = value + 1n;
        if (next < 0n) {
          below.add(name);
          continue;
        }
        // A counter at its end has no next number: its line starts at the last one, and has passed
        // it.
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
  // SCAN may list a key twice.
  const entries = [...new Map(found.map((line) => [line.name, line])).values()];
  return { entries, below: [...below] };
}

/** A whole number as INCR accepts it; undefined for any other text. */
function readInteger(text: string): bigint | undefined {
  if (!/^(0|-?[1-9][0-9]{0,18})$/.test(text)) return undefined;
  const value = BigInt(text);
  return value === BigInt.asIntN(64, value) ? value : undefined;
}
