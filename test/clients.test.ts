/** Real clients against a real server: what each sends when it connects, and its first numbers. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { RedisClient } from "bun";
import Redis from "ioredis";
import { createClient } from "redis";
import { strategyNames } from "../src/dispenser/strategy.ts";
import { ServerProcess } from "./support/server.ts";

const server = await ServerProcess.start();
const url = `redis://127.0.0.1:${server.port}`;

beforeAll(async () => {
  const client = new RedisClient(url);
  for (const name of ["bun", "ioredis", "node_redis", "cli"]) {
    await client.send("HSET", [name, "type", "3", "starting", "9007199254740993"]);
  }
  client.close();
});

afterAll(() => server.end("SIGTERM"));

const run = (...words: string[]) =>
  Bun.spawnSync([words[0]!, "-p", String(server.port), ...words.slice(1)])
    .stdout.toString()
    .trim();

test("Bun.RedisClient", async () => {
  const client = new RedisClient(url);
  expect(await client.get("bun")).toBe("9007199254740993");
  const many = await Promise.all(Array.from({ length: 100 }, () => client.get("bun")));
  expect(many).toEqual(
    Array.from({ length: 100 }, (_, k) => String(9007199254740994n + BigInt(k))),
  );
  expect(client.get("nobody")).rejects.toThrow("ERR dispenser not found");
  expect(await client.send("INFO", ["bun"])).toContain("generated:101");
  client.close();
});

test("ioredis", async () => {
  const client = new Redis(server.port, "127.0.0.1");
  expect(await client.get("ioredis")).toBe("9007199254740993");
  const many = await client
    .pipeline([
      ["get", "ioredis"],
      ["get", "ioredis"],
    ])
    .exec();
  expect(many).toEqual([
    [null, "9007199254740994"],
    [null, "9007199254740995"],
  ]);
  expect(client.get("nobody")).rejects.toThrow("ERR dispenser not found");
  expect(await client.hgetall("ioredis")).toMatchObject({ type: "3", auto_disk: "elegant_close" });
  expect(await client.hset("by_ioredis", { type: 2, length: 4 })).toBe(2);
  expect(await client.mget("by_ioredis", "by_ioredis")).toEqual(["0000", "0001"]);
  expect(await client.del("by_ioredis")).toBe(1);
  await client.quit();
});

describe.each([2, 3] as const)("node-redis with RESP%d", (RESP) => {
  test("connects, defines, takes, looks and fails as it should", async () => {
    const client = createClient({ url, RESP });
    await client.connect();
    await client.hSet(`by_node_${RESP}`, { type: "3", starting: "7" });
    const many = await Promise.all(Array.from({ length: 50 }, () => client.get(`by_node_${RESP}`)));
    expect(many).toEqual(Array.from({ length: 50 }, (_, k) => String(7 + k)));
    expect(await client.hGetAll(`by_node_${RESP}`)).toMatchObject({ starting: "7", step: "1" });
    expect(client.get("nobody")).rejects.toThrow("ERR dispenser not found");
    expect(await client.exists(`by_node_${RESP}`)).toBe(1);
    await client.close();
  });
});

describe("redis-cli", () => {
  test("takes numbers, in RESP2 and RESP3", () => {
    expect(run("redis-cli", "GET", "cli")).toBe("9007199254740993");
    expect(run("redis-cli", "-3", "GET", "cli")).toBe("9007199254740994");
    expect(run("redis-cli", "-r", "3", "GET", "cli").split("\n").at(-1)).toBe("9007199254740997");
    expect(run("redis-cli", "-3", "HGETALL", "cli")).toContain("elegant_close");
  });

  test("lists names with --scan", () => {
    expect(run("redis-cli", "--scan", "--pattern", "cl?")).toBe("cli");
  });

  test("sends many with --pipe", async () => {
    const cli = Bun.spawn(["redis-cli", "-p", String(server.port), "--pipe"], {
      stdin: new Blob(["GET cli\r\n".repeat(1000)]),
      stdout: "pipe",
    });
    expect(await cli.stdout.text()).toContain("errors: 0, replies: 1000");
  });
});

describe("redis-benchmark runs without an error", () => {
  test.each([...strategyNames])("on %s", (strategy) => {
    run("redis-cli", "HSET", `bench_${strategy}`, "type", "3", "auto_disk", strategy);
    for (const depth of ["1", "16"]) {
      const { stdout, stderr, exitCode } = Bun.spawnSync([
        "redis-benchmark",
        "-p",
        String(server.port),
        "-c",
        "50",
        "-n",
        "4800",
        "-P",
        depth,
        "-q",
        "get",
        `bench_${strategy}`,
      ]);
      expect([exitCode, stderr.toString()]).toEqual([0, ""]);
      expect(stdout.toString()).toMatch(/requests per second/);
    }
    const info = run("redis-cli", "INFO", `bench_${strategy}`);
    expect(info).toContain("generated:9600\r\n");
  });
});
