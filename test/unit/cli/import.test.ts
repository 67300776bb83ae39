import { describe, expect, test } from "bun:test";
import { chownSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { importDispensers } from "../../../src/cli/import.ts";
import { openSqliteStore } from "../../../src/storage/sqlite.ts";
import { makeFifo, temporaryFolder } from "../../../testkit/folder.ts";
import { ServerProcess } from "../../../testkit/process.ts";
import { TestClient } from "../../../testkit/resp.ts";
import { messageOf } from "../../support/message-of.ts";
import { startLocal } from "../../support/server.ts";
import { taken } from "../../support/taken.ts";

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

const run = async (
  file: string | undefined,
  flags: Record<string, string> = {},
  dataDir = temporaryFolder(),
) => {
  const said = await importDispensers(file, new Map(Object.entries(flags)), {
    ...options,
    dataDir,
  });
  return said.text;
};

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
      "  session: left out, random letters, of which the file does not tell which were handed out: codes as long could " +
        "repeat them; define type code with another length than 32",
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
      "CannotStart: nothing was imported, because 1 of 5 cannot be (-skip imports the others): " +
        "'invoice': it is there already, and import overwrites nothing",
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
    expect(await messageOf(() => run(wrong))).toContain(
      "'x': it has no config, or no current number",
    );
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
      "CannotStart: nothing was imported, because 1 of 1 cannot be (-skip imports the others): " +
        "'invoice': 'invoice' was deleted at 1: its numbers may be in use",
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
    ['{ "x": {} }', /'x': it has no config, or no current number/],
    ['{ "x": { "config": { "type": 3 }, "current": -1 } }', /'x': it has no config, or no current/],
    [
      '{ "a b": { "config": { "type": 3 }, "current": 1 } }',
      /'a b': it cannot be a name here: a name is 1 to 255 bytes/,
    ],
    ['{ "x": { "config": { "type": 2 }, "current": 1 } }', /'x': length field is required$/],
  ])("%s is refused", async (text, reason) => {
    expect(await messageOf(() => run(goFile(text)))).toMatch(reason);
  });

  test("with -skip imports what can be, and lists the rest, as JSON, too", async () => {
    const dataDir = temporaryFolder();
    await run(goFile('{ "there": { "config": { "type": 3 }, "current": 5 } }'), {}, dataDir);
    const file = goFile(`{
      "a b": { "config": { "type": 3 }, "current": 1 }, "none": {},
      "short": { "config": { "type": 2 }, "current": 1 },
      "there": { "config": { "type": 3 }, "current": 9 },
      "good": { "config": { "type": 3 }, "current": 7 }
    }`);
    const report = await run(file, { skip: "", json: "", margin: "1" }, dataDir);
    expect(JSON.parse(report)).toEqual({
      margin: "1",
      imported: [{ name: "good", type: 3, auto_disk: "elegant_close", next: "8" }],
      left_out: [
        { name: "none", reason: "it has no config, or no current number" },
        { name: "a b", reason: expect.stringMatching(/^it cannot be a name here/) },
        { name: "short", reason: "length field is required" },
        { name: "there", reason: "it is there already, and import overwrites nothing" },
      ],
    });
    expect(await taken(dataDir, "good", "there")).toEqual(["8", "1005"]);
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
