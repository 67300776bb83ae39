/**
 * The store on SQLite: WAL mode, synchronous=FULL, locked by this process alone. Each commit is one
 * transaction, durable when commit() returns.
 *
 * Invariants: while a server runs, the main file itself says so (server.clean = 0), so that the
 * next start notices a lost WAL; therefore only close() may end in a way that lets SQLite remove
 * the WAL (platform/exit.ts). SQLite never makes a WAL checkpoint by itself, because it would
 * ignore a failed sync.
 */

import type { Database } from "bun:sqlite";
import { dirname } from "node:path";
import { assert } from "../base/assert.ts";
import { reasonOf } from "../base/errors.ts";
import { isReadOnly } from "../platform/files.ts";
import { copyDatabase, refuseOwnPath } from "./backup.ts";
import { checkIdentity, checkPages, markOf, nodeIn } from "./check.ts";
import { codeOf, migrate, readValue } from "./database.ts";
import { DeletedRows } from "./deleted-rows.ts";
import { type DatabaseFile, openDatabaseFile, refusalOf } from "./file.ts";
import type { FolderOptions } from "./folder.ts";
import { loadDispensers } from "./loading.ts";
import { Rows } from "./rows.ts";
import { CLOSED, CLOSED_INEXACTLY, IN_USE, mark } from "./schema.ts";
import {
  type Change,
  DiskBroken,
  DiskUnavailable,
  type Store,
  type StoredDeleted,
  type StoredDispenser,
} from "./store.ts";

/** A WAL checkpoint is made after about so many rows and commits (16 to 32 MiB). */
const WAL_WRITES_MAX = 4000;

/**
 * While a backup reads the main file, the WAL may grow this many times longer; then the backup is
 * ended.
 */
const COPYING_FACTOR = 16;

/** Opens the store in a folder; creates both if allowed. Throws CannotStart. */
export function openSqliteStore(folder: string, options: FolderOptions): SqliteStore {
  const file = openDatabaseFile(folder, options);
  try {
    return new SqliteStore(file);
  } catch (error) {
    // The connection stays open: closing it would make a WAL checkpoint in a file that was refused.
    // The process has to end by leave() (platform/exit.ts), which does not close it either.
    throw refusalOf(error, folder, file.path);
  }
}

/**
 * Sorts a failed write: DiskUnavailable (nothing was written), DiskBroken (unknown), or the error
 * itself.
 */
export function failureOf(error: unknown, path: string): unknown {
  const code = codeOf(error);
  if (code === "SQLITE_FULL") return new DiskUnavailable("the disk is full");
  if (code === "SQLITE_IOERR_WRITE") {
    return new DiskUnavailable(
      isReadOnly(path)
        ? "the file system has become read-only: see the system's log for errors of the disk"
        : "a write was refused: disk, quota or file size limit reached",
    );
  }
  return code === undefined ? error : new DiskBroken(`${path}: ${reasonOf(error)}`);
}

interface Copying {
  /** Why the backup cannot go on. */
  endedBy: string | undefined;
}

export class SqliteStore implements Store {
  readonly crashed: boolean;
  /** Whether the last life ended by a clean close that left all positions and counts exact. */
  private readonly isExact: boolean;
  private readonly file: DatabaseFile;
  private readonly walWritesMax: number;
  private readonly database: Database;
  private rows: Rows | undefined;
  private deleted: DeletedRows | undefined;
  private staged: Change[] = [];
  /** Rows and commits written since the last WAL checkpoint. */
  private walWrites = 0;
  /** The backup that reads the main file, which must not change before the backup is ended. */
  private copying: Copying | undefined;

  /** `walWritesMax`: a WAL checkpoint is made after about so many rows and commits. */
  constructor(file: DatabaseFile, walWritesMax = WAL_WRITES_MAX) {
    this.file = file;
    this.walWritesMax = walWritesMax;
    this.database = file.database;
    checkIdentity(this.database, file.path);
    const left = markOf(this.database);
    this.isExact = left === CLOSED;
    this.crashed = left !== CLOSED && left !== CLOSED_INEXACTLY;
    file.secure(left === IN_USE);
    checkPages(this.database, file.path);
  }

  get path(): string {
    return this.file.path;
  }

  /** What the operator should know about the folder. */
  get warnings(): readonly string[] {
    return this.file.warnings;
  }

  /** Whether this start made the database. */
  get isNew(): boolean {
    return this.file.isNew;
  }

  get size(): number {
    return Number(readValue(this.database, "SELECT count(*) FROM definitions"));
  }

  *load(): Iterable<readonly StoredDispenser[]> {
    const { path } = this.file;
    try {
      yield* loadDispensers(this.database, path, this.isExact);
      this.enter();
    } catch (error) {
      throw refusalOf(error, dirname(path), path);
    }
  }

  /** Writes for the first time, after everything was read and checked. */
  private enter(): void {
    // The WAL begins anew, so that nothing is written behind a commit that a crash tore (wal.ts).
    this.checkpointWal();
    migrate(this.database);
    this.rows = new Rows(this.database);
    this.deleted = new DeletedRows(this.database);
    this.database.run(mark(IN_USE));
    this.checkpointWal();
    this.file.settle();
  }

  stage(change: Change): void {
    this.staged.push(change);
  }

  commit(): void {
    const changes = this.staged;
    this.staged = [];
    this.write(changes);
  }

  /** Writes changes in a transaction of their own. */
  private write(changes: readonly Change[]): void {
    const { rows } = this;
    assert(rows !== undefined, "nothing is written before load()");
    const { deletedSize, ageS } = rows;
    try {
      this.guard(() => {
        this.file.checkLog();
        rows.begin();
        for (const change of changes) rows.write(change);
        rows.commit();
        this.file.check();
      });
    } catch (error) {
      rows.deletedSize = deletedSize;
      rows.ageS = ageS;
      throw error;
    }
    this.walWrites += 1 + changes.length;
  }

  get deletedSize(): number {
    return this.rows?.deletedSize ?? 0;
  }

  get ageS(): number {
    return this.rows?.ageS ?? 0;
  }

  get oldestDeletedS(): number {
    return this.readDeleted((rows) => rows.oldestS);
  }

  skippedOf(id: number): bigint {
    return this.read((rows) => rows.skippedOf(id));
  }

  passedIn(id: number, period: number): bigint {
    return this.read((rows) => rows.passedIn(id, period));
  }

  private read<T>(work: (rows: Rows) => T): T {
    const { rows } = this;
    assert(rows !== undefined, "rows are read after load()");
    try {
      return work(rows);
    } catch (error) {
      throw failureOf(error, this.file.path);
    }
  }

  deletedOf(name: string): readonly StoredDeleted[] {
    return this.readDeleted((rows) => rows.ofName(name));
  }

  listDeleted(after: number, count: number): readonly StoredDeleted[] {
    return this.readDeleted((rows) => rows.page(after, count));
  }

  private readDeleted<T>(work: (rows: DeletedRows) => T): T {
    const { deleted } = this;
    assert(deleted !== undefined, "deleted lines are read after load()");
    try {
      return work(deleted);
    } catch (error) {
      throw failureOf(error, this.file.path);
    }
  }

  get node(): string | undefined {
    return nodeIn(this.database);
  }

  writeNode(state: string): void {
    this.write([{ kind: "node", state }]);
  }

  maintain(): void {
    const most = this.walWritesMax * (this.copying === undefined ? 1 : COPYING_FACTOR);
    if (this.walWrites < most) return;
    // Reset even if the checkpoint fails: the next try comes after as many writes again.
    this.walWrites = 0;
    this.endCopy("the write-ahead log grew too long meanwhile: try when less is written");
    this.guard(() => this.checkpointWal());
  }

  async backUp(path: string): Promise<void> {
    if (this.copying !== undefined) throw new DiskUnavailable("a backup is under way");
    refuseOwnPath(path, dirname(this.file.path));
    this.walWrites = 0;
    this.guard(() => this.checkpointWal());
    const copying: Copying = { endedBy: undefined };
    this.copying = copying;
    try {
      await copyDatabase(this.file.reader, path, () => {
        if (copying.endedBy !== undefined) throw new DiskUnavailable(copying.endedBy);
      });
    } finally {
      this.copying = undefined;
    }
  }

  /** Ends the backup under way, because the main file is about to change. */
  private endCopy(reason: string): void {
    if (this.copying !== undefined) this.copying.endedBy ??= reason;
  }

  /**
   * Throws DiskVanished if the database or its WAL was removed, moved, replaced or copied over. To
   * be called now and then: a commit checks the open files, not their paths.
   */
  checkPaths(): void {
    this.file.checkPaths();
  }

  close(): void {
    this.endCopy("the server is being stopped");
    this.commit();
    this.guard(() => this.checkpointWal());
    this.file.checkPaths();
    // The mark is written last, so that a main file with the mark has everything else as well.
    this.guard(() => {
      this.database.run(mark(CLOSED));
      this.checkpointWal("TRUNCATE");
    });
    this.rows?.finalize();
    this.deleted?.finalize();
    this.guard(() => this.database.close(true));
    this.file.release();
  }

  /** Copies the whole WAL into the main file and syncs that. Also throws DiskVanished. */
  private checkpointWal(mode: "RESTART" | "TRUNCATE" = "RESTART"): void {
    this.file.check();
    const checkpoint = this.database.query<{ busy: bigint }, []>(`PRAGMA wal_checkpoint(${mode})`);
    let row: { busy: bigint } | null;
    try {
      row = checkpoint.get();
    } finally {
      // Even if the disk is full, a part of it may have been copied.
      this.file.noteWalCheckpoint();
    }
    if (row?.busy !== 0n) throw new DiskUnavailable("the write-ahead log is busy");
  }

  /** Runs work that writes; rolls back and sorts the error if it fails (failureOf()). */
  private guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.rollBack();
      throw failureOf(error, this.file.path);
    }
  }

  private rollBack(): void {
    try {
      if (this.database.inTransaction) this.database.run("ROLLBACK");
    } catch (error) {
      throw new DiskBroken(`${this.file.path}: rolling back failed: ${reasonOf(error)}`);
    }
  }
}
