import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import {
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import { crashCopy, temporaryFolder } from "../support/folder.ts";
import { definitionOf, describeStore, reservation, type StoreUnderTest } from "./conformance.ts";

const options = { create: true, allowNetworkFileSystem: false };
const FILE = "number-dispenser.db";

/** Each life is in a folder of its own, which is what the one before it left. */
function under(folder: string): StoreUnderTest {
  return {
    store: openSqliteStore(folder, options),
    reopen: () => under(crashCopy(folder)),
  };
}

describeStore("the store on SQLite", () => under(join(temporaryFolder(), "data")));

const line = definitionOf({ type: "3" });

/** A folder as a crash left it, with one line at position 5. */
function crashedFolder(): string {
  const folder = temporaryFolder();
  const store = openSqliteStore(folder, options);
  store.stage({ kind: "define", id: 1, name: "x", definition: line });
  store.stage(reservation(1, { account: { reserved: 5n, generated: 5n, wasted: 0n } }));
  store.commit();
  return crashCopy(folder);
}

/** A folder as a clean close left it. */
function closedFolder(): string {
  const folder = temporaryFolder();
  const store = openSqliteStore(folder, options);
  store.close();
  return folder;
}

const refusalOf = (folder: string, some = options) => {
  try {
    openSqliteStore(folder, some);
    return "opened";
  } catch (error) {
    return (error as Error).message;
  }
};

describe("the database file", () => {
  test("is durable by its settings: WAL, synchronous=FULL, no checkpoints by itself", () => {
    const folder = temporaryFolder();
    const store = openSqliteStore(folder, options);
    const { database } = store as unknown as { database: Database };
    const settings = ["journal_mode", "synchronous", "wal_autocheckpoint", "locking_mode"].map(
      (name) => Object.values(database.query(`PRAGMA ${name}`).get() as object)[0],
    );
    expect(settings).toEqual(["wal", 2n, 0n, "exclusive"]);
    store.close();
  });

  test("stands alone in its folder after a clean close", () => {
    expect(readdirSync(closedFolder())).toEqual([FILE]);
  });

  test("is moved out of the WAL now and then, so that the WAL stays small", () => {
    const folder = temporaryFolder();
    const store = openSqliteStore(folder, options);
    store.stage({ kind: "define", id: 1, name: "x", definition: line });
    for (let count = 0n; count < 6000n; count++) {
      store.stage(reservation(1, { account: { reserved: count, generated: count, wasted: 0n } }));
      store.commit();
      store.maintain();
    }
    const pages = Bun.file(join(folder, `${FILE}-wal`)).size / 4096;
    expect(pages).toBeLessThan(8000);
    store.close();
  });

  test("that a crash left unfinished while it was made is cleared away", () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, `${FILE}.unfinished-1`), "half");
    openSqliteStore(folder, options).close();
    expect(readdirSync(folder)).toEqual([FILE]);
  });
});

describe("the start is refused, and nothing is overwritten", () => {
  /** The folder as it was is the folder as it is. */
  const refuses = (folder: string, reason: RegExp, some = options) => {
    const names = readdirSync(folder).sort();
    const before = names.map((name) => readFileSync(join(folder, name), "latin1"));
    expect(refusalOf(folder, some)).toMatch(reason);
    const after = names.map((name) => readFileSync(join(folder, name), "latin1"));
    expect(after).toEqual(before);
  };

  test("without a database where create is false", () => {
    refuses(
      temporaryFolder(),
      /number-dispenser\.db does not exist, and storage\.create is false/,
      {
        ...options,
        create: false,
      },
    );
    const missing = join(temporaryFolder(), "mount", "data");
    expect(refusalOf(missing, { ...options, create: false })).toMatch(/does not exist/);
    expect(existsSync(missing)).toBe(false);
  });

  test("on a file that is no database", () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, FILE), "x".repeat(10_000));
    refuses(folder, /number-dispenser\.db is damaged: file is not a database/);
  });

  test("on an empty file", () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, FILE), "");
    refuses(folder, /is damaged, or not a Number Dispenser database/);
  });

  test("on a damaged page", () => {
    const folder = closedFolder();
    const path = join(folder, FILE);
    const bytes = readFileSync(path);
    bytes.fill(0xa5, 3 * 4096, 4 * 4096);
    writeFileSync(path, bytes);
    refuses(folder, /number-dispenser\.db is damaged: /);
  });

  test("on somebody else's database", () => {
    const folder = temporaryFolder();
    const other = new Database(join(folder, FILE), { create: true });
    other.run("CREATE TABLE t (a)");
    other.close();
    refuses(folder, /not a Number Dispenser database/);
  });

  test("on a database of a newer version", () => {
    const folder = closedFolder();
    const newer = new Database(join(folder, FILE));
    newer.run("PRAGMA user_version = 99");
    newer.close();
    refuses(
      folder,
      /written by a newer Number Dispenser: its schema version is 99, this one knows 1/,
    );
  });

  test.each(["missing", "empty"])("when the WAL is %s after an unclean stop", (what) => {
    const folder = crashedFolder();
    const wal = join(folder, `${FILE}-wal`);
    if (what === "missing") rmSync(wal);
    else truncateSync(wal, 0);
    refuses(folder, /its write-ahead log .*-wal is missing or empty/);
  });

  test("when the main file is missing and its WAL is there", () => {
    const folder = crashedFolder();
    rmSync(join(folder, FILE));
    refuses(folder, /number-dispenser\.db is missing, but its write-ahead log .* is there/);
  });

  test("when rows contradict each other", () => {
    const folder = temporaryFolder();
    const store = openSqliteStore(folder, options);
    store.stage({ kind: "define", id: 1, name: "x", definition: line });
    store.stage(reservation(1, { account: { reserved: 5n, generated: 9n, wasted: 0n } }));
    store.close();
    const again = openSqliteStore(folder, options);
    expect(() => [...again.load()]).toThrow(/is damaged: rows of 'x' contradict each other/);
  });

  test("when another connection has the folder", () => {
    const folder = temporaryFolder();
    const store = openSqliteStore(folder, options);
    expect(refusalOf(folder)).toBe(`data folder ${folder} is in use by process ${process.pid}`);
    store.close();
    openSqliteStore(folder, options).close();
  });

  test("when the folder is a file", () => {
    const path = join(temporaryFolder(), "file");
    writeFileSync(path, "");
    expect(refusalOf(path)).toBe(`data folder ${path} is not a folder`);
    expect(refusalOf(join(path, "data"))).toMatch(/cannot make data folder .*: not a directory/);
  });

  test("when the folder cannot be made", () => {
    expect(refusalOf("/proc/number-dispenser")).toMatch(/^cannot make data folder \/proc\//);
  });
});

test("after a crash the next life finds what was committed", () => {
  const store = openSqliteStore(crashedFolder(), options);
  expect(store.crashed).toBe(true);
  expect([...store.load()].map(({ name, account }) => [name, account?.reserved])).toEqual([
    ["x", 5n],
  ]);
  store.close();
});

test("a definition that cannot be written changes nothing", () => {
  const store = openSqliteStore(temporaryFolder(), options);
  store.stage({ kind: "define", id: 1, name: "x", definition: line });
  store.stage({ kind: "define", id: 2, name: "x", definition: line });
  expect(() => store.commit()).toThrow(/UNIQUE/);
  expect([...store.load()]).toEqual([]);
  store.close();
});
