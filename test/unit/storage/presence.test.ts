import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import {
  copyFileSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { openDatabaseFile } from "../../../src/storage/file.ts";
import { Presence } from "../../../src/storage/presence.ts";
import { openSqliteStore, SqliteStore } from "../../../src/storage/sqlite.ts";
import { DiskUnavailable, DiskVanished } from "../../../src/storage/store.ts";
import { temporaryFolder } from "../../../testkit/folder.ts";
import { definitionOf, reservation } from "./conformance.ts";

const KEPT = 1000;

/** A main file of 4,000 bytes and a log of 3,000. */
function files(isPlainDisk = true) {
  const main = join(temporaryFolder(), "data", "main");
  mkdirSync(dirname(main));
  const log = `${main}-wal`;
  writeFileSync(main, Buffer.alloc(4000, 1));
  writeFileSync(log, Buffer.alloc(3000, 1));
  return { main, log, presence: new Presence(main, openSync(main, "r"), log, KEPT, isPlainDisk) };
}

const saidBy = (work: () => void) => {
  try {
    work();
    return "is there";
  } catch (error) {
    expect(error).toBeInstanceOf(DiskVanished);
    return (error as Error).message;
  }
};

describe("by their descriptors", () => {
  test("files that stay, grow, or begin anew no shorter than SQLite makes them, are there", () => {
    const { main, log, presence } = files();
    for (const bytes of [9000, KEPT, 4000]) {
      truncateSync(log, bytes);
      presence.check();
    }
    truncateSync(main, 5000);
    presence.noteWritten();
    presence.check();
  });

  test("a file that was removed or cut is not", () => {
    const changes: [(of: { main: string; log: string }) => void, RegExp][] = [
      [({ main }) => rmSync(main), /main was removed while the server used it/],
      [({ log }) => rmSync(log), /main-wal was removed/],
      [({ main }) => truncateSync(main, 3999), /main was cut from 4000 to 3999 bytes/],
      [({ log }) => truncateSync(log, KEPT - 1), /main-wal was cut from 1000 to 999 bytes/],
      [({ main }) => utimesSync(main, 1, 1), /main was written to by others/],
    ];
    for (const [change, said] of changes) {
      const all = files();
      change(all);
      expect(saidBy(() => all.presence.check())).toMatch(said);
    }
  });
});

test("when a file was written to counts only on a plain disk", () => {
  const { main, presence } = files(false);
  utimesSync(main, 1, 1);
  presence.check();
  presence.noteWritten();
  presence.checkPaths();
});

describe("by their paths", () => {
  test("a file that was moved or replaced is not, nor one whose folder was", () => {
    const changes: [(of: { main: string; log: string }) => void, RegExp][] = [
      [
        ({ main }) => renameSync(main, `${main}.old`),
        /main was removed or moved away, or its folder was/,
      ],
      [({ log }) => renameSync(log, `${log}.old`), /main-wal was removed or moved away/],
      [
        ({ main }) => renameSync(dirname(main), `${dirname(main)}.old`),
        /main was removed or moved away/,
      ],
      [
        ({ main }) => {
          copyFileSync(main, `${main}.new`);
          renameSync(main, `${main}.old`);
          renameSync(`${main}.new`, main);
        },
        /main was replaced by another file/,
      ],
      [
        ({ log }) => {
          // Cut, and written to behind what is left, before anybody looked.
          truncateSync(log, 0);
          writeSync(openSync(log, "r+"), Buffer.alloc(100, 1), 0, 100, 3000);
        },
        /main-wal was cut and written to again/,
      ],
    ];
    for (const [change, said] of changes) {
      const all = files();
      change(all);
      all.presence.check();
      expect(saidBy(() => all.presence.checkPaths())).toMatch(said);
    }
  });
});

describe("a store whose file vanished", () => {
  function store() {
    const folder = temporaryFolder();
    const opened = openSqliteStore(folder, { create: true, allowNetworkFileSystem: false });
    for (const _ of opened.load());
    opened.stage({ kind: "define", id: 1, name: "x", definition: definitionOf({ type: "3" }) });
    opened.commit();
    const take = () => {
      opened.stage(reservation(1, { account: { reserved: 1n, generated: 1n, wasted: 0n } }));
      opened.commit();
    };
    return { opened, take, path: join(folder, "number-dispenser.db") };
  }

  test("commits nothing more, and has no clean close", () => {
    const removed = store();
    rmSync(removed.path);
    expect(saidBy(removed.take)).toMatch(/number-dispenser\.db was removed/);
    expect(saidBy(() => removed.opened.close())).toMatch(/number-dispenser\.db was removed/);
    const cut = store();
    truncateSync(`${cut.path}-wal`, 100);
    expect(saidBy(cut.take)).toMatch(/-wal was cut from \d+ to 100 bytes/);
  });

  test("gives nothing back of a commit in the middle of which it went", () => {
    for (const suffix of ["", "-wal"]) {
      const { opened, take, path } = store();
      const { rows } = opened as unknown as { rows: { commit(): void } };
      const commit = rows.commit.bind(rows);
      rows.commit = () => {
        commit();
        rmSync(path + suffix);
      };
      expect(saidBy(take)).toMatch(/was removed/);
    }
  });

  test("is none whose log could be moved only in part, as the disk was full", () => {
    const folder = temporaryFolder();
    const file = openDatabaseFile(folder, { create: true, allowNetworkFileSystem: false });
    const opened = new SqliteStore(file, 1);
    for (const _ of opened.load());
    const { database } = file;
    const query = database.query.bind(database);
    database.query = (() => ({
      get() {
        utimesSync(file.path, 1, 1);
        throw Object.assign(new Error("disk full"), { code: "SQLITE_FULL" });
      },
    })) as unknown as typeof query;
    opened.writeNode("{}");
    expect(() => opened.maintain()).toThrow(DiskUnavailable);
    database.query = query;
    opened.writeNode("{}");
    opened.maintain();
    opened.close();
  });

  test("that was only moved has no clean close either", () => {
    const { opened, take, path } = store();
    renameSync(path, `${path}.old`);
    take();
    expect(saidBy(() => opened.close())).toMatch(/was removed or moved away/);
    // Nor does it say of itself that it had one.
    const copy = join(temporaryFolder(), "main");
    copyFileSync(`${path}.old`, copy);
    const main = new Database(copy);
    expect(main.query("SELECT clean FROM server").get()).toEqual({ clean: 0 });
    main.close();
  });

  test("that is gone once SQLite let go of it was not saved", () => {
    const { opened, path } = store();
    const { database } = opened as unknown as { database: { close: (throws: boolean) => void } };
    const close = database.close.bind(database);
    database.close = (throws) => {
      close(throws);
      rmSync(path);
    };
    expect(saidBy(() => opened.close())).toMatch(/number-dispenser\.db was removed/);
  });
});
