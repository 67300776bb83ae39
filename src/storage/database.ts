/**
 * A database of SQLite: opened with the settings that durability depends on, migrated, asked for
 * single values.
 */

import { Database } from "bun:sqlite";
import { APPLICATION_ID, COPIED, mark, migrations } from "./schema.ts";

/** A WAL that grew past this is cut to it when it begins anew. */
export const WAL_BYTES_KEPT = 64 * 1024 * 1024;

/** Opens a connection with the settings that durability depends on. */
export function connect(path: string): Database {
  const database = new Database(path, { create: true, strict: true, safeIntegers: true });
  for (const setting of [
    "locking_mode = EXCLUSIVE",
    "synchronous = FULL",
    "fullfsync = ON",
    "checkpoint_fullfsync = ON",
    "wal_autocheckpoint = 0",
    "foreign_keys = ON",
    `journal_size_limit = ${WAL_BYTES_KEPT}`,
  ]) {
    database.run(`PRAGMA ${setting}`);
  }
  return database;
}

/** Brings the tables to this program's version. */
export function migrate(database: Database): void {
  const version = Number(readValue(database, "PRAGMA user_version"));
  if (version === migrations.length) return;
  database.transaction(() => {
    for (const migration of migrations.slice(version)) database.run(migration);
    database.run(`PRAGMA application_id = ${APPLICATION_ID}`);
    database.run(`PRAGMA user_version = ${migrations.length}`);
  })();
}

/** Turns a copied backup into a database that a server may use. */
export function readyForUse(path: string): void {
  const database = connect(path);
  database.run(`PRAGMA application_id = ${APPLICATION_ID}`);
  database.run(mark(COPIED));
  closeWhole(database);
}

/** The value of a pragma or query that answers one row of one column. */
export function readValue(database: Database, sql: string): bigint | string | null {
  const row = database.query<Record<string, bigint | string | null>, []>(sql).get();
  if (row === null) throw new RangeError(`nothing answers ${sql}`);
  return Object.values(row)[0]!;
}

/** Whether the database has a table: before migrate() it may be missing. */
export function hasTable(database: Database, name: string): boolean {
  const sql = `SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '${name}'`;
  return readValue(database, sql) === 1n;
}

/** Whether a table has a column. */
export function hasColumn(database: Database, table: string, name: string): boolean {
  const sql = `SELECT count(*) FROM pragma_table_info('${table}') WHERE name = '${name}'`;
  return readValue(database, sql) === 1n;
}

/**
 * Makes a WAL checkpoint and closes. Throws if that fails, as on a full disk: SQLite alone would
 * close all the same and leave a main file without the content of the WAL.
 */
export function closeWhole(database: Database): void {
  try {
    const checkpoint = database
      .query<{ busy: bigint }, []>("PRAGMA wal_checkpoint(TRUNCATE)")
      .get();
    if (checkpoint?.busy !== 0n) throw new Error("the write-ahead log is busy");
  } catch (error) {
    database.close();
    throw error;
  }
  database.close(true);
}

/** SQLite's name of the error; undefined if it is not SQLite's. */
export function codeOf(error: unknown): string | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === "string" && code.startsWith("SQLITE_") ? code : undefined;
}
