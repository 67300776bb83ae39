/**
 * The database file in its data folder: made whole or not at all, opened under its lock, looked at
 * before anything is written, let go of. What is read and written in it is the store's (sqlite.ts).
 *
 * Invariants: the file under its final name is always a whole database. While it is open, nothing
 * of this process may open and close it again: that would drop the lock (POSIX). Copies read it
 * through `reader`, which is closed after SQLite's own descriptor.
 */

import { Database } from "bun:sqlite";
import { closeSync, existsSync, fsyncSync, linkSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import { CannotStart, reasonOf } from "../refusal.ts";
import {
  type FolderOptions,
  markOwner,
  ownerOf,
  prepareFolder,
  removeLeftovers,
  requireAccess,
  syncFolder,
  unmarkOwner,
} from "./folder.ts";
import { APPLICATION_ID, migrations } from "./schema.ts";
import { StorageUnavailable } from "./store.ts";
import { secureWal } from "./wal.ts";

export const DATABASE_FILE = "number-dispenser.db";
/** Part of the names of files that a crash may leave unfinished, and the next start removes. */
export const UNFINISHED = ".unfinished";

/** The database as the store needs it; the simulation has one of its own. */
export interface DatabaseFile {
  readonly path: string;
  readonly database: Database;
  /** Whether there was no database before. */
  readonly isNew: boolean;
  /** A descriptor for reading the main file; undefined where there is none. */
  readonly reader: number | undefined;
  /**
   * The lock is taken. Makes the log durable as it reads, and checks the one of a crashed life.
   * Throws CannotStart.
   */
  secure(crashed: boolean): void;
  /** All was found well: marks the folder as ours, and makes its entries durable. */
  settle(): void;
  /** SQLite let go of the file. */
  release(): void;
}

/** Opens the database in a folder, creating both where allowed. Throws CannotStart. */
export function openDatabaseFile(folder: string, options: FolderOptions): DatabaseFile {
  prepareFolder(folder, options);
  const path = join(folder, DATABASE_FILE);
  const isNew = !existsSync(path);
  if (isNew) createDatabase(folder, path, options);
  requireAccess(path);
  const reader = openSync(path, "r");
  return {
    path,
    database: locked(folder, path),
    isNew,
    reader,
    secure: (crashed) => secure(path, crashed),
    settle() {
      markOwner(folder);
      removeLeftovers(folder, UNFINISHED);
      syncFolder(folder);
    },
    release() {
      closeSync(reader);
      unmarkOwner(folder);
    },
  };
}

function locked(folder: string, path: string): Database {
  try {
    return connect(path);
  } catch (error) {
    throw refusalOf(error, folder, path);
  }
}

/** Makes the log durable; refuses one that a crash left and that cannot be all of it. */
function secure(path: string, crashed: boolean): void {
  const wal = `${path}-wal`;
  const damage = secureWal(wal);
  if (damage === undefined || !crashed) return;
  throw new CannotStart(
    `${path} was in use when its server stopped, and its write-ahead log ${wal} is lost: ` +
      `${damage}; numbers handed out last stand only there: put the log back, or restore a backup`,
  );
}

/** Makes a whole database beside the final name and links it there, if no other server did. */
function createDatabase(folder: string, path: string, options: FolderOptions): void {
  if (!options.create) {
    throw new CannotStart(`${path} does not exist, and storage.create is false`);
  }
  if (existsSync(`${path}-wal`)) {
    throw new CannotStart(`${path} is missing, but its write-ahead log ${path}-wal is there`);
  }
  const unfinished = `${path}${UNFINISHED}-${process.pid}`;
  try {
    for (const suffix of ["", "-wal", "-shm", "-journal"])
      rmSync(unfinished + suffix, { force: true });
    const database = connect(unfinished);
    database.run("PRAGMA journal_mode = WAL");
    migrate(database);
    database.close(true);
    publish(unfinished, path);
    rmSync(unfinished);
    syncFolder(folder);
  } catch (error) {
    throw new CannotStart(`cannot create ${path}: ${reasonOf(error)}`);
  }
}

/** Gives a finished file its final name, unless that is taken. Answers whether it did. */
export function publish(finished: string, path: string): boolean {
  const descriptor = openSync(finished, "r");
  fsyncSync(descriptor);
  closeSync(descriptor);
  try {
    linkSync(finished, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return false;
  }
}

export function connect(path: string): Database {
  const database = new Database(path, { create: true, strict: true, safeIntegers: true });
  for (const setting of [
    "locking_mode = EXCLUSIVE",
    "synchronous = FULL",
    "fullfsync = ON",
    "checkpoint_fullfsync = ON",
    "wal_autocheckpoint = 0",
    "foreign_keys = ON",
  ]) {
    database.run(`PRAGMA ${setting}`);
  }
  return database;
}

/** Brings the tables to this program's version. */
export function migrate(database: Database): void {
  const version = Number(readValue(database, "PRAGMA user_version"));
  database.transaction(() => {
    for (const migration of migrations.slice(version)) database.run(migration);
    database.run(`PRAGMA application_id = ${APPLICATION_ID}`);
    database.run(`PRAGMA user_version = ${migrations.length}`);
  })();
}

/** Makes a copied backup a database that was closed cleanly. */
export function readyForUse(path: string): void {
  const database = connect(path);
  database.run("UPDATE server SET clean = 1");
  migrate(database);
  database.close(true);
}

/** The one value that a pragma or a query of one row and column answers. */
export function readValue(database: Database, sql: string): bigint | string | null {
  return Object.values(database.query<Record<string, bigint | string | null>, []>(sql).get()!)[0]!;
}

/** Why the database could not be opened, in words for the operator. */
export function refusalOf(error: unknown, folder: string, path: string): unknown {
  if (error instanceof StorageUnavailable) return new CannotStart(`${path}: ${error.message}`);
  const code = codeOf(error);
  // What is neither SQLite's nor the system's says itself what it is about.
  const isOfTheSystem = typeof (error as NodeJS.ErrnoException).errno === "number";
  if (code === undefined && !isOfTheSystem) return error;
  if (code === "SQLITE_BUSY") {
    return new CannotStart(`data folder ${folder} is in use by ${ownerOf(folder)}`);
  }
  if (code === "SQLITE_NOTADB" || code?.startsWith("SQLITE_CORRUPT")) {
    return new CannotStart(`${path} is damaged: ${reasonOf(error)}; restore a backup`);
  }
  return new CannotStart(`cannot open ${path}: ${reasonOf(error)}`);
}

/** SQLite's name of an error that is SQLite's. */
export function codeOf(error: unknown): string | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === "string" && code.startsWith("SQLITE_") ? code : undefined;
}
