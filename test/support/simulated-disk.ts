/**
 * A disk that SQLite takes for its memory: the real store runs on it, and each statement that
 * writes can be made to fail, or to be the last the process lives to see. What was committed is
 * what the next life finds. What happens below SQL, in the file, test/power shows on real ones.
 */

import { Database, type SQLQueryBindings } from "bun:sqlite";
import { migrate } from "../../src/storage/database.ts";
import type { DatabaseFile } from "../../src/storage/file.ts";

/** The process died at this statement. */
export class Died extends Error {
  override readonly name = "Died";
}

/** An error as SQLite throws it. */
export function sqliteError(code: string): Error {
  return Object.assign(new Error("disk I/O error"), { code });
}

/** Called around each statement that writes; what it throws the statement throws. */
export type Interference = (sql: string, moment: "before" | "after") => void;

const WRITES = /^(INSERT|UPDATE|DELETE|BEGIN|COMMIT|PRAGMA wal_checkpoint)/;

export class SimulatedDisk {
  /** What happens around each statement that writes. */
  interfere: Interference = () => {};
  /** What the life before left; undefined before the first. */
  private image: Buffer | undefined;
  private database: Database | undefined;

  /** The database for the next life. The one before is over, as it was committed. */
  open(): DatabaseFile {
    this.pullThePlug();
    const isNew = this.image === undefined;
    this.database = isNew
      ? new Database(":memory:", { strict: true, safeIntegers: true })
      : Database.deserialize(this.image!, { strict: true, safeIntegers: true });
    this.database.run("PRAGMA foreign_keys = ON");
    if (isNew) migrate(this.database);
    return {
      path: "simulated.db",
      database: this.watched(this.database),
      isNew,
      reader: -1,
      warnings: [],
      secure: () => {},
      settle: () => {},
      check: () => {},
      checkLog: () => {},
      checkPaths: () => {},
      noteWalCheckpoint: () => {},
      release: () => {},
    };
  }

  /** A disk with the database that these statements make. */
  static of(sql: string): SimulatedDisk {
    const disk = new SimulatedDisk();
    const database = new Database(":memory:");
    database.run(sql);
    disk.image = database.serialize();
    return disk;
  }

  /** Another disk with what is committed on this one. */
  copy(): SimulatedDisk {
    const disk = new SimulatedDisk();
    disk.image = this.database?.serialize() ?? this.image;
    return disk;
  }

  private pullThePlug(): void {
    if (this.database === undefined) return;
    if (this.database.inTransaction) this.database.run("ROLLBACK");
    this.image = this.database.serialize();
    this.database.close();
    this.database = undefined;
  }

  /** The part of a Database that the store uses, with the interference. */
  private watched(database: Database): Database {
    const around = <T>(sql: string, work: () => T): T => {
      if (!WRITES.test(sql)) return work();
      this.interfere(sql, "before");
      const result = work();
      this.interfere(sql, "after");
      return result;
    };
    const statement = (sql: string) => {
      const prepared = database.query<unknown, SQLQueryBindings[]>(sql);
      return {
        run: (...values: SQLQueryBindings[]) => around(sql, () => prepared.run(...values)),
        get: () => around(sql, () => prepared.get()),
        values: (...values: SQLQueryBindings[]) => prepared.values(...values),
        finalize: () => {},
      };
    };
    return {
      run: (sql: string) => around(sql, () => database.run(sql)),
      query: statement,
      prepare: statement,
      transaction: (work: () => void) => database.transaction(work),
      close: () => this.pullThePlug(),
      get inTransaction() {
        return database.inTransaction;
      },
    } as unknown as Database;
  }
}
