/** A database that the version before this one wrote opens, and its lines go on exactly where they stood. */

import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { toBytes } from "../../../src/dispenser/name.ts";
import { Engine } from "../../../src/engine/engine.ts";
import { LocalCatalog } from "../../../src/engine/local-catalog.ts";
import { IN_USE, mark, migrations } from "../../../src/storage/schema.ts";
import { openSqliteStore } from "../../../src/storage/sqlite.ts";
import { temporaryFolder } from "../../../testkit/folder.ts";

const options = { create: false, allowNetworkFileSystem: false };
const into = Buffer.alloc(20);

function folderOfVersion2(): string {
  const folder = join(temporaryFolder(), "data");
  mkdirSync(folder);
  const database = new Database(join(folder, "number-dispenser.db"));
  database.run("PRAGMA journal_mode = WAL");
  database.run(readFileSync(join(import.meta.dir, "version-2.sql"), "utf8"));
  database.close(true);
  return folder;
}

/** What each line hands out next, and its counts: as that version had them in its memory. */
const expected: Record<string, [next: string, generated: bigint, wasted: bigint]> = {
  memory: ["0", 0n, 0n],
  base: ["2510", 300n, 182n],
  checkpoint: ["366", 350n, 16n],
  elegant: ["005010", 310n, 4693n],
  close: ["9223372036854775300", 300n, 0n],
  ended: ["100", 2n, 0n],
  random: ["0", 300n, 0n],
  fresh: ["0", 0n, 0n],
  was_durable: ["300", 0n, 0n],
  größe: ["300", 300n, 0n],
};

const openEngine = (folder: string) =>
  new Engine(openSqliteStore(folder, options), { now: () => 0, savesCounts: false });

test("every line stands where it stood, and the next number is the one it would have been", () => {
  const folder = folderOfVersion2();
  const engine = openEngine(folder);
  const found = Object.fromEntries(
    Object.keys(expected).map((name) => {
      const { current, counts } = engine.find(toBytes(name))!;
      return [name, [current, counts.generated, counts.wasted]];
    }),
  );
  expect(found as unknown).toEqual(expected);
  expect(engine.size).toBe(Object.keys(expected).length);
  for (const [name, [next]] of Object.entries(expected)) {
    const dispenser = engine.find(toBytes(name))!;
    const { nextBytes } = dispenser;
    if (name === "ended") expect(nextBytes).toBe(0);
    if (nextBytes === 0 || name === "random") continue;
    engine.take(dispenser, into, 0);
    expect([name, into.toString("latin1", 0, nextBytes)]).toEqual([name, next]);
  }
  engine.commit();
  engine.close();
  const again = openEngine(folder);
  expect(again.find("elegant")!.current).toBe("005011");
  // What that version deleted was forgotten; from now on it is kept.
  expect(new LocalCatalog(again).define("gone", new Map([["type", "3"]]))).toBe(1);
  expect(new LocalCatalog(again).remove(["elegant"])).toHaveLength(1);
  again.commit();
  const fields = { type: "2", length: "6", starting: "7" };
  expect(new LocalCatalog(again).define("elegant", new Map(Object.entries(fields)))).toBe(3);
  expect(again.find("elegant")!.current).toBe("005011");
  again.commit();
  again.close();
});

test("the tables are those of a new database, and nothing is changed where the start is refused", () => {
  const [old, fresh] = [folderOfVersion2(), join(temporaryFolder(), "data")];
  openEngine(old).close();
  new Engine(openSqliteStore(fresh, { ...options, create: true }), {
    now: () => 0,
    savesCounts: false,
  }).close();
  const tables = (folder: string) => {
    const database = new Database(join(folder, "number-dispenser.db"), { readonly: true });
    const schema = database.query("SELECT name, sql FROM sqlite_schema ORDER BY name").values();
    const version = database.query("PRAGMA user_version").values();
    database.close();
    return [version, schema];
  };
  expect(tables(old)).toEqual(tables(fresh));
  expect(tables(old)[0]).toEqual([[migrations.length]]);

  // In use, and without its log.
  const lost = folderOfVersion2();
  const path = join(lost, "number-dispenser.db");
  const database = new Database(path);
  database.run(mark(IN_USE));
  database.close(true);
  const before = readFileSync(path);
  expect(() => openEngine(lost)).toThrow(/log|WAL|wal/);
  expect(readFileSync(path).equals(before)).toBe(true);
});

test.each([
  "UPDATE definitions SET length = 3 WHERE type = 3",
  "UPDATE definitions SET starting = 5 WHERE type = 1",
  "UPDATE definitions SET step = 1 WHERE type = 1",
  "UPDATE definitions SET type = 4 WHERE type = 3",
])("damage of that version's columns is not lost in the migration: %s", (damage) => {
  const folder = folderOfVersion2();
  const database = new Database(join(folder, "number-dispenser.db"));
  database.run(damage);
  database.close(true);
  expect(() => [...openSqliteStore(folder, options).load()]).toThrow(/contradict each other/);
});
