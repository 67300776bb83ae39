/** redis-benchmark: it warns of nothing, and the server counts exactly what it asked for. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { RedisClient } from "bun";
import { strategyNames } from "../../../src/dispenser/strategy.ts";
import { ServerProcess } from "../../../testkit/process.ts";
import { fieldsOf } from "./adapter.ts";

const server = await ServerProcess.start();
const client = new RedisClient(`redis://127.0.0.1:${server.port}`);
const REQUESTS = 1600;

beforeAll(() => client.connect());

afterAll(async () => {
  client.close();
  await server.end("SIGTERM");
});

async function run(...words: string[]) {
  const args = ["-p", String(server.port), "-n", String(REQUESTS), ...words];
  const child = Bun.spawn(["redis-benchmark", ...args], { stdout: "pipe", stderr: "pipe" });
  const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { output, errors, status: await child.exited };
}

/** Its output; it must warn of nothing. */
async function benchmark(...words: string[]): Promise<string> {
  const { output, errors, status } = await run(...words);
  expect([errors, status]).toEqual(["", 0]);
  return output;
}

async function generated(name: string): Promise<number> {
  return Number(fieldsOf(await client.send("INFO", ["dispenser", name])).generated);
}

describe("redis-benchmark takes as many as it says", () => {
  test.each([...strategyNames])("of a line that is %s", async (strategy) => {
    await client.hset(strategy, { type: "3", auto_disk: strategy });
    for (const depth of ["1", "16"]) {
      const output = await benchmark("-c", "50", "-P", depth, "-q", "get", strategy);
      expect(output).toMatch(/requests per second, p50=/);
    }
    expect(await generated(strategy)).toBe(2 * REQUESTS);
  });

  test("in RESP3, and shows it as CSV", async () => {
    await client.hset("csv", { type: "3", auto_disk: "memory" });
    const output = await benchmark("-3", "-P", "16", "--csv", "get", "csv");
    const [head, row, ...rest] = output.trimEnd().split("\n");
    expect(head).toStartWith('"test","rps",');
    expect(row).toMatch(/^"get csv","\d+\.\d\d",/);
    expect(rest).toEqual([]);
    expect(await generated("csv")).toBe(REQUESTS);
  });

  test("with its own names and the inline form", async () => {
    await client.hset("key:__rand_int__", { type: "3", auto_disk: "pre_close" });
    const output = await benchmark("-t", "ping_inline,ping_mbulk,get", "-q");
    for (const title of ["PING_INLINE", "PING_MBULK", "GET"]) {
      expect(output).toMatch(new RegExp(`\\r${title}: \\d+\\.\\d\\d requests per second`));
    }
    expect(await generated("key:__rand_int__")).toBe(REQUESTS);
  });

  test("of ten lines in turn, from two threads", async () => {
    const names = Array.from({ length: 10 }, (_, k) => `of:${String(k).padStart(12, "0")}`);
    for (const name of names) await client.hset(name, { type: "3", auto_disk: "pre_close" });
    await benchmark("-r", "10", "--threads", "2", "-q", "get", "of:__rand_int__");
    const counts = await Promise.all(names.map(generated));
    expect(counts.reduce((sum, count) => sum + count)).toBe(REQUESTS);
  });

  test("with a new connection for each", async () => {
    await client.hset("once", { type: "3", auto_disk: "memory" });
    const { errors, status } = await run("-k", "0", "-q", "get", "once");
    // It warns of this itself, whatever the server is.
    expect(errors).toMatch(/^WARNING: Keepalive disabled\.[^\n]*\n$/);
    expect(status).toBe(0);
    expect(await generated("once")).toBe(REQUESTS);
  });
});
