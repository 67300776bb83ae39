/** Reads the counters of a Redis as lines to import. */

import { RedisClient } from "bun";
import { CannotStart, reasonOf } from "../base/errors.ts";
import { encodedPassword, hidden, readServiceUrl, type ServiceUrl } from "../base/secrets.ts";
import { UsageError } from "../config/file.ts";
import { NUMBER_MAX } from "../dispenser/types/whole-number.ts";
import type { Entry } from "./dispensers-json.ts";

const CONNECT_MS_MAX = 5000;

interface Counters {
  readonly entries: Entry[];
  /** The names of counters whose next number would be below 0. */
  readonly below: readonly string[];
}

/**
 * The counters of a Redis: its keys that match a pattern and whose value is a whole number. Their
 * lines get the strategy. Throws CannotStart and UsageError.
 */
export async function readCounters(
  url: string,
  strategy: string | undefined,
  match = "*",
): Promise<Counters> {
  const { shown, password = "" } = redisUrl(url);
  const client = openClient(url, shown);
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
    // An old Redis repeats in its errors what it was sent.
    const reason = hidden(reasonOf(error), url, password, encodeURIComponent(password));
    throw new CannotStart(`cannot read the counters of ${shown}: ${reason}`);
  } finally {
    client.close();
  }
  // SCAN may list a key twice.
  const entries = [...new Map(found.map((line) => [line.name, line])).values()];
  return { entries, below: [...below] };
}

/** The parts of the URL of a Redis. Throws UsageError. */
function redisUrl(text: string): ServiceUrl {
  const url = readServiceUrl(text);
  const form = /^(?:redis|valkey)(s|\+tls)?(\+unix)?$/.exec(url?.scheme ?? "");
  const hasHost = url?.hosts.length === 1 && (url.hosts[0] !== "" || form?.[2] !== undefined);
  if (url !== undefined && form !== null && hasHost && URL.canParse(text)) return url;
  throw new UsageError(
    `-redis: it must be redis://user:password@host:port, or rediss:// for TLS, ${encodedPassword}`,
  );
}

/** Opens a client, which connects later. Throws UsageError. */
function openClient(url: string, shown: string): RedisClient {
  try {
    return new RedisClient(url, { autoReconnect: false, connectionTimeout: CONNECT_MS_MAX });
  } catch {
    throw new UsageError(`-redis: ${shown} is none: the path may only be the number of a database`);
  }
}

/** A whole number as INCR accepts it; undefined for any other text. */
function readInteger(text: string): bigint | undefined {
  if (!/^(0|-?[1-9][0-9]{0,18})$/.test(text)) return undefined;
  const value = BigInt(text);
  return value === BigInt.asIntN(64, value) ? value : undefined;
}
