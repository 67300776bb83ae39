import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { backUp } from "../../../src/cli/backup.ts";
import { restore } from "../../../src/cli/restore.ts";
import { Engine } from "../../../src/engine/engine.ts";
import { LocalCatalog } from "../../../src/engine/local-catalog.ts";
import { checkBackup } from "../../../src/storage/backup.ts";
import { openSqliteStore } from "../../../src/storage/sqlite.ts";
import { makeFifo, temporaryFolder } from "../../../testkit/folder.ts";
import { ServerProcess } from "../../../testkit/process.ts";
import { ReplyError, TestClient } from "../../../testkit/resp.ts";
import { messageOf } from "../../support/message-of.ts";
import { startLocal } from "../../support/server.ts";
import { serverAt } from "../../support/server-settings.ts";

const create = { create: true, allowNetworkFileSystem: false };
const into = (dataDir: string) => ({ ...create, dataDir });
const margin = (numbers: number) =>
  new Map([
    ["margin", String(numbers)],
    ["confirm", ""],
  ]);

const startOnDisk = (dataDir = join(temporaryFolder(), "data")) => ({
  ...startLocal(openSqliteStore(dataDir, create)),
  dataDir,
});

/** A backup of lines in every strategy, each of which has handed out 0 to 9. */
async function makeBackup(): Promise<string> {
  const { port, server: listener } = startOnDisk();
  const client = await TestClient.connect(port);
  for (const strategy of ["memory", "pre-base", "pre-checkpoint", "elegant_close", "pre_close"]) {
    await client.command("HSET", strategy, "type", "3", "auto_disk", strategy);
    await client.pipeline(Array.from({ length: 10 }, () => ["GET", strategy]));
  }
  await client.command("HSET", "retired", "type", "3");
  await client.command("ADVANCE", "retired", String(2n ** 63n - 1n), "FORCE");
  await client.command("HSET", "short", "type", "2", "length", "2");
  await client.command("HSET", "random", "type", "1", "length", "6");
  const file = join(temporaryFolder(), "backup.db");
  expect(await client.command("BACKUP", file)).toBe("OK");
  client.close();
  await listener.stop();
  return file;
}

describe("BACKUP", () => {
  test("copies what is committed, what came before it in the pipeline too, and locks stay", async () => {
    const { port, server: listener, dataDir } = startOnDisk();
    const client = await TestClient.connect(port);
    const file = join(temporaryFolder(), "backup.db");
    expect(
      await client.pipeline([
        ["HSET", "x", "type", "3"],
        ["BACKUP", file],
        ["GET", "x"],
      ]),
    ).toEqual([1, "OK", "0"]);
    expect(checkBackup(file)).toBe(1);
    expect(readdirSync(dirname(file))).toEqual([basename(file)]);
    const second = await ServerProcess.run({ dataDir });
    expect(second.log).toContain(`is in use by process ${process.pid}`);
    client.close();
    await listener.stop();
  });

  test("overwrites nothing, and says what it cannot do", async () => {
    const { port, server: listener } = startOnDisk();
    const client = await TestClient.connect(port);
    const folder = temporaryFolder();
    const file = join(folder, "present");
    writeFileSync(file, "mine");
    const cases: [string, string][] = [
      ["backup.db", "ERR BACKUP needs an absolute path in UTF-8, not 'backup.db'"],
      [file, `ERR cannot back up to '${file}': file already exists (EEXIST)`],
      [
        `${folder}/none/x`,
        `ERR cannot back up to '${folder}/none/x': no such file or directory (ENOENT)`,
      ],
    ];
    for (const [path, message] of cases)
      expect(await client.command("BACKUP", path)).toEqual(new ReplyError(message));
    expect(readFileSync(file, "utf8")).toBe("mine");
    expect(readdirSync(folder)).toEqual(["present"]);
    client.close();
    await listener.stop();
  });

  test("of two at a time the second is refused; the clean close ends it and leaves nothing", async () => {
    const store = openSqliteStore(temporaryFolder(), create);
    const engine = new Engine(store, { now: () => 0, savesCounts: false });
    const folder = temporaryFolder();
    const first = messageOf(() => engine.backUp(join(folder, "a")));
    expect(await messageOf(() => engine.backUp(join(folder, "b")))).toBe(
      "DiskUnavailable: a backup is under way",
    );
    expect(await first).toBe("no error");
    const ended = messageOf(() => engine.backUp(join(folder, "c")));
    engine.close();
    expect(await ended).toBe("DiskUnavailable: the server is being stopped");
    expect(readdirSync(folder)).toEqual(["a"]);
  });

  test("is ended before the log outgrows the disk", async () => {
    const store = openSqliteStore(temporaryFolder(), create);
    const engine = new Engine(store, { now: () => 0, savesCounts: false });
    for (let line = 0; line < 70_000; line++)
      new LocalCatalog(engine).define(`line:${line}`, new Map([["type", "3"]]));
    const folder = temporaryFolder();
    const ended = messageOf(() => engine.backUp(join(folder, "a")));
    expect(engine.commit()).toBeUndefined();
    expect(engine.maintain()).toBeUndefined();
    expect(await ended).toMatch(/^DiskUnavailable: the write-ahead log grew too long meanwhile/);
    expect(readdirSync(folder)).toEqual([]);
    engine.close();
  });

  test("lets a large database be copied while numbers leave and the log grows", async () => {
    const { port, engine, server: listener } = startOnDisk();
    for (let line = 0; line < 60_000; line++)
      new LocalCatalog(engine).define(`line:${line}`, new Map([["type", "3"]]));
    expect(engine.commit()).toBeUndefined();
    const client = await TestClient.connect(port);
    const file = join(temporaryFolder(), "backup.db");
    let isDone = false;
    const backup = backUp(file, serverAt(port), {}).then((line) => {
      isDone = true;
      return line;
    });
    const before = Number(await client.command("GET", "line:7"));
    let last = before;
    while (!isDone) last = Number(await client.command("GET", "line:7"));
    expect(last).toBeGreaterThan(before);
    expect(await backup).toStartWith(`backup of 60000 dispensers: ${file} (`);
    expect(await client.command("INFO", "clients")).toContain("blocked_clients:0\r\n");
    client.close();
    await listener.stop();
  });
});

describe("a backup", () => {
  test("is no database to start on", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "number-dispenser.db"), readFileSync(await makeBackup()));
    expect(await messageOf(() => openSqliteStore(folder, create))).toMatch(
      /is a backup, and repeats numbers handed out since it was made: number-dispenser restore/,
    );
  });

  test("is restored with every line moved ahead by the margin, to its end at most", async () => {
    const file = await makeBackup();
    const dataDir = join(temporaryFolder(), "new");
    expect(restore(file, margin(1000), into(dataDir))).toStartWith(
      `restored 8 dispensers into ${dataDir}/number-dispenser.db, each line moved ahead by 1000 numbers`,
    );
    expect(readdirSync(dataDir)).toEqual(["number-dispenser.db"]);
    const store = openSqliteStore(dataDir, create);
    expect(store.crashed).toBe(false);
    const engine = new Engine(store, { now: () => 0, savesCounts: false });
    for (const strategy of ["pre-base", "pre-checkpoint", "elegant_close", "pre_close"]) {
      const { current, counts, position } = engine.find(strategy)!;
      expect(Number(current)).toBeGreaterThanOrEqual(1010);
      expect(Number(current)).toBeLessThanOrEqual(1020);
      expect(position).toBe(counts.generated + counts.wasted);
    }
    expect(engine.find("memory")!.current).toBe("1000");
    expect(engine.find("short")!.nextBytes).toBe(0);
    expect(engine.find("retired")!.counts).toEqual({ generated: 0n, wasted: 2n ** 63n });
    expect(engine.find("random")!.nextBytes).toBe(6);
    engine.close();
  });

  test("is restored for this user alone, and not beside a server on an emptied folder", async () => {
    const file = await makeBackup();
    chmodSync(file, 0o644);
    const dataDir = join(temporaryFolder(), "new");
    restore(file, margin(0), into(dataDir));
    const modes = [dataDir, join(dataDir, "number-dispenser.db")].map(
      (path) => statSync(path).mode,
    );
    expect(modes.map((mode) => mode & 0o777)).toEqual([0o700, 0o600]);
    const store = openSqliteStore(dataDir, create);
    for (const _ of store.load());
    for (const entry of readdirSync(dataDir)) rmSync(join(dataDir, entry));
    expect(await messageOf(() => restore(file, margin(0), into(dataDir)))).toBe(
      `CannotStart: data folder ${dataDir} is in use by another program (fuser ${dataDir} shows it)`,
    );
  });

  test("is not restored without a margin, the word, or over a database", async () => {
    const file = await makeBackup();
    const dataDir = join(temporaryFolder(), "new");
    const refused = (flags: Record<string, string>) =>
      messageOf(() => restore(file, new Map(Object.entries(flags)), into(dataDir)));
    expect(await refused({ confirm: "" })).toStartWith("UsageError: restore needs -margin N: ");
    expect(await refused({ margin: "1" })).toMatch(/needs -confirm: .* ADVANCE name number/);
    expect(await refused({ margin: "1e3", confirm: "" })).toBe(
      "UsageError: -margin: '1e3' must be a whole number from 0 to 9223372036854775807",
    );
    expect(existsSync(dataDir)).toBe(false);
    restore(file, margin(0), into(dataDir));
    expect(await messageOf(() => restore(file, margin(0), into(dataDir)))).toBe(
      `CannotStart: ${dataDir}/number-dispenser.db exists: restore overwrites nothing; ` +
        "name another folder, or move it away",
    );
  });

  test("that is none, damaged, or of a newer version is refused, and no folder is made", async () => {
    const good = readFileSync(await makeBackup());
    const folder = temporaryFolder();
    const file = join(folder, "backup.db");
    const dataDir = join(folder, "new");
    const refused = (bytes: Buffer) => {
      writeFileSync(file, bytes);
      return messageOf(() => restore(file, margin(1), into(dataDir)));
    };
    const changed = (change: (bytes: Buffer) => void) => {
      const bytes = Buffer.from(good);
      change(bytes);
      return bytes;
    };
    expect(await refused(Buffer.from("x".repeat(5000)))).toMatch(/cannot read the backup .*NOTADB/);
    expect(await refused(changed((bytes) => bytes.writeUInt32BE(7, 68)))).toMatch(
      /is not a backup: BACKUP, or number-dispenser backup, makes one$/,
    );
    expect(await refused(changed((bytes) => bytes.writeUInt32BE(99, 60)))).toMatch(/newer/);
    expect(await refused(changed((bytes) => bytes.fill(0xa5, 8192, 12288)))).toMatch(/damaged/);
    expect(await messageOf(() => restore(join(folder, "none"), margin(1), into(dataDir)))).toMatch(
      /cannot read the backup .*none: /,
    );
    makeFifo(join(folder, "fifo"));
    expect(await messageOf(() => restore(join(folder, "fifo"), margin(1), into(dataDir)))).toMatch(
      /cannot read the backup .*fifo: it is not a regular file/,
    );
    expect(existsSync(dataDir)).toBe(false);
    mkdirSync(dataDir);
    writeFileSync(join(dataDir, "number-dispenser.db-wal"), "x");
    writeFileSync(file, good);
    expect(await messageOf(() => restore(file, margin(1), into(dataDir)))).toMatch(/-wal exists/);
  });
});

test("number-dispenser backup without a server says where it looked", async () => {
  const { port, server: listener } = startOnDisk();
  await listener.stop();
  expect(await messageOf(() => backUp("x.db", serverAt(port), {}))).toBe(
    `CannotStart: nothing listens on 127.0.0.1:${port}`,
  );
});

test("a backup stays readable by SQLite's own tools", async () => {
  const database = new Database(await makeBackup());
  expect(database.query("SELECT count(*) AS lines FROM definitions").get()).toEqual({ lines: 8 });
  database.close();
});
