import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chownSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { importDispensers } from "../../../src/cli/import.ts";
import { openSqliteStore } from "../../../src/storage/sqlite.ts";
import { makeFifo, temporaryFolder } from "../../../testkit/folder.ts";
import { freePort } from "../../../testkit/ports.ts";
import { endOnExit, ServerProcess } from "../../../testkit/process.ts";
import { TestClient } from "../../../testkit/resp.ts";
import { succeeds } from "../../../testkit/until.ts";
import { noRedis } from "../../support/installed.ts";
import { messageOf } from "../../support/message-of.ts";
import { startLocal } from "../../support/server.ts";

const NOBODY = 65_534;
if (process.getuid?.() !== 0) console.warn("skipped: only root can leave files to others");

const options = { create: true, allowNetworkFileSystem: false };

/** As the Go implementation writes it, integers above 2^53 among them. */
function goFile(dispensers: string): string {
  const file = join(temporaryFolder(), "dispensers.json");
  writeFileSync(file, dispensers);
  return file;
}

const usual = `{
  "order_id": {
    "config": { "type": 3, "step": 1, "auto_disk": "pre_close" },
    "current": 41000, "updated": "2024-11-05T10:00:00.123456789Z"
  },
  "invoice": {
    "config": { "type": 2, "length": 8, "starting": 100, "step": 5, "auto_disk": "elegant_close" },
    "current": 600, "updated": "2024-11-05T10:00:00Z"
  },
  "large": { "config": { "type": 3 }, "current": 9007199254740993, "updated": "2024-11-05T10:00:00Z" },
  "short": { "config": { "type": 2, "length": 2 }, "current": 90, "updated": "2024-11-05T10:00:00Z" },
  "coupon": { "config": { "type": 1, "length": 12, "step": 1 }, "current": 0, "updated": "2024-11-05T10:00:00Z" }
}`;

/** As its second version writes it. */
const secondForm = `{
  "fixed": {
    "config": { "type": 2, "length": 9, "starting": 100000000, "step": 3, "incr_mode": "fixed", "auto_disk": "elegant_close" },
    "current": 100009000, "updated": "2026-11-26T06:38:12.253539017Z"
  },
  "sequence": {
    "config": { "type": 2, "starting": 1000, "step": 3, "incr_mode": "sequence", "auto_disk": "pre_close" },
    "current": 10000, "updated": "2026-11-26T06:38:20.494268612Z"
  },
  "plain": { "config": { "type": 2, "step": 1, "auto_disk": "memory" }, "current": 0 },
  "padded": { "config": { "type": 2, "length": 6, "step": 1, "auto_disk": "elegant_close" }, "current": 5 },
  "user_id": { "config": { "type": 1, "length": 7, "unique_check": true, "unique_cache_size": 1000 }, "current": 0 },
  "session": { "config": { "type": 3, "length": 32 }, "current": 0 },
  "snowflake": { "config": { "type": 4, "machine_id": 1 }, "current": 0 },
  "uuid": { "config": { "type": 5, "uuid_format": "compact" }, "current": 0 }
}`;

const run = (
  file: string | undefined,
  flags: Record<string, string> = {},
  dataDir = temporaryFolder(),
) => importDispensers(file, new Map(Object.entries(flags)), { ...options, dataDir });

/** What a server says of these, with GET, in a folder. */
async function taken(dataDir: string, ...names: string[]): Promise<unknown[]> {
  const server = startLocal(openSqliteStore(dataDir, options));
  const client = await TestClient.connect(server.port);
  const replies = await client.pipeline(names.map((name) => ["GET", name]));
  client.close();
  await server.server.stop();
  return replies.map((reply) => (typeof reply === "string" ? reply : String(reply)));
}

describe("import of dispensers.json", () => {
  test("takes each line on, ahead of what was not saved", async () => {
    const dataDir = temporaryFolder();
    expect(await run(goFile(usual), {}, dataDir)).toBe(
      [
        "imported 5 dispensers, each line moved ahead by 1000 numbers",
        "  order_id: type 3, pre_close, next 42000",
        "  invoice: type 2, elegant_close, next 00005600",
        "  large: type 3, elegant_close, next 9007199254741993",
        "  short: type 2, elegant_close, at its end",
        "  coupon: type 1, elegant_close",
        "that implementation saves every 5 seconds, and not when it stops: where a line handed out more than the " +
          "margin since, ADVANCE it past the highest number used",
      ].join("\n"),
    );
    const [order, invoice, large, short, coupon] = await taken(
      dataDir,
      ...["order_id", "invoice", "large", "short", "coupon"],
    );
    expect([order, invoice, large]).toEqual(["42000", "00005600", "9007199254741993"]);
    expect(short).toContain("number range exhausted");
    expect(coupon).toMatch(/^[1-9]\d{11}$/);
  });

  test("takes the second form of the file, and leaves out what is no line", async () => {
    const dataDir = temporaryFolder();
    const report = await run(goFile(secondForm), {}, dataDir);
    expect(report.split("\n").slice(0, -1)).toEqual([
      "imported 5 dispensers, each line moved ahead by 1000 numbers",
      "  fixed: type 2, elegant_close, next 100012000",
      "  sequence: type 3, pre_close, next 13000",
      "  plain: type 3, memory, next 1000 (the file never knows where such a line stands: it may repeat)",
      "  padded: type 2, elegant_close, next 001005",
      "  user_id: type 1, elegant_close",
      "  session: left out, its type is none of this server's",
      "  snowflake: left out, its type is none of this server's",
      "  uuid: left out, its type is none of this server's",
    ]);
    expect(await taken(dataDir, "fixed", "sequence", "padded")).toEqual([
      "100012000",
      "13000",
      "001005",
    ]);
  });

  test("by the margin that is given", async () => {
    const dataDir = temporaryFolder();
    await run(goFile(usual), { margin: "0" }, dataDir);
    expect(await taken(dataDir, "order_id", "short")).toEqual(["41000", "90"]);
  });

  test("overwrites nothing, and takes all or none", async () => {
    const dataDir = temporaryFolder();
    await run(goFile('{ "invoice": { "config": { "type": 3 }, "current": 5 } }'), {}, dataDir);
    expect(await messageOf(() => run(goFile(usual), {}, dataDir))).toBe(
      "CannotStart: 1 of the dispensers are there already, 'invoice' among them: " +
        "import overwrites nothing; name another folder",
    );
    expect(await taken(dataDir, "invoice", "order_id")).toEqual([
      "1005",
      "ReplyError: ERR dispenser not found: 'order_id'",
    ]);
  });

  test("takes a line at its end as one: past 2^63 - 1 that implementation counts below 0", async () => {
    const dataDir = temporaryFolder();
    const entry = (current: string, step = 1) =>
      `{ "config": { "type": 3, "step": ${step} }, "current": ${current} }`;
    const text = `{
      "last": ${entry("9223372036854775807")},
      "over": ${entry("-9223372036854775808")},
      "far_over": ${entry("-9223372036854775801", 8)},
      "full": { "config": { "type": 2, "length": 3 }, "current": 1000 }
    }`;
    const report = await run(goFile(text), { margin: "0" }, dataDir);
    for (const name of ["over", "far_over"]) {
      expect(report).toContain(`  ${name}: type 3, elegant_close, at its end\n`);
    }
    const [last, ...ended] = await taken(dataDir, "last", "over", "far_over", "full");
    expect(last).toBe("9223372036854775807");
    for (const reply of ended) expect(reply).toContain("number range exhausted");
    const wrong = goFile(`{ "x": ${entry("-9223372036854775800", 8)} }`);
    expect(await messageOf(() => run(wrong))).toContain("'x' has no config, or no current number");
  });

  test("hands out no number that a line deleted in the folder has handed out", async () => {
    const dataDir = temporaryFolder();
    const server = startLocal(openSqliteStore(dataDir, options));
    const client = await TestClient.connect(server.port);
    await client.command("HSET", "order_id", "type", "3");
    await client.command("ADVANCE", "order_id", "50000");
    await client.command("HSET", "invoice", "type", "3");
    await client.pipeline([
      ["GET", "invoice"],
      ["GET", "order_id"],
      ["DEL", "order_id", "invoice"],
    ]);
    client.close();
    await server.server.stop();
    const met = '{ "invoice": { "config": { "type": 2, "length": 3 }, "current": 5 } }';
    expect(await messageOf(() => run(goFile(met), {}, dataDir))).toBe(
      "CannotStart: 'invoice' was deleted at 1: its numbers may be in use. " +
        "Nothing was imported: name another folder",
    );
    const same = '{ "order_id": { "config": { "type": 3 }, "current": 41000 } }';
    await run(goFile(same), {}, dataDir);
    expect(await taken(dataDir, "order_id")).toEqual(["50001"]);
  });

  test.skipIf(process.getuid?.() !== 0)(
    "run by root it leaves the folder to its owner",
    async () => {
      const dataDir = temporaryFolder();
      chownSync(dataDir, NOBODY, NOBODY);
      await run(goFile(usual), {}, dataDir);
      for (const file of readdirSync(dataDir)) {
        expect([file, statSync(join(dataDir, file)).uid]).toEqual([file, NOBODY]);
      }
    },
  );

  test.each([
    ["[]", /is no dispensers.json/],
    ["{", /^CannotStart: cannot read /],
    ['{ "x": {} }', /'x' has no config, or no current number/],
    ['{ "x": { "config": { "type": 3 }, "current": -1 } }', /'x' has no config, or no current/],
    ['{ "a b": { "config": { "type": 3 }, "current": 1 } }', /'a b' cannot be a dispenser's name/],
    [
      '{ "x": { "config": { "type": 2 }, "current": 1 } }',
      /'x': length field is required: nothing/,
    ],
  ])("%s is refused", async (text, reason) => {
    expect(await messageOf(() => run(goFile(text)))).toMatch(reason);
  });

  test("what is no file is not waited for", async () => {
    const fifo = join(temporaryFolder(), "fifo");
    makeFifo(fifo);
    expect(await messageOf(() => run(fifo))).toBe(
      `CannotStart: cannot read ${fifo}: it is not a regular file (EINVAL)`,
    );
  });

  test("is for a node alone, and needs something to read", async () => {
    const server = await ServerProcess.start({ args: ["-node", "1/2"] });
    await server.end("SIGTERM");
    expect(await messageOf(() => run(goFile(usual), {}, server.dataDir))).toContain(
      "the data folder is that of one node of several",
    );
    expect(await messageOf(() => run(undefined))).toBe(
      "UsageError: import needs FILE, or -redis URL; see import -help",
    );
    expect(await messageOf(() => run("x", { redis: "redis://a:1" }))).toBe(
      "UsageError: -redis has no use beside FILE: it is for the counters of a Redis",
    );
    expect(await messageOf(() => run("x", { strategy: "memory" }))).toStartWith(
      "UsageError: -strategy has no use beside FILE",
    );
    expect(await messageOf(() => run("x", { margin: "1.5" }))).toContain("-margin: '1.5' must be");
  });
});

describe.skipIf(noRedis !== undefined)("import of a Redis's counters", () => {
  const port = freePort();
  const url = `redis://127.0.0.1:${port}`;
  let redis: Bun.Subprocess;

  beforeAll(async () => {
    redis = Bun.spawn(
      ["redis-server", "--port", `${port}`, "--save", "", "--dir", temporaryFolder()],
      {
        stdout: "ignore",
      },
    );
    endOnExit(redis);
    await succeeds(async () => {
      const client = await TestClient.connect(port);
      await client.command("SET", "orders:count", "41");
      for (let count = 0; count < 9; count++) await client.command("INCR", "orders:count");
      await client.command("SET", "users", "9223372036854775807");
      await client.command("SET", "almost", "9223372036854775806");
      await client.command("SET", "minus:one", "-1");
      await client.command("SET", "minus:two", "-2");
      await client.command("SET", "past", "9223372036854775808");
      await client.command("SET", "text", "hello");
      await client.command("LPUSH", "list", "1");
      client.close();
    });
  });

  afterAll(async () => {
    redis.kill();
    await redis.exited;
  });

  test("makes lines above their values", async () => {
    const dataDir = temporaryFolder();
    const report = await run(
      undefined,
      { redis: url, margin: "10", strategy: "pre_close" },
      dataDir,
    );
    expect(report).toContain("imported 4 dispensers");
    expect(report).toContain("\n  minus:two: left out, its next number is below 0");
    expect(report).toContain("  orders:count: type 3, pre_close, next 61");
    const [orders, users] = await taken(dataDir, "orders:count", "users");
    expect(orders).toBe("61");
    expect(users).toContain("number range exhausted");
  });

  test("hands out no number again, without a margin, too", async () => {
    const dataDir = temporaryFolder();
    const report = await run(
      undefined,
      { redis: url, margin: "0", strategy: "PRE-CLOSE" },
      dataDir,
    );
    expect(report).toContain("  users: type 3, pre_close, at its end");
    const names = ["orders:count", "almost", "minus:one", "users", "past"];
    const [orders, almost, minusOne, users, past] = await taken(dataDir, ...names);
    expect([orders, almost, minusOne]).toEqual(["51", "9223372036854775807", "0"]);
    expect(users).toContain("number range exhausted");
    expect(past).toContain("dispenser not found");
  });

  test("of those that fit a pattern", async () => {
    const flags = { redis: url, match: "orders:*" };
    expect(await run(undefined, flags)).toContain("imported 1 dispensers");
  });

  test("says what cannot be reached, or is no strategy", async () => {
    expect(await messageOf(() => run(undefined, { redis: "redis://127.0.0.1:1" }))).toMatch(
      /^CannotStart: cannot read the counters of redis:\/\/127.0.0.1:1: /,
    );
    expect(await messageOf(() => run(undefined, { redis: url, strategy: "none" }))).toMatch(
      /^UsageError: -strategy: 'none' must be one of memory, /,
    );
  });
});
