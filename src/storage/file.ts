/**
 * The database file in its data folder: made whole or not at all, opened under its lock, checked
 * before anything is written, and released. sqlite.ts reads and writes its content.
 *
 * Invariants: the file under its final name is always a whole database. While it is open, this
 * process must not open and close it again: that would drop the lock (POSIX). A backup reads it
 * through `reader`, which is closed after SQLite's own descriptor.
 */

import type { Database } from "bun:sqlite";
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
import {
  closeWhole,
  codeOf,
  connect,
  hasTable,
  migrate,
  readValue,
  WAL_BYTES_KEPT,
} from "./database.ts";
import { doubtsAbout } from "./file-systems.ts";
import {
  FIRST_START,
  type FolderOptions,
  giveToOwner,
  inUse,
  lockFolder,
  makeDurable,
  markOwner,
  prepareFolder,
  removeLeftovers,
  requireAccess,
  unmarkOwner,
} from "./folder.ts";
import { Presence } from "./presence.ts";
import { BACKUP_ID, ID_OFFSET } from "./schema.ts";
import { DiskUnavailable } from "./store.ts";
import { secureWal } from "./wal.ts";

/** The database's name in the data folder. */
export const DATABASE_FILE = "number-dispenser.db";
/** In the names of files that are not finished: the next start removes those that a crash left. */
export const UNFINISHED = ".unfinished";
/**
 * In the name of the folder in which a restore works: a start refuses a folder with a restore that
 * did not end.
 */
export const RESTORING = ".restoring";
/**
 * Ends the second name, a hard link, that the WAL has while the database is in use. If another
 * program checkpoints and removes the WAL, or somebody deletes it, repair.ts can still tell what it
 * held.
 */
export const LOG_KEPT = "-wal-kept";

/** The database file as the store needs it. The simulation has an implementation of its own. */
export interface DatabaseFile {
  readonly path: string;
  readonly database: Database;
  /** Whether this start made the database. */
  readonly isNew: boolean;
  /** A descriptor for reading the main file. */
  readonly reader: number;
  /** What the operator should know about the folder. */
  readonly warnings: readonly string[];
  /**
   * Called once the lock is taken: makes the WAL durable. `inUse`: the server crashed while it used
   * the database, so the WAL is checked for damage. Throws CannotStart.
   */
  secure(inUse: boolean): void;
  /** Called once all checks passed: marks the folder as ours, and makes its entries durable. */
  settle(): void;
  /**
   * Called after each commit and before each WAL checkpoint. Throws DiskVanished if the file or its
   * WAL was removed or cut, or if others wrote to the file (presence.ts).
   */
  check(): void;
  /**
   * Called before each commit, because writing behind the end of a WAL that was cut would hide the
   * cut.
   */
  checkLog(): void;
  /**
   * Called now and then: throws DiskVanished also if one of the two is not at its path any more.
   */
  checkPaths(): void;
  /** SQLite has just made a WAL checkpoint. */
  noteWalCheckpoint(): void;
  /** Called after SQLite closed the file. Throws DiskVanished if the file is not at its path. */
  release(): void;
}

const writtenAt = (path: string) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

/** A clock that is further ahead of the last commit may be wrong. */
const AHEAD_MS_MAX = 86_400_000;

/** A line begins a period for good, so a clock that may be wrong is worth a warning. */
export function doubtsAboutClock(database: Database, writtenMs: number, nowMs: number): string[] {
  if (nowMs - writtenMs <= AHEAD_MS_MAX || !hasTable(database, "periods")) return [];
  if (readValue(database, "SELECT count(*) FROM periods") === 0n) return [];
  const [now, written] = [nowMs, writtenMs].map((ms) => new Date(ms).toISOString());
  return [
    `the clock says ${now}, and the newest commit is of ${written}: lines with periods go on in those of the clock, for ` +
      "good; if the clock is wrong, stop the server, set the clock and start again",
  ];
}

/** Opens the database in a folder; creates both if allowed. Throws CannotStart. */
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
  const writtenMs = Math.max(...[path, `${path}-wal`].map(writtenAt));
  const { reader, database } = openBoth(folder, path);
  let presence: Presence | undefined;
  return {
    path,
    database,
    isNew,
    reader,
    warnings: [...warnings, ...doubtsAboutClock(database, writtenMs, Date.now())],
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
    noteWalCheckpoint: () => presence?.noteWritten(),
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

/**
 * Reads the mark of a backup before SQLite opens the file, because a WAL beside it could hide the
 * mark.
 */
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
    // Opened for writing, though only read: only then does an overlay file system open the file
    // that SQLite writes.
    const reader = openRegular(path, constants.O_RDWR);
    refuseBackup(path, reader);
    return { reader, database: connect(path) };
  } catch (error) {
    throw refusalOf(error, folder, path);
  }
}

/** Makes the WAL durable. If the database was in use, refuses a WAL that is missing or damaged. */
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

/**
 * Makes a whole database under another name and links it to the final one, unless another server
 * was quicker.
 */
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
    // Made here, because SQLite gives its WAL the permissions of the database.
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
    // Another server was quicker: the lock decides which of the two goes on.
    if (!isOurs && existsSync(path)) return;
    throw new CannotStart(`cannot create ${path}: ${reasonOf(error)}`);
  }
}

/** Gives the WAL its second name. */
function keepLog(path: string): void {
  const [log, kept] = [`${path}-wal`, path + LOG_KEPT];
  try {
    if (existsSync(kept)) rmSync(kept);
    linkSync(log, kept);
  } catch {
    // The file system has no hard links: repair can tell less.
  }
}

/** Removes an unfinished database with the files that SQLite made beside it. */
function remove(path: string): void {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(path + suffix, { force: true });
}

/** Gives a finished and synced file its final name. Throws EEXIST if that is taken. */
export function publish(finished: string, path: string): void {
  linkSync(finished, path);
}

/** Whether an error says that the file exists. */
export function isTaken(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "EEXIST";
}

/** The error to start with: it tells the operator why the database could not be opened. */
export function refusalOf(error: unknown, folder: string, path: string): unknown {
  if (error instanceof DiskUnavailable) return new CannotStart(`${path}: ${error.message}`);
  // Thrown for values of other kinds than the tables allow.
  if (error instanceof TypeError || error instanceof RangeError) {
    return new CannotStart(`${path} is damaged: ${error.message}; restore a backup`);
  }
  const code = codeOf(error);
  // An error of neither SQLite nor the system explains itself.
  const isOfTheSystem = typeof (error as NodeJS.ErrnoException).errno === "number";
  if (code === undefined && !isOfTheSystem) return error;
  if (code === "SQLITE_BUSY") {
    return inUse(folder, path);
  }
  if (code === "SQLITE_NOTADB" || code?.startsWith("SQLITE_CORRUPT")) {
    return new CannotStart(`${path} is damaged: ${reasonOf(error)}; restore a backup`);
  }
  return new CannotStart(`cannot open ${path}: ${reasonOf(error)}`);
}
