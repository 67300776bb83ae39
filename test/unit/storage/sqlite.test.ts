import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Engine } from "../../../src/engine/engine.ts";
import { LocalCatalog } from "../../../src/engine/local-catalog.ts";
import { CLOSED, mark } from "../../../src/storage/schema.ts";
import { failureOf, openSqliteStore, type SqliteStore } from "../../../src/storage/sqlite.ts";
import { DiskBroken, DiskUnavailable } from "../../../src/storage/store.ts";
import { crashCopy, temporaryFolder } from "../../../testkit/folder.ts";
import { definitionOf, describeStore, reservation, type StoreUnderTest } from "./conformance.ts";

const options = { create: true, allowNetworkFileSystem: false };
const FILE = "number-dispenser.db";

/** Opens the store as the engine does: it is in use when all is loaded. */
function open(folder: string, some = options): SqliteStore {
  const store = openSqliteStore(folder, some);
  for (const _ of store.load());
  return store;
}

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
  const store = open(folder, options);
  store.stage({ kind: "define", id: 1, name: "x", definition: line });
  store.stage(reservation(1, { account: { reserved: 5n, generated: 5n, wasted: 0n } }));
  store.commit();
  return crashCopy(folder);
}

/** A folder as a clean close left it. */
function closedFolder(): string {
  const folder = temporaryFolder();
  const store = open(folder, options);
  store.close();
  return folder;
}

const refusalOf = (folder: string, some = options) => {
  try {
    open(folder, some);
    return "opened";
  } catch (error) {
    return (error as Error).message;
  }
};

describe("the database file", () => {
  test("is durable by its settings: WAL, synchronous=FULL, no checkpoints by itself", () => {
    const folder = temporaryFolder();
    const store = open(folder, options);
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
    const store = open(folder, options);
    store.stage({ kind: "define", id: 1, name: "x", definition: line });
    const bytesAfter = (commits: bigint) => {
      for (let count = 0n; count < commits; count++) {
        store.stage(reservation(1, { account: { reserved: count, generated: count, wasted: 0n } }));
        store.commit();
        store.maintain();
      }
      return statSync(join(folder, `${FILE}-wal`)).size;
    };
    const grown = bytesAfter(2500n);
    expect(grown).toBeGreaterThan(2000 * 4096);
    expect(bytesAfter(2500n)).toBe(grown);
    store.close();
  });

  test("that a crash left unfinished while it was made is cleared away", () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, `${FILE}.unfinished-1`), "half");
    open(folder, options).close();
    expect(readdirSync(folder)).toEqual([FILE]);
  });
});

describe("the start is refused, and nothing is overwritten", () => {
  /** The folder as it was is the folder as it is. */
  const refuses = (folder: string, reason: RegExp, some = options) => {
    const names = readdirSync(folder).sort();
    const before = names.map((name) => readFileSync(join(folder, name), "latin1"));
    expect(refusalOf(folder, some)).toMatch(reason);
    // SQLite makes an empty log where there is none: nothing else may be new.
    const added = readdirSync(folder).filter((name) => !names.includes(name));
    for (const name of added)
      expect([name, statSync(join(folder, name)).size]).toEqual([`${FILE}-wal`, 0]);
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
      /written by a newer Number Dispenser: its schema version is 99, this one knows 6/,
    );
  });

  test.each(["missing", "empty"])("when the WAL is %s after an unclean stop", (what) => {
    const folder = crashedFolder();
    const wal = join(folder, `${FILE}-wal`);
    if (what === "missing") rmSync(wal);
    else truncateSync(wal, 0);
    refuses(folder, /its write-ahead log .*-wal is lost: it is missing or empty/);
  });

  test("when the WAL is damaged before commits that the crash did not tear", () => {
    const folder = temporaryFolder();
    const store = open(folder, options);
    store.stage({ kind: "define", id: 1, name: "x", definition: line });
    for (let count = 1n; count < 9n; count++) {
      store.stage(reservation(1, { account: { reserved: count, generated: count, wasted: 0n } }));
      store.commit();
    }
    /** As a crash would leave it, with a bit flipped in the log. */
    const damagedAt = (at: number) => {
      const crashed = crashCopy(folder);
      const wal = join(crashed, `${FILE}-wal`);
      const bytes = readFileSync(wal);
      bytes[at]! ^= 1;
      writeFileSync(wal, bytes);
      return crashed;
    };
    refuses(
      damagedAt(32 + 2 * (24 + 4096) + 1000),
      /-wal is lost: frame 3 of it is damaged, and commits follow; numbers handed/,
    );
    refuses(damagedAt(0), /-wal is lost: its header is damaged/);
    store.close();
  });

  test("when the main file is missing and its WAL is there", () => {
    const folder = crashedFolder();
    rmSync(join(folder, FILE));
    refuses(folder, /number-dispenser\.db is missing, but its write-ahead log .* is there/);
  });

  test("when rows contradict each other", () => {
    const folder = temporaryFolder();
    const store = open(folder, options);
    store.stage({ kind: "define", id: 1, name: "x", definition: line });
    store.stage(reservation(1, { account: { reserved: 5n, generated: 9n, wasted: 0n } }));
    store.close();
    refuses(folder, /is damaged: rows of 'x' contradict each other; restore a backup/);
  });

  const pre = (auto_disk: string) => definitionOf({ type: "3", auto_disk });
  const exact = { account: { reserved: 5n, generated: 5n, wasted: 0n } };
  const damages: [string, (database: Database) => void][] = [
    ["a position that is not that of the counts", (of) => of.run("UPDATE positions SET last = 9")],
    ["a step of 0", (of) => of.run(`UPDATE definitions SET line = json_set(line, '$.step', '0')`)],
    [
      "a length where there is none",
      (of) => of.run(`UPDATE definitions SET line = json_set(line, '$.length', '3')`),
    ],
    ["fields that are no texts", (of) => of.run("UPDATE definitions SET line = '[1]'")],
    ["a text that is no object", (of) => of.run("UPDATE definitions SET line = ''")],
    [
      "a text that is written otherwise",
      (of) => of.run(`UPDATE definitions SET line = json_set(line, '$.step', '01')`),
    ],
    ["an unknown strategy", (of) => of.run("UPDATE definitions SET auto_disk = 'x'")],
    [
      "an unknown type",
      (of) => of.run(`UPDATE definitions SET line = json_set(line, '$.type', '4')`),
    ],
    [
      "a row of a dispenser that is not there",
      (of) => of.run("UPDATE positions SET dispenser = 7"),
    ],
    ["a row below those of all dispensers", (of) => of.run("UPDATE positions SET dispenser = -7")],
    [
      "a dispenser that no start could have numbered so",
      (of) => of.run("UPDATE definitions SET id = 0 WHERE id = 1"),
    ],
    [
      "a row in the table of another strategy",
      (of) => of.run("UPDATE positions SET dispenser = 2"),
    ],
    ["a checkpoint past its segment", (of) => of.run("UPDATE segments SET last = 3")],
    [
      "a deleted line past its end",
      (of) => of.run(`UPDATE deleted SET line = json_set(line, '$.starting', '6')`),
    ],
    ["a deleted line at no exact position", (of) => of.run("UPDATE deleted SET last = 9")],
    ["a deleted line of an unknown strategy", (of) => of.run("UPDATE deleted SET auto_disk = 'x'")],
    [
      "a deleted line of type 1",
      (of) => of.run(`UPDATE deleted SET line = '{"type":"1","length":"3"}'`),
    ],
    ["no row that says how it was left", (of) => of.run("DELETE FROM server")],
  ];
  test.each(damages)("when damage shows as %s", (_, damage) => {
    const folder = temporaryFolder();
    const store = open(folder);
    store.stage({ kind: "define", id: 1, name: "x", definition: line });
    store.stage(reservation(1, exact));
    store.stage({ kind: "define", id: 2, name: "y", definition: pre("pre_close") });
    const segment = { first: 0n, last: 4n };
    store.stage(reservation(2, { ...exact, keeps: "checkpoint", segment }));
    const { account } = exact;
    const far = definitionOf({ type: "2", length: "1", starting: "5" });
    store.stage({ kind: "keep", line: { name: "z", definition: far, account, deletedAtS: 0 } });
    store.close();
    open(folder).close();
    const database = new Database(join(folder, FILE));
    damage(database);
    database.close();
    refuses(folder, /is damaged: /);
  });

  test("on a file whose header says that it has no WAL", () => {
    const folder = closedFolder();
    const path = join(folder, FILE);
    const bytes = readFileSync(path);
    bytes[18] = 1;
    bytes[19] = 1;
    writeFileSync(path, bytes);
    refuses(folder, /is damaged: it is not in WAL mode/);
  });

  test("beside a restore that did not end", () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, `${FILE}.restoring-1`));
    expect(refusalOf(folder)).toMatch(/restoring-1 is of a restore that did not end/);
    expect(readdirSync(folder)).toEqual([`${FILE}.restoring-1`]);
  });

  test("when another connection has the folder", () => {
    const folder = temporaryFolder();
    const store = open(folder, options);
    expect(refusalOf(folder)).toContain(`data folder ${folder} is in use by another program`);
    store.close();
    open(folder, options).close();
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
  const store = open(crashedFolder(), options);
  expect(store.crashed).toBe(true);
  expect([...store.load()].flat().map(({ name, account }) => [name, account?.reserved])).toEqual([
    ["x", 5n],
  ]);
  store.close();
});

describe("a full disk", () => {
  /** A limit on the pages of the database stands for it. */
  const limitPages = (store: SqliteStore, pages: number) => {
    const { database } = store as unknown as { database: Database };
    database.run(`PRAGMA max_page_count = ${pages}`);
  };
  const define = (engine: Engine, name: string) =>
    new LocalCatalog(engine).define(name, new Map([["type", "3"]]));
  const into = Buffer.alloc(20);

  test("refuses what needs space, changes nothing, and is over when there is space", () => {
    const store = open(temporaryFolder(), options);
    const engine = new Engine(store, { now: () => 0, savesCounts: true });
    const long = "x".repeat(200);
    for (const name of ["old", "gone"]) define(engine, name);
    expect(engine.commit()).toBeUndefined();
    limitPages(store, 1);
    const full = new DiskUnavailable("the disk is full");
    let failure: unknown;
    let defined = 0;
    for (; failure === undefined; defined++) {
      define(engine, `${long}${defined}`);
      failure = engine.commit();
    }
    expect(failure).toEqual(full);
    expect(engine.size).toBe(2 + defined - 1);
    new LocalCatalog(engine).remove(["gone"]);
    new LocalCatalog(engine).advance(engine.find("old")!, "50");
    new LocalCatalog(engine).define("old", new Map([["auto_disk", "pre_close"]]));
    for (let index = 0; index < 50; index++) define(engine, `${long}more${index}`);
    engine.take(engine.find("old")!, into, 0);
    expect(engine.commit()).toEqual(full);
    expect(engine.find("gone")).toBeDefined();
    expect(engine.find("old")!.current).toBe("0");
    expect(engine.find("old")!.definition.strategy).toBe("elegant_close");
    limitPages(store, 1_000_000);
    define(engine, `${long}more`);
    engine.take(engine.find("old")!, into, 0);
    expect(engine.commit()).toBeUndefined();
    expect(engine.find("old")!.current).toBe("1");
    engine.close();
  });
});

describe("a failure of SQLite", () => {
  const failing = (code: string) => Object.assign(new Error("disk I/O error"), { code });

  test.each(["SQLITE_FULL", "SQLITE_IOERR_WRITE"])("%s can be tried again", (code) => {
    expect(failureOf(failing(code), "x.db")).toBeInstanceOf(DiskUnavailable);
  });

  test.each(["SQLITE_IOERR_FSYNC", "SQLITE_IOERR_READ", "SQLITE_CORRUPT", "SQLITE_READONLY"])(
    "%s leaves unknown what is on disk",
    (code) => {
      expect(failureOf(failing(code), "x.db")).toEqual(
        new DiskBroken(`x.db: disk I/O error (${code})`),
      );
    },
  );

  test("that is the program's is passed on as it is", () => {
    const error = new RangeError("out of range");
    expect(failureOf(error, "x.db")).toBe(error);
  });
});

test("counts that the first version left short at a clean close are no damage", () => {
  const folder = temporaryFolder();
  const store = open(folder);
  store.stage({ kind: "define", id: 1, name: "x", definition: line });
  store.stage(reservation(1, { account: { reserved: 9n, generated: 5n, wasted: 3n } }));
  store.close();
  expect(refusalOf(folder)).toMatch(/rows of 'x' contradict each other/);
  const again = crashCopy(folder);
  const database = new Database(join(again, FILE));
  database.run("UPDATE server SET clean = 1");
  database.close();
  const next = open(again);
  expect(next.crashed).toBe(false);
  next.close();
});

test("the mark of the clean close comes after everything else is in the main file", () => {
  const folder = temporaryFolder();
  const store = open(folder, options);
  store.stage({ kind: "define", id: 1, name: "x", definition: line });
  const { database } = store as unknown as { database: Database };
  const run = database.run.bind(database);
  let beforeMark: string | undefined;
  database.run = ((sql: string) => {
    // What a power cut that takes the WAL leaves, at the last moment before the mark.
    if (sql === mark(CLOSED)) {
      beforeMark = crashCopy(folder);
      rmSync(join(beforeMark, `${FILE}-wal`));
    }
    return run(sql);
  }) as typeof database.run;
  store.close();
  expect(refusalOf(beforeMark!)).toMatch(
    /its write-ahead log .*-wal is lost: it is missing or empty/,
  );
  const reader = new Database(join(crashCopy(beforeMark!), FILE));
  expect(reader.query("SELECT name FROM definitions").values()).toEqual([["x"]]);
  reader.close();
});

test("a definition that cannot be written changes nothing", () => {
  const store = open(temporaryFolder(), options);
  store.stage({ kind: "define", id: 1, name: "x", definition: line });
  store.stage({ kind: "define", id: 2, name: "x", definition: line });
  expect(() => store.commit()).toThrow(/UNIQUE/);
  expect([...store.load()].flat()).toEqual([]);
  store.close();
});
