/** `repair` on what a SIGKILL and somebody's help after it left. */

import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { repair } from "../../../src/cli/repair.ts";
import { crashCopy, temporaryFolder } from "../../../testkit/folder.ts";
import { fromSource, ServerProcess } from "../../../testkit/process.ts";
import { TestClient } from "../../../testkit/resp.ts";

const FILE = "number-dispenser.db";
const options = { create: true, allowNetworkFileSystem: false };
const margin = (numbers: number) =>
  new Map([
    ["margin", String(numbers)],
    ["confirm", ""],
  ]);
const none = new Map<string, string>();

const saidBy = (work: () => string) => {
  try {
    return work();
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`;
  }
};

/** A folder whose server was killed; x has handed out 0 to 49, and m 0 to 9. */
async function killed(): Promise<string> {
  const server = await ServerProcess.start();
  const client = await TestClient.connect(server.port);
  await client.command("HSET", "x", "type", "3");
  await client.command("HSET", "m", "type", "3", "auto_disk", "pre_close");
  for (let count = 0; count < 10; count++) await client.command("GET", "m");
  for (let count = 0; count < 50; count++) await client.command("GET", "x");
  await server.end("SIGKILL");
  return server.dataDir;
}

/** What a program does that opens a database, looks at it and closes it. */
function look(dataDir: string, sql = "SELECT count(*) FROM definitions"): void {
  const database = new Database(join(dataDir, FILE));
  database.query(sql).all();
  database.close(true);
}

const refused = (dataDir: string) => ServerProcess.run({ dataDir });

/** The files of a folder and their bytes. */
const contentOf = (dataDir: string) =>
  readdirSync(dataDir)
    .sort()
    .map((name) => [name, readFileSync(join(dataDir, name)).toString("base64")]);

function overwrite(path: string, at: number): void {
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.fill("damage", at, at + 512));
}

/** The next number of x after a start. */
async function nextOf(dataDir: string): Promise<number> {
  const server = await ServerProcess.start({ dataDir });
  const next = await (await TestClient.connect(server.port)).command("GET", "x");
  expect(await server.end("SIGTERM")).toBe(0);
  return Number(next);
}

describe("a database whose log is gone after a crash", () => {
  test("as another program moved it: nothing is lost, and it says so", async () => {
    const dataDir = await killed();
    look(dataDir);
    expect(existsSync(join(dataDir, `${FILE}-wal`))).toBe(false);
    expect((await refused(dataDir)).log).toMatch(/'number-dispenser repair' says whether they do/);
    const said = Bun.spawnSync([...fromSource, "repair", "-data", dataDir]);
    expect([said.exitCode, said.stdout.toString()]).toEqual([
      0,
      expect.stringMatching(/^repaired: .* is gone, but all that it held is in the database/),
    ]);
    expect(readdirSync(dataDir).filter((name) => /-wal/.test(name))).toEqual([]);
    expect(await nextOf(dataDir)).toBe(50);
  });

  test.skipIf(Bun.which("sqlite3") === null)("the same with SQLite's own tool", async () => {
    const dataDir = await killed();
    const tool = Bun.spawnSync(["sqlite3", join(dataDir, FILE), "SELECT name FROM definitions"]);
    expect(tool.stdout.toString().split("\n").sort()).toEqual(["", "m", "x"]);
    expect(existsSync(join(dataDir, `${FILE}-wal`))).toBe(false);
    expect(saidBy(() => repair(dataDir, none, options))).toMatch(/^repaired: .*Nothing is lost/);
    expect(await nextOf(dataDir)).toBe(50);
  });

  test("as somebody removed it: it is put back", async () => {
    const dataDir = await killed();
    rmSync(join(dataDir, `${FILE}-wal`));
    await refused(dataDir);
    expect(saidBy(() => repair(dataDir, none, options))).toMatch(
      /^repaired: .* was removed, and is put back .*Nothing is lost/,
    );
    expect(saidBy(() => repair(dataDir, none, options))).toMatch(/^nothing to repair: .*is there/);
    expect(await nextOf(dataDir)).toBe(50);
  });

  test("as it was removed under the running server, too", async () => {
    const server = await ServerProcess.start();
    const client = await TestClient.connect(server.port);
    await client.command("HSET", "x", "type", "3");
    expect(await client.command("GET", "x")).toBe("0");
    rmSync(join(server.dataDir, `${FILE}-wal`));
    expect(await server.exited()).toBe(78);
    expect(saidBy(() => repair(server.dataDir, none, options))).toMatch(/put back/);
    expect(await nextOf(server.dataDir)).toBeGreaterThan(0);
  });

  const doubts: [string, (dataDir: string) => void][] = [
    [
      "with both of its names",
      (dataDir) => {
        for (const suffix of ["-wal", "-wal-kept"]) rmSync(join(dataDir, FILE + suffix));
      },
    ],
    ["cut", (dataDir) => truncateSync(join(dataDir, `${FILE}-wal`), 0)],
    [
      "and an older database put in its place",
      (dataDir) => {
        const path = join(dataDir, FILE);
        const older = readFileSync(path);
        rmSync(`${path}-wal`);
        rmSync(path);
        writeFileSync(path, older);
      },
    ],
    [
      "while the database was written to",
      (dataDir) => {
        const path = join(dataDir, FILE);
        rmSync(`${path}-wal`);
        copyFileSync(path, `${path}.copy`);
        copyFileSync(`${path}.copy`, path);
        rmSync(`${path}.copy`);
      },
    ],
  ];
  test.each(doubts)("%s: it is not proven, and needs a margin", async (_, damage) => {
    const dataDir = await killed();
    damage(dataDir);
    const before = readFileSync(join(dataDir, FILE));
    const names = readdirSync(dataDir).sort();
    expect(saidBy(() => repair(dataDir, none, options))).toMatch(
      /^CannotStart: .* it is missing or empty; what was committed last may be lost, .* -margin N -confirm/,
    );
    expect(saidBy(() => repair(dataDir, new Map([["margin", "100"]]), options))).toMatch(
      /^UsageError: repair needs -confirm: /,
    );
    expect(readdirSync(dataDir).sort()).toEqual(names);
    expect(readFileSync(join(dataDir, FILE)).equals(before)).toBe(true);
    const said = saidBy(() => repair(dataDir, margin(1000), options));
    expect(said).toMatch(/Repaired: \d+ dispensers, each line moved ahead by 1000 numbers/);
    const aside = /what was there is in (.*)$/.exec(said)![1]!;
    expect(readFileSync(join(aside, FILE)).equals(before)).toBe(true);
    expect(readdirSync(dataDir).sort()).toEqual([
      aside.slice(dataDir.length + 1),
      FILE,
      ...names.filter((name) => name.endsWith(".pid")),
    ]);
    expect(statSync(join(dataDir, FILE)).mode & 0o777).toBe(0o600);
    const next = await ServerProcess.start({ dataDir });
    // Nothing of the lines was in the main file yet.
    expect(next.log).not.toContain("copied");
    expect(await next.end("SIGTERM")).toBe(0);
  });
});

test("a log with a damaged frame is used as far as it goes, and its lines move ahead", async () => {
  const dataDir = await killed();
  const wal = join(dataDir, `${FILE}-wal`);
  const bytes = readFileSync(wal);
  bytes[32 + 20 * (24 + 4096) + 1000]! ^= 1;
  writeFileSync(wal, bytes);
  expect((await refused(dataDir)).log).toMatch(/frame 21 of it is damaged, and commits follow/);
  expect(saidBy(() => repair(dataDir, none, options))).toMatch(/frame 21 of it is damaged/);
  expect(saidBy(() => repair(dataDir, margin(1000), options))).toMatch(/Repaired: 2 dispensers/);
  const next = await nextOf(dataDir);
  expect(next).toBeGreaterThanOrEqual(1000);
  expect(next).toBeLessThan(1050);
});

describe("what needs no repair", () => {
  test("is said to: a crash with its log, a clean stop", async () => {
    const dataDir = await killed();
    expect(saidBy(() => repair(dataDir, margin(5), options))).toMatch(/^nothing to repair: /);
    expect(await nextOf(dataDir)).toBe(50);
    expect(saidBy(() => repair(dataDir, none, options))).toMatch(/^nothing to repair: .*closed it/);
    expect(await nextOf(dataDir)).toBe(51);
  });

  const damages: [string, (dataDir: string) => void][] = [
    ["by its pages", (dataDir) => overwrite(join(dataDir, FILE), 4096)],
    [
      "by its rows",
      (dataDir) => {
        const database = new Database(join(dataDir, FILE));
        database.run("UPDATE definitions SET auto_disk = 'x'");
        database.close();
      },
    ],
  ];
  test.each(damages)("is not said to where a start refuses the database: %s", async (_, damage) => {
    const server = await ServerProcess.start();
    const client = await TestClient.connect(server.port);
    await client.command("HSET", "x", "type", "3");
    await server.end("SIGTERM");
    const { dataDir } = server;
    damage(dataDir);
    const { log } = await refused(dataDir);
    expect(log).toMatch(/is damaged: /);
    const before = contentOf(dataDir);
    const said = Bun.spawnSync([...fromSource, "repair", "-data", dataDir]);
    expect([said.exitCode, said.stderr.toString()]).toEqual([1, log]);
    expect(contentOf(dataDir)).toEqual(before);
  });

  test("nor after a crash, and its write-ahead log stays", async () => {
    const dataDir = await killed();
    const whole = contentOf(dataDir);
    expect(saidBy(() => repair(dataDir, none, options))).toMatch(/^nothing to repair: /);
    expect(contentOf(dataDir)).toEqual(whole);
    const pages = statSync(join(dataDir, FILE)).size / 4096;
    for (let page = 1; page < pages; page++) overwrite(join(dataDir, FILE), page * 4096);
    const before = contentOf(dataDir);
    expect((await refused(dataDir)).log).toMatch(/is damaged: /);
    expect(saidBy(() => repair(dataDir, none, options))).toMatch(
      /^CannotStart: .* is damaged: .*; restore a backup$/,
    );
    expect(contentOf(dataDir)).toEqual(before);
  });

  test("or cannot be, is refused", async () => {
    const dataDir = await killed();
    const copy = crashCopy(dataDir);
    const server = await ServerProcess.start({ dataDir: copy });
    expect(saidBy(() => repair(copy, none, options))).toBe(
      `CannotStart: data folder ${copy} is in use by process ${server.pid}`,
    );
    expect(await server.end("SIGTERM")).toBe(0);
    const empty = temporaryFolder();
    expect(saidBy(() => repair(empty, none, options))).toBe(
      `CannotStart: ${join(empty, FILE)} does not exist: restore a backup`,
    );
    expect(saidBy(() => repair(join(empty, "none"), none, options))).toMatch(/does not exist/);
    writeFileSync(join(empty, FILE), "x".repeat(5000));
    expect(saidBy(() => repair(empty, none, options))).toMatch(/is damaged: .*; restore a backup/);
    expect(saidBy(() => repair(empty, new Map([["margin", "1e3"]]), options))).toMatch(
      /^UsageError: -margin: '1e3' must be/,
    );
  });
});
