/**
 * The database file in its data folder: made whole or not at all, opened under its lock, looked at
 * before anything is written, let go of. What is read and written in it is the store's (sqlite.ts).
 *
 * Invariants: the file under its final name is always a whole database. While it is open, nothing
 * of this process may open and close it again: that would drop the lock (POSIX). Copies read it
 * through `reader`, which is closed after SQLite's own descriptor.
 */

import { Database } from "bun:sqlite";
import {
  closeSync,
  constants,
  existsSync,
  linkSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { CannotStart, reasonOf } from "../base/errors.ts";
import { createPrivate, openRegular } from "../platform/files.ts";
import { doubtsAbout } from "./file-systems.ts";
import {
  FIRST_START,
  type FolderOptions,
  giveToOwner,
  inUse as inUseBy,
  lockFolder,
  makeDurable,
  markOwner,
  prepareFolder,
  removeLeftovers,
  requireAccess,
  unmarkOwner,
} from "./folder.ts";
import { Presence } from "./presence.ts";
import { APPLICATION_ID, BACKUP_ID, COPIED, ID_OFFSET, mark, migrations } from "./schema.ts";
import { DiskUnavailable } from "./store.ts";
import { secureWal } from "./wal.ts";

/** The database's name in the data folder. */
export const DATABASE_FILE = "number-dispenser.db";
/** Of the names of files that are not finished, and that the next start removes after a crash. */
export const UNFINISHED = ".unfinished";
/** Of the folder in which a restore works: a start does not pass over one that did not end. */
export const RESTORING = ".restoring";
/**
 * Of a second name that the log has while the database is in use: where another program moves the log into
 * the main file and removes it, or somebody removes it, repair (repair.ts) can tell what it held.
 */
export const LOG_KEPT = "-wal-kept";
/** After a log grew past this, it shrinks to it where it begins anew. */
const WAL_BYTES_KEPT = 64 * 1024 * 1024;

/** The database as the store needs it; the simulation has one of its own. */
export interface DatabaseFile {
  readonly path: string;
  readonly database: Database;
  /** Whether there was no database before. */
  readonly isNew: boolean;
  /** A descriptor for reading the main file. */
  readonly reader: number;
  /** What the operator should know of the folder. */
  readonly warnings: readonly string[];
  /**
   * The lock is taken. Makes the log durable as it reads, and checks the one that a crash left of a
   * database in use. Throws CannotStart.
   */
  secure(inUse: boolean): void;
  /** All was found well: marks the folder as ours, and makes its entries durable. */
  settle(): void;
  /**
   * After each commit, and before the log is moved, once all was found well: throws DiskVanished
   * where the file or its log was removed or cut, or others wrote to the file (presence.ts).
   */
  check(): void;
  /** Before each commit: the same of the log alone. What is written behind the end of one that was cut hides that. */
  checkLog(): void;
  /** Now and then: the same where one of them is not at its path any more. */
  checkPaths(): void;
  /** SQLite has just moved the log into the main file. */
  noteMoved(): void;
  /** SQLite let go of the file. Throws DiskVanished where it did not leave it at its path. */
  release(): void;
}

/** Opens the database in a folder, creating both where allowed. Throws CannotStart. */
export function openDatabaseFile(folder: string, options: FolderOptions): DatabaseFile {
  const warnings = prepareFolder(folder, options);
  const lock = lockFolder(folder);
  try {
    return openLocked(folder, options, warnings, lock);
  } catch (error) {
    closeSync(lock);
    throw error;
  }
}

/** `lock` is released with the file. */
function openLocked(
  folder: string,
  options: FolderOptions,
  warnings: readonly string[],
  lock: number,
): DatabaseFile {
  const path = join(folder, DATABASE_FILE);
  const isNew = !existsSync(path);
  if (isNew) createDatabase(folder, path, options);
  requireAccess(path);
  const { reader, database } = openBoth(folder, path);
  let presence: Presence | undefined;
  return {
    path,
    database,
    isNew,
    reader,
    warnings,
    secure(inUse) {
      if (readValue(database, "PRAGMA journal_mode") !== "wal") {
        throw new CannotStart(`${path} is damaged: it is not in WAL mode; restore a backup`);
      }
      secure(path, inUse);
    },
    settle() {
      markOwner(folder);
      removeLeftovers(folder, DATABASE_FILE + UNFINISHED);
      keepLog(path);
      makeDurable(folder);
      const isPlainDisk = doubtsAbout(folder) === undefined;
      presence = new Presence(path, reader, `${path}-wal`, WAL_BYTES_KEPT, isPlainDisk);
    },
    check: () => presence?.check(),
    checkLog: () => presence?.checkLog(),
    checkPaths: () => presence?.checkPaths(),
    noteMoved: () => presence?.noteWritten(),
    release() {
      presence?.end();
      presence = undefined;
      closeSync(reader);
      rmSync(path + LOG_KEPT, { force: true });
      unmarkOwner(folder);
      closeSync(lock);
    },
  };
}

/** Before SQLite reads it: a log beside it would hide the mark. */
function refuseBackup(path: string, reader: number): void {
  const id = Buffer.alloc(4);
  readSync(reader, id, 0, id.length, ID_OFFSET);
  if (id.readUInt32BE() !== BACKUP_ID) return;
  throw new CannotStart(
    `${path} is a backup, and repeats numbers handed out since it was made: ` +
      "number-dispenser restore moves its lines ahead of them",
  );
}

function openBoth(folder: string, path: string): Pick<DatabaseFile, "reader" | "database"> {
  try {
    // For writing, though nothing is: an overlay file system then gives the file that SQLite writes.
    const reader = openRegular(path, constants.O_RDWR);
    refuseBackup(path, reader);
    return { reader, database: connect(path) };
  } catch (error) {
    throw refusalOf(error, folder, path);
  }
}

/** Makes the log durable; refuses one that a crash left and that cannot be all of it. */
function secure(path: string, inUse: boolean): void {
  const wal = `${path}-wal`;
  const damage = secureWal(wal);
  if (damage === undefined || !inUse) return;
  throw new CannotStart(
    `${path} was in use when its server stopped, and its write-ahead log ${wal} is lost: ` +
      `${damage}; numbers handed out last may stand only there: 'number-dispenser repair' says whether they do; ` +
      "otherwise put the log back, or restore a backup",
  );
}

/** Makes a whole database beside the final name and links it there, if no other server did. */
function createDatabase(folder: string, path: string, options: FolderOptions): void {
  if (!options.create) {
    throw new CannotStart(`${path} does not exist, and storage.create is false: ${FIRST_START}`);
  }
  for (const log of [`${path}-wal`, path + LOG_KEPT]) {
    if ((statSync(log, { throwIfNoEntry: false })?.size ?? 0) === 0) continue;
    throw new CannotStart(
      `${path} is missing, but its write-ahead log ${log} is there: put the database back, or move the log away`,
    );
  }
  const restoring = readdirSync(folder).find((entry) =>
    entry.startsWith(DATABASE_FILE + RESTORING),
  );
  if (restoring !== undefined) {
    throw new CannotStart(
      `${join(folder, restoring)} is of a restore that did not end: restore again, or remove it`,
    );
  }
  const unfinished = `${path}${UNFINISHED}-${process.pid}`;
  let isOurs = false;
  try {
    remove(unfinished);
    // SQLite gives the files that it makes beside it the same permissions.
    closeSync(createPrivate(unfinished));
    const database = connect(unfinished);
    database.run("PRAGMA journal_mode = WAL");
    migrate(database);
    closeWhole(database);
    giveToOwner(unfinished, folder);
    makeDurable(unfinished);
    publish(unfinished, path);
    isOurs = true;
    rmSync(unfinished);
    makeDurable(folder);
  } catch (error) {
    if (!isOurs) remove(unfinished);
    // Another server was quicker: the lock decides whose it is.
    if (!isOurs && existsSync(path)) return;
    throw new CannotStart(`cannot create ${path}: ${reasonOf(error)}`);
  }
}

/** Gives the log its second name. */
function keepLog(path: string): void {
  const [log, kept] = [`${path}-wal`, path + LOG_KEPT];
  try {
    if (existsSync(kept)) rmSync(kept);
    linkSync(log, kept);
  } catch {
    // On a file system without hard links repair can tell less.
  }
}

/** Removes a database that is no one's yet, with all that SQLite made beside it. */
function remove(path: string): void {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(path + suffix, { force: true });
}

/**
 * Moves the log into the main file and closes. Throws where that fails, as on a full disk: SQLite itself would
 * close all the same, and leave a main file that lacks what the log has.
 */
function closeWhole(database: Database): void {
  try {
    const moved = database.query<{ busy: bigint }, []>("PRAGMA wal_checkpoint(TRUNCATE)").get();
    if (moved?.busy !== 0n) throw new Error("the write-ahead log is busy");
  } catch (error) {
    database.close();
    throw error;
  }
  database.close(true);
}

/** Gives a finished file, which is synced, its final name. Throws EEXIST where that is taken. */
export function publish(finished: string, path: string): void {
  linkSync(finished, path);
}

/** Whether an error of the system says that a file is there already. */
export function isTaken(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "EEXIST";
}

/** A connection with the settings that durability rests on. */
function connect(path: string): Database {
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

/** Makes a copied backup a database. */
export function readyForUse(path: string): void {
  const database = connect(path);
  database.run(`PRAGMA application_id = ${APPLICATION_ID}`);
  database.run(mark(COPIED));
  closeWhole(database);
}

/** The one value that a pragma or a query of one row and column answers. */
export function readValue(database: Database, sql: string): bigint | string | null {
  const row = database.query<Record<string, bigint | string | null>, []>(sql).get();
  if (row === null) throw new RangeError(`nothing answers ${sql}`);
  return Object.values(row)[0]!;
}

/** Whether there is such a table: there may not be before migrate(). */
export function hasTable(database: Database, name: string): boolean {
  const sql = `SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '${name}'`;
  return readValue(database, sql) === 1n;
}

/** Whether a table has such a column. */
export function hasColumn(database: Database, table: string, name: string): boolean {
  const sql = `SELECT count(*) FROM pragma_table_info('${table}') WHERE name = '${name}'`;
  return readValue(database, sql) === 1n;
}

/** Why the database could not be opened, in words for the operator. */
export function refusalOf(error: unknown, folder: string, path: string): unknown {
  if (error instanceof DiskUnavailable) return new CannotStart(`${path}: ${error.message}`);
  // Values of other kinds than the tables allow.
  if (error instanceof TypeError || error instanceof RangeError) {
    return new CannotStart(`${path} is damaged: ${error.message}; restore a backup`);
  }
  const code = codeOf(error);
  // What is neither SQLite's nor the system's says itself what it is about.
  const isOfTheSystem = typeof (error as NodeJS.ErrnoException).errno === "number";
  if (code === undefined && !isOfTheSystem) return error;
  if (code === "SQLITE_BUSY") {
    return inUseBy(folder);
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
