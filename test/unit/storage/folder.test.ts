import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { holderOf, lockFolder, markOwner, prepareFolder } from "../../../src/storage/folder.ts";
import { openSqliteStore } from "../../../src/storage/sqlite.ts";
import { makeFifo, temporaryFolder } from "../../../testkit/folder.ts";
import { fromSource, ServerProcess } from "../../../testkit/process.ts";

const options = { create: true, allowNetworkFileSystem: false };
const PID_FILE = "number-dispenser.pid";

/** The user that every system has. */
const NOBODY = 65534;
const asNobody = (program: readonly string[]) => [
  ...["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"],
  ...program,
];
const isNobodyAble =
  Bun.which("setpriv") !== null &&
  Bun.spawnSync(asNobody([...fromSource, "-version"])).exitCode === 0;

const permissionsOf = (path: string) => (statSync(path).mode & 0o7777).toString(8);

test("a folder is made with all that is missing above it", () => {
  const folder = join(temporaryFolder(), "a", "b", "c");
  prepareFolder(folder, options);
  expect(existsSync(folder)).toBe(true);
  expect(prepareFolder(folder, options)).toEqual([]);
});

describe("permissions", () => {
  test.each([0, 0o022, 0o077])("are its user's alone, with the umask %d too", (umask) => {
    const folder = join(temporaryFolder(), "above", "data");
    const before = process.umask(umask);
    try {
      const store = openSqliteStore(folder, options);
      for (const _ of store.load());
      expect(permissionsOf(folder)).toBe("700");
      const files = readdirSync(folder).sort();
      const DATABASE = "number-dispenser.db";
      expect(files).toEqual([DATABASE, `${DATABASE}-wal`, `${DATABASE}-wal-kept`, PID_FILE]);
      for (const file of files)
        expect([file, permissionsOf(join(folder, file))]).toEqual([file, "600"]);
      store.close();
    } finally {
      process.umask(before);
    }
  });

  test("of a folder that is there stay, and are warned of where everybody may write", async () => {
    const folder = temporaryFolder();
    chmodSync(folder, 0o750);
    expect(prepareFolder(folder, options)).toEqual([]);
    chmodSync(folder, 0o777);
    const server = await ServerProcess.start({ dataDir: folder });
    expect(server.log).toContain(
      `every user of this machine may write to the data folder ${folder} (mode 0777): chmod o-w it`,
    );
    expect(permissionsOf(folder)).toBe("777");
    expect(await server.end("SIGTERM")).toBe(0);
  });
});

test("a link to a folder that is not there is refused as what it is", () => {
  const [folder, elsewhere] = [join(temporaryFolder(), "data"), join(temporaryFolder(), "none")];
  symlinkSync(elsewhere, folder);
  for (const path of [folder, join(folder, "below")]) {
    expect(() => prepareFolder(path, options)).toThrow(
      `data folder ${path}: ${folder} is a link to ${elsewhere}, which does not exist; ` +
        "make that folder (a mount that is missing?), or remove the link",
    );
  }
  mkdirSync(elsewhere);
  expect(prepareFolder(folder, options)).toEqual([]);
});

describe("the lock on the folder", () => {
  test("keeps a second server out of a folder that was emptied", async () => {
    const server = await ServerProcess.start();
    const { dataDir } = server;
    for (const entry of readdirSync(dataDir)) rmSync(join(dataDir, entry));
    const message = `data folder ${dataDir} is in use by process ${server.pid}`;
    expect(() => openSqliteStore(dataDir, options)).toThrow(message);
    expect(readdirSync(dataDir)).toEqual([]);
    expect(await server.exited()).toBe(78);
  });

  test("ends with the store, and with a start that was refused", () => {
    const folder = temporaryFolder();
    for (let times = 0; times < 2; times++) {
      expect(() => openSqliteStore(folder, { ...options, create: false })).toThrow(
        /storage.create/,
      );
      const store = openSqliteStore(folder, options);
      for (const _ of store.load());
      expect(() => lockFolder(folder)).toThrow(/is in use by another program/);
      store.close();
      rmSync(join(folder, "number-dispenser.db"));
    }
  });
});

describe("who has a folder", () => {
  const other = (file: string) => `another program (fuser ${file} shows it)`;

  test("is told by the lock alone: the file of it may be stale", () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, PID_FILE), "1\n");
    expect(holderOf(folder, folder)).toBe(other(folder));
  });

  test("is never the process that asks", () => {
    const folder = temporaryFolder();
    markOwner(folder);
    const lock = lockFolder(folder);
    expect(holderOf(folder, folder)).toBe(other(folder));
    closeSync(lock);
  });

  test("is the program that has the database open, which locks no folder", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "number-dispenser.db");
    const store = openSqliteStore(folder, options);
    for (const _ of store.load());
    store.close();
    const holding = `
      const { Database } = require("bun:sqlite");
      const database = new Database(process.argv[1]);
      database.query("SELECT count(*) FROM definitions").get();
      console.log("holds it");
      setInterval(() => {}, 1000);
    `;
    const holder = Bun.spawn([process.execPath, "-e", holding, path], { stdout: "pipe" });
    await holder.stdout.getReader().read();
    try {
      expect(() => openSqliteStore(folder, options)).toThrow(
        `data folder ${folder} is in use by process ${holder.pid}`,
      );
    } finally {
      holder.kill();
      await holder.exited;
    }
  });

  test("is written anew, never through a link or into what others left, and nothing waits", () => {
    const folder = temporaryFolder();
    const path = join(folder, PID_FILE);
    const victim = join(temporaryFolder(), "victim");
    writeFileSync(victim, "mine");
    const leftovers = [
      () => symlinkSync(victim, path),
      () => makeFifo(path),
      () => writeFileSync(path, "1\n", { mode: 0o400 }),
    ];
    for (const leave of leftovers) {
      leave();
      holderOf(folder, folder);
      markOwner(folder);
      expect(lstatSync(path).isFile()).toBe(true);
      expect(readFileSync(path, "utf8")).toBe(`${process.pid}\n`);
      rmSync(path);
    }
    mkdirSync(path);
    markOwner(folder);
    expect(holderOf(folder, folder)).toBe(other(folder));
    expect(lstatSync(victim).size).toBe(4);
  });

  test.skipIf(!isNobodyAble)("that root's run left keeps nobody from starting", async () => {
    const folder = temporaryFolder();
    const store = openSqliteStore(folder, options);
    for (const _ of store.load());
    store.close();
    writeFileSync(join(folder, PID_FILE), "1\n", { mode: 0o600 });
    for (const path of [folder, join(folder, "number-dispenser.db")])
      chownSync(path, NOBODY, NOBODY);
    const server = await ServerProcess.start({ dataDir: folder, program: asNobody(fromSource) });
    expect(statSync(join(folder, PID_FILE)).uid).toBe(NOBODY);
    expect(await server.end("SIGTERM")).toBe(0);
  });
});
