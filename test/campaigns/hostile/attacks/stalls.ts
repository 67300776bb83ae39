/** Requests that take long: small ones with much work, and large ones. */

import { encodeRequest } from "../../../../testkit/resp.ts";
import { type Attack, repeat, type Siege } from "../attack.ts";
import { Attacker, crowd, inLoop, resetAll } from "../attacker.ts";

/** So many words in one request: as many as limits.request_bytes lets through. */
const REQUEST_BYTES = 1024 * 1024 - 64;
const filled = (word: string, ...before: string[]): string => {
  const bytes = encodeRequest(word).length - 4;
  const count = Math.floor((REQUEST_BYTES - encodeRequest(...before).length) / bytes);
  return encodeRequest(...before, ...Array<string>(count).fill(word));
};

/** A transaction of so many of a request, as long as limits.transaction_bytes lets it be. */
const transaction = (count: number, ...words: string[]): string =>
  encodeRequest("MULTI") + encodeRequest(...words).repeat(count) + encodeRequest("EXEC");

/** So many clients at once at scale 1. */
const CLIENTS = 4;

/** An attack of one kind of request, sent by several clients at once again and again. */
function again(name: string, requests: () => string): Attack {
  return {
    name,
    run: async (siege) => {
      const { rounds, closed } = await inLoop(siege, siege.many(CLIENTS), requests());
      if (rounds + closed === 0) throw new Error("not one round was answered");
      if (process.env.V) console.error(name, rounds, closed);
    },
  };
}

const differentWords = (count: number, before: string) =>
  repeat(count, (index) => before + index.toString(36));

export const stalls: readonly Attack[] = [
  again("COMMAND DOCS of a megabyte", () => filled("get", "COMMAND", "DOCS")),
  again("COMMAND INFO of a megabyte", () => filled("client", "COMMAND", "INFO")),
  again("CONFIG GET of a megabyte of stars", () => filled("*", "CONFIG", "GET")),
  again("DEL of a megabyte", () => filled("no-name", "DEL")),
  again("EXISTS of a megabyte", () => filled("no-name", "EXISTS")),
  again("MGET of a megabyte", () => filled("memory", "MGET")),
  again("MGET of 10,000", () => encodeRequest("MGET", ...Array(10_000).fill("memory"))),
  again("PING of a megabyte of words", () => filled("", "PING")),
  again("INFO of a megabyte of words", () => filled("a", "INFO")),
  again("CLIENT KILL of a megabyte", () => {
    const filters = Array(40_000).fill(["ADDR", "1.2.3.4:5"]).flat();
    return encodeRequest("CLIENT", "KILL", ...filters);
  }),
  again("CLIENT TRACKING of a megabyte", () => filled("bcast", "CLIENT", "TRACKING", "on")),
  again("HSET of a megabyte of fields", () =>
    encodeRequest("HSET", "x", ...differentWords(60_000, "f").flatMap((field) => [field, "1"])),
  ),
  again("ECHO of a megabyte", () => encodeRequest("ECHO", "x".repeat(1_000_000)).repeat(4)),
  again("an inline request of 64 KiB", () => `ECHO ${"a ".repeat(32_000)}\r\n`.repeat(10)),
  again("EXEC of CLIENT HELP", () => transaction(65_000, "CLIENT", "HELP")),
  again("EXEC of CLIENT HELP, as many as fit", () => transaction(3800, "CLIENT", "HELP")),
  again("EXEC of HELLO", () => transaction(65_000, "HELLO")),
  again("EXEC of AUTH", () => transaction(21_000, "AUTH", "a", "b")),
  again("EXEC of GET", () => transaction(30_000, "GET", "memory")),
  again("EXEC of INFO", () => transaction(800, "INFO")),
  again("EXEC of COMMAND DOCS", () => transaction(800, "COMMAND", "DOCS")),
  again("EXEC of CONFIG GET", () => transaction(650, "CONFIG", "GET", "*")),
  again("EXEC of SELECT", () => transaction(32_000, "SELECT", "0")),
  again("EXEC of EXISTS", () =>
    transaction(1, "EXISTS", ...differentWords(55_000, "no-name")),
  ),
  again("EXEC of MGET", () => transaction(6, "MGET", ...Array(9_000).fill("memory"))),
];
