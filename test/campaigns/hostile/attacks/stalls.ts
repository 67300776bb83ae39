/** Requests that take long: small ones with much work, and large ones. */

import { encodeRequest } from "../../../../testkit/resp.ts";
import { type Attack, expectReply, repeat, type Siege } from "../attack.ts";
import { inLoop } from "../attacker.ts";

/** What limits.request_bytes lets through. */
const REQUEST_BYTES = 1024 * 1024 - 64;

/** A request with the same word as often as there is room for it. */
const filled = (siege: Siege, word: string, ...before: string[]): string => {
  const bytes = encodeRequest(word).length - 4;
  const room = siege.part(REQUEST_BYTES) - encodeRequest(...before).length;
  const count = Math.floor(room / bytes);
  return encodeRequest(...before, ...Array<string>(count).fill(word));
};

/** A transaction of so many of a request. */
const transaction = (count: number, ...words: string[]): string =>
  encodeRequest("MULTI") + encodeRequest(...words).repeat(count) + encodeRequest("EXEC");

/** So many clients at once at scale 1. */
const CLIENTS = 4;

/** An attack of one kind of request, sent by several clients at once again and again. */
function again(
  name: string,
  requests: (siege: Siege) => string,
  prepare: (siege: Siege) => Promise<void> = async () => {},
): Attack {
  return {
    name,
    run: async (siege) => {
      await prepare(siege);
      const { rounds, closed } = await inLoop(siege, siege.many(CLIENTS), requests(siege));
      if (rounds + closed === 0) throw new Error("not one round was answered");
    },
  };
}

/** The same with a transaction that is as large as it may be: it is not refused. */
function largest(name: string, inside: string): Attack {
  return {
    name: `EXEC of ${name}`,
    run: async (siege) => {
      const requests = encodeRequest("MULTI") + inside + encodeRequest("EXEC");
      const { refused, rounds } = await inLoop(siege, siege.many(CLIENTS), requests);
      if (refused > 0 || rounds === 0) throw new Error("the transaction was not run");
    },
  };
}

/** The longest that another client's HSET and GET take beside a long command in a cluster. */
const BESIDE_MS_MAX = 1000;

const GETS = encodeRequest("GET", "quick").repeat(10_000);
const durableLine = (index: number) => `line:${index}`;
const differentWords = (count: number, before: string) =>
  repeat(count, (index) => before + index.toString(36));

export const stalls: readonly Attack[] = [
  again("COMMAND DOCS of a megabyte", (siege) => filled(siege, "get", "COMMAND", "DOCS")),
  again("COMMAND INFO of a megabyte", (siege) => filled(siege, "client", "COMMAND", "INFO")),
  again("CONFIG GET of a megabyte of stars", (siege) => filled(siege, "*", "CONFIG", "GET")),
  again("DEL of a megabyte", (siege) => filled(siege, "no-name", "DEL")),
  again("EXISTS of a megabyte", (siege) => filled(siege, "no-name", "EXISTS")),
  again("MGET of a megabyte", (siege) => filled(siege, "quick", "MGET")),
  again("MGET of 10,000", () => encodeRequest("MGET", ...Array(10_000).fill("quick"))),
  again("PING of a megabyte of words", (siege) => filled(siege, "", "PING")),
  again("INFO of a megabyte of words", (siege) => filled(siege, "a", "INFO")),
  again("CLIENT KILL of a megabyte", () => {
    const filters = Array(40_000).fill(["ADDR", "1.2.3.4:5"]).flat();
    return encodeRequest("CLIENT", "KILL", ...filters);
  }),
  again("CLIENT TRACKING of a megabyte", (siege) =>
    filled(siege, "bcast", "CLIENT", "TRACKING", "on"),
  ),
  again("HSET of a megabyte of fields", () =>
    encodeRequest("HSET", "x", ...differentWords(60_000, "f").flatMap((field) => [field, "1"])),
  ),
  again("ECHO of a megabyte", () => encodeRequest("ECHO", "x".repeat(1_000_000)).repeat(4)),
  again("an inline request of 64 KiB", () => `ECHO ${"a ".repeat(32_000)}\r\n`.repeat(10)),
  again("EXEC of too many CLIENT HELP", () => transaction(65_000, "CLIENT", "HELP")),
  largest("CLIENT HELP", encodeRequest("CLIENT", "HELP").repeat(3600)),
  largest("HELLO", encodeRequest("HELLO").repeat(3700)),
  largest("AUTH", encodeRequest("AUTH", "a", "b").repeat(1200)),
  largest("GET", encodeRequest("GET", "quick").repeat(9000)),
  largest("PING", encodeRequest("PING").repeat(42_000)),
  largest("SELECT", encodeRequest("SELECT", "0").repeat(21_000)),
  largest("INFO", encodeRequest("INFO").repeat(250)),
  largest("COMMAND DOCS", encodeRequest("COMMAND", "DOCS").repeat(250)),
  largest("CONFIG GET", encodeRequest("CONFIG", "GET", "*").repeat(125)),
  largest("COMMAND INFO", encodeRequest("COMMAND", "INFO", ...Array(250).fill("client"))),
  largest("HGETALL", encodeRequest("HGETALL", "quick").repeat(1800)),
  largest("EXISTS", encodeRequest("EXISTS", ...differentWords(38_000, "no-name"))),
  largest("MGET", encodeRequest("MGET", ...Array(9000).fill("quick"))),
  again(
    "MGET of 10,000 durable lines",
    (siege) => encodeRequest("MGET", ...repeat(siege.part(10_000), durableLine)),
    (siege) => siege.define(siege.part(10_000), durableLine, "elegant_close"),
  ),
  again(
    "KEYS of many names",
    () => encodeRequest("KEYS", "*7").repeat(2),
    (siege) => siege.define(siege.many(100_000), durableLine, "memory"),
  ),
  {
    name: "DEL of many lines",
    run: async (siege) => {
      const count = siege.many(20_000);
      await siege.define(count, durableLine, "elegant_close");
      const client = await siege.client();
      expectReply("DEL", await client.command("DEL", ...repeat(count, durableLine)), count);
      client.close();
    },
  },
  {
    // Before each client had its own lane to the store, the HSET took 11.8 s.
    name: "DEL of unknown names in a cluster",
    hasStore: true,
    run: async (siege) => {
      const names = repeat(siege.many(40_000), (index) => `n${index}`);
      const [one, other] = [await siege.client(), await siege.client()];
      for (let round = 0; round < 3; round++) {
        const deleted = one.command("DEL", ...names);
        const began = performance.now();
        expectReply("HSET", await other.command("HSET", `r${round}`, "type", "3"), 1);
        expectReply("GET", await other.command("GET", `r${round}`), "0");
        const tookMs = performance.now() - began;
        if (tookMs > BESIDE_MS_MAX) throw new Error(`HSET and GET took ${tookMs} ms beside a DEL`);
        expectReply("DEL", await deleted, 0);
      }
      for (const client of [one, other]) client.close();
    },
  },
  again(
    "replies that are read at once",
    () => encodeRequest("ECHO", "x".repeat(10_000)).repeat(100) + GETS,
  ),
];
