/**
 * The store on SQLite: one file in the data folder, WAL mode, synchronous=FULL, locked by this
 * process alone. Each commit is one transaction, durable when commit() returns.
 *
 * Invariants: the file under its final name is always a whole database; while a server runs, the
 * main file itself says so (server.clean = 0), so that a lost WAL is noticed (so a process must not
 * end in a way that lets SQLite remove the WAL, unless by close(): exit.ts); SQLite never moves
 * the WAL into the main file by itself, because it would swallow a failed sync.
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
  sizeOf,
  syncFolder,
  unmarkOwner,
} from "./folder.ts";
import { Rows } from "./rows.ts";
import { APPLICATION_ID, migrations } from "./schema.ts";
import {
  type Change,
  StorageBroken,
  StorageUnavailable,
  type Store,
  type StoredDispenser,
} from "./store.ts";

const DATABASE_FILE = "number-dispenser.db";
const UNFINISHED = ".unfinished";

/** After about so many rows and commits the WAL is moved into the main file (16 to 32 MiB). */
const WAL_WRITES_MAX = 4000;

/** Opens the store in a folder, creating both where allowed. Throws CannotStart. */
export function openSqliteStore(folder: string, options: FolderOptions): SqliteStore {
  prepareFolder(folder, options);
  const path = join(folder, DATABASE_FILE);
  const isNew = !existsSync(path);
  if (isNew) createDatabase(folder, path, options);
  requireAccess(path);
  const walBytes = sizeOf(`${path}-wal`);
  try {
    return new SqliteStore(folder, path, connect(path), walBytes, isNew);
  } catch (error) {
    // The connection stays open: closing it would move the WAL into a file just refused. The
    // process has to end by leave() (exit.ts), which does not close it either.
    throw refusal(folder, path, error);
  }
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
    syncFile(unfinished);
    linkIfAbsent(unfinished, path);
    rmSync(unfinished);
    syncFolder(folder);
  } catch (error) {
    throw new CannotStart(`cannot create ${path}: ${reasonOf(error)}`);
  }
}

function syncFile(path: string): void {
  const descriptor = openSync(path, "r");
  fsyncSync(descriptor);
  closeSync(descriptor);
}

function linkIfAbsent(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

function connect(path: string): Database {
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

function migrate(database: Database): void {
  const version = Number(readValue(database, "PRAGMA user_version"));
  database.transaction(() => {
    for (const migration of migrations.slice(version)) database.run(migration);
    database.run(`PRAGMA application_id = ${APPLICATION_ID}`);
    database.run(`PRAGMA user_version = ${migrations.length}`);
  })();
}

/** The one value that a pragma or a query of one row and column answers. */
function readValue(database: Database, sql: string): bigint | string | null {
  return Object.values(database.query<Record<string, bigint | string | null>, []>(sql).get()!)[0]!;
}

/** Why the database could not be opened, in words for the operator. */
function refusal(folder: string, path: string, error: unknown): Error {
  if (error instanceof StorageUnavailable) return new CannotStart(`${path}: ${error.message}`);
  const code = codeOf(error);
  if (code === undefined) return error as Error;
  if (code === "SQLITE_BUSY") {
    return new CannotStart(`data folder ${folder} is in use by ${ownerOf(folder)}`);
  }
  if (code === "SQLITE_NOTADB" || code.startsWith("SQLITE_CORRUPT")) {
    return new CannotStart(`${path} is damaged: ${reasonOf(error)}; restore a backup`);
  }
  return new CannotStart(`cannot open ${path}: ${reasonOf(error)}`);
}

function codeOf(error: unknown): string | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === "string" && code.startsWith("SQLITE_") ? code : undefined;
}

/** What a failed write means: nothing was written, or nobody knows, or the program is wrong. */
export function failureOf(error: unknown, path: string): unknown {
  const code = codeOf(error);
  if (code === "SQLITE_FULL") return new StorageUnavailable("the disk is full");
  if (code === "SQLITE_IOERR_WRITE") {
    return new StorageUnavailable("a write was refused: disk, quota or file size limit reached");
  }
  return code === undefined ? error : new StorageBroken(`${path}: ${reasonOf(error)}`);
}

export class SqliteStore implements Store {
  readonly crashed: boolean;
  /** Whether there was no database before. */
  readonly isNew: boolean;
  private readonly folder: string;
  private readonly path: string;
  private readonly database: Database;
  private readonly rows: Rows;
  private staged: Change[] = [];
  /** Rows and commits written since the WAL was last moved into the main file. */
  private walWrites = 0;

  /** `walBytes` is the size the WAL had before the database was opened. */
  constructor(folder: string, path: string, database: Database, walBytes: number, isNew: boolean) {
    this.isNew = isNew;
    this.folder = folder;
    this.path = path;
    this.database = database;
    this.checkIdentity();
    this.checkPages();
    this.crashed = readValue(database, "SELECT clean FROM server") === 0n;
    if (this.crashed && walBytes === 0) {
      throw new CannotStart(
        `${path} was in use when its server stopped, but its write-ahead log ${path}-wal is ` +
          "missing or empty: numbers handed out last are not in it; put the log back, or restore",
      );
    }
    markOwner(folder);
    removeLeftovers(folder, UNFINISHED);
    // What a failed sync left in the WAL reads as if it were safe. Only after all of it is synced
    // into the main file may anything be built on it.
    this.moveWal();
    migrate(database);
    database.run("UPDATE server SET clean = 0");
    this.moveWal();
    syncFolder(folder);
    this.rows = new Rows(database, path);
  }

  /** The first access takes the lock, or throws SQLITE_BUSY. */
  private checkIdentity(): void {
    const version = Number(readValue(this.database, "PRAGMA user_version"));
    if (Number(readValue(this.database, "PRAGMA application_id")) !== APPLICATION_ID) {
      throw new CannotStart(`${this.path} is damaged, or not a Number Dispenser database`);
    }
    if (version > migrations.length) {
      throw new CannotStart(
        `${this.path} was written by a newer Number Dispenser: its schema version is ${version}, ` +
          `this one knows ${migrations.length}`,
      );
    }
  }

  private checkPages(): void {
    const found = readValue(this.database, "PRAGMA quick_check(1)");
    if (found !== "ok") {
      throw new CannotStart(`${this.path} is damaged: ${found}; restore a backup`);
    }
  }

  *load(): Iterable<StoredDispenser> {
    yield* this.rows.load();
  }

  stage(change: Change): void {
    this.staged.push(change);
  }

  commit(): void {
    const changes = this.staged;
    this.staged = [];
    this.guard(() => {
      this.rows.begin();
      for (const change of changes) this.rows.write(change);
      this.rows.commit();
    });
    this.walWrites += 1 + changes.length;
  }

  maintain(): void {
    if (this.walWrites < WAL_WRITES_MAX) return;
    // Counted anew even where it fails: the next try comes after as many writes again.
    this.walWrites = 0;
    this.guard(() => this.moveWal());
  }

  close(): void {
    this.commit();
    this.guard(() => this.moveWal());
    // The mark goes last: whoever reads it in the main file finds all the rest there, too.
    this.guard(() => {
      this.database.run("UPDATE server SET clean = 1");
      this.moveWal("TRUNCATE");
    });
    this.rows.finalize();
    this.guard(() => this.database.close(true));
    unmarkOwner(this.folder);
  }

  /** Moves the whole WAL into the main file and syncs that. */
  private moveWal(mode: "RESTART" | "TRUNCATE" = "RESTART"): void {
    const row = this.database.query<{ busy: bigint }, []>(`PRAGMA wal_checkpoint(${mode})`).get();
    if (row?.busy !== 0n) throw new StorageUnavailable("the write-ahead log is busy");
  }

  /** Runs what writes, and sorts its failure into what can be tried again and what cannot. */
  private guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.rollBack();
      throw failureOf(error, this.path);
    }
  }

  private rollBack(): void {
    try {
      if (this.database.inTransaction) this.database.run("ROLLBACK");
    } catch (error) {
      throw new StorageBroken(`${this.path}: rolling back failed: ${reasonOf(error)}`);
    }
  }
}
