/**
 * A simulated disk, which is a SQLite database in memory. The real store runs on it, and each
 * statement that writes can be made to fail, or to be the last before the process dies. The next
 * life finds everything that was committed. Failures below SQL are tested by test/campaigns/power.
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

/** A function called around each statement that writes; the statement throws what it throws. */
export type Interference = (sql: string, moment: "before" | "after") => void;

const WRITES = /^(INSERT|UPDATE|DELETE|BEGIN|COMMIT|PRAGMA wal_checkpoint)/;

export class SimulatedDisk {
  /** Called around each statement that writes. */
  interfere: Interference = () => {};
  /** The database that the life before left; undefined before the first. */
  private image: Buffer | undefined;
  private database: Database | undefined;

  /** Ends the life before, as it was committed, and opens the database for the next one. */
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

  /** Makes a disk with the database that these statements make. */
  static of(sql: string): SimulatedDisk {
    const disk = new SimulatedDisk();
    const database = new Database(":memory:");
    database.run(sql);
    disk.image = database.serialize();
    return disk;
  }

  /** Makes another disk with everything that is committed on this one. */
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

  /** Wraps a Database so that interfere() is called around each write. */
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
        get: (...values: SQLQueryBindings[]) => around(sql, () => prepared.get(...values)),
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
