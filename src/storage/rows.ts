/**
 * Writes changes as rows. loading.ts reads them; sqlite.ts has the transactions, failures and the
 * file itself. A position is stored as the last one below it (schema.ts says why).
 */

import type { Changes, Database, SQLQueryBindings, Statement } from "bun:sqlite";
import { smallest } from "../base/bigint.ts";
import type { Leased } from "../dispenser/allocation.ts";
import type { Definition } from "../dispenser/definition.ts";
import { toText } from "../dispenser/name.ts";
import type { Run } from "../dispenser/period-run.ts";
import type { Account, Reservation } from "../dispenser/reservation.ts";
import { NO_PERIOD } from "../dispenser/types/type.ts";
import { NUMBER_MAX } from "../dispenser/types/whole-number.ts";

import { readValue } from "./database.ts";
import type { Change, DeletedLine } from "./store.ts";

export class Rows {
  /** How many deleted lines are kept, including what the transaction under way changes. */
  deletedSize: number;
  /** The age of the database, likewise. */
  ageS: number;
  private readonly statements: Statements;

  constructor(database: Database) {
    this.deletedSize = Number(readValue(database, "SELECT count(*) FROM deleted"));
    this.ageS = Number(readValue(database, "SELECT seconds FROM age"));
    this.statements = prepare(database);
  }

  begin(): void {
    this.statements.begin.run();
  }

  commit(): void {
    this.statements.commit.run();
  }

  finalize(): void {
    for (const statement of Object.values(this.statements)) statement.finalize();
  }

  /** How many numbers of a line an operator skipped. */
  skippedOf(id: number): bigint {
    const row = this.statements.skipped.get(id) as { numbers: bigint } | null;
    return row?.numbers ?? 0n;
  }

  /** How many numbers a line had passed of a period that it has left. */
  passedIn(id: number, period: number): bigint {
    const { ended, skippedPeriods } = this.statements;
    const row = ended.get(id, period) as { last: bigint } | null;
    if (row !== null) return row.last + 1n;
    return (skippedPeriods.get(id, period, period) as { numbers: bigint }).numbers;
  }

  /** Writes a change, inside the transaction under way. */
  write(change: Change): void {
    const statements = this.statements;
    switch (change.kind) {
      case "define": {
        const { line, strategy } = change.definition;
        statements.define.run(change.id, toText(change.name), strategy, line);
        break;
      }
      case "remove":
        // All other rows of the dispenser go with it (ON DELETE CASCADE).
        statements.undefine.run(change.id);
        break;
      case "keep":
        this.keep(change.line);
        break;
      case "forget":
        this.forgetDeleted(change.name, change.definition);
        break;
      case "move deleted": {
        const counts = countsOf(change.account);
        statements.moveDeleted.run(...counts, ...startOf(change.run), change.nth);
        break;
      }
      case "purge": {
        const { deletedBeforeS, keptMax, atOnce } = change;
        this.dropDeleted(statements.purgeOld.run(deletedBeforeS, atOnce));
        const over = Math.min(this.deletedSize - keptMax, atOnce);
        if (over > 0) this.dropDeleted(statements.purgeOldest.run(over));
        break;
      }
      case "age":
        this.ageS = Math.max(this.ageS, change.seconds);
        statements.age.run(this.ageS);
        break;
      case "reserve":
        this.reserve(change.reservation);
        break;
      case "skip":
        statements.skip.run(change.id, storable(change.numbers));
        break;
      case "end period":
        statements.endPeriod.run(change.id, change.period, change.passed - 1n);
        break;
      case "skip periods": {
        const { id, since, until } = change;
        const numbers = storable(change.numbers);
        statements.skipInPeriods.run(numbers, numbers, id, since, until);
        statements.skipPeriods.run(id, since, until, numbers);
        break;
      }
      case "lease":
        this.lease(change.id, change.allocation);
        break;
      case "node":
        statements.node.run(change.state);
        break;
    }
  }

  private reserve({ id, keeps, account, segment, replaces, run }: Reservation): void {
    const statements = this.statements;
    const [last, generated, wasted] = countsOf(account);
    if (replaces) this.forget(id);
    if (run !== undefined) statements.run.run(id, ...startOf(run), run.knownFrom, run.reached);
    if (segment !== undefined) {
      statements.addSegment.run(id, segment.first - 1n, segment.last, generated, wasted);
      // Segments below the position are used up; the last one stays, even if it is used up.
      const position = generated + wasted;
      statements.dropSegments.run(id, smallest(position, last));
    } else if (keeps === "segments") {
      statements.countSegment.run(generated, wasted, id, last);
    }
    if (keeps === "checkpoint") statements.checkpoint.run(id, last, generated, wasted);
    if (keeps === "position" || keeps === "definition") {
      statements.position.run(id, last, generated, wasted);
    }
  }

  private lease(id: number, { ranges, period, ahead }: Leased): void {
    const statements = this.statements;
    const last = ranges.at(-1);
    if (last !== undefined) {
      statements.dropRuns.run(id, ranges[0]!.local);
      statements.addRun.run(id, last.local, last.first, last.first + last.count - 1n);
    }
    if (period !== NO_PERIOD) statements.run.run(id, period, 0n, period, period);
    statements.dropAhead.run(id);
    if (ahead === undefined) return;
    const { first, count, from } = ahead;
    statements.addAhead.run(id, ahead.period, first, first + count - 1n, from);
  }

  private keep({ name, definition, account, run, deletedAtS }: DeletedLine): void {
    const { line, strategy } = definition;
    const kept = [...countsOf(account), deletedAtS, ...startOf(run)];
    this.statements.keep.run(toText(name), line, strategy, ...kept);
    this.deletedSize++;
  }

  private forgetDeleted(name: string, definition: Definition | undefined): void {
    const { forgetAll, forgetLine } = this.statements;
    if (definition === undefined) return this.dropDeleted(forgetAll.run(toText(name)));
    this.dropDeleted(forgetLine.run(toText(name), definition.line));
  }

  private dropDeleted({ changes }: Changes): void {
    this.deletedSize -= changes;
  }

  private forget(id: number): void {
    this.statements.dropPosition.run(id);
    this.statements.dropCheckpoint.run(id);
    this.statements.dropAllSegments.run(id);
  }
}

/**
 * The longest line has 2^63 numbers, and all of them may be wasted, which is one more than an
 * integer of SQLite holds. stored-values.ts reads it back.
 */
function storable(wasted: bigint): bigint {
  if (wasted > NUMBER_MAX) return NUMBER_MAX;
  return wasted;
}

/** The columns last, generated and wasted. */
function countsOf({ reserved, generated, wasted }: Account): [bigint, bigint, bigint] {
  return [reserved - 1n, generated, storable(wasted)];
}

/** The columns period and start. */
function startOf(run: Run | undefined): [number | null, bigint | null] {
  return run === undefined ? [null, null] : [run.period, run.start];
}

type Statements = ReturnType<typeof prepare>;

function prepare(database: Database) {
  const statement = (sql: string): Statement<unknown, SQLQueryBindings[]> => database.prepare(sql);
  const upsert = (table: string) =>
    statement(
      `INSERT INTO ${table} VALUES (?, ?, ?, ?) ON CONFLICT (dispenser) DO UPDATE SET
         last = excluded.last, generated = excluded.generated, wasted = excluded.wasted`,
    );
  return {
    begin: statement("BEGIN IMMEDIATE"),
    commit: statement("COMMIT"),
    define: statement(
      `INSERT INTO definitions (id, name, auto_disk, line) VALUES (?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET auto_disk = excluded.auto_disk, line = excluded.line`,
    ),
    keep: statement(
      `INSERT INTO deleted
         (name, line, auto_disk, last, generated, wasted, deleted_at, period, start)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    forgetAll: statement("DELETE FROM deleted WHERE name = ?"),
    forgetLine: statement("DELETE FROM deleted WHERE name = ? AND line = ?"),
    moveDeleted: statement(
      `UPDATE deleted SET last = ?, generated = ?, wasted = ?, period = ?, start = ? WHERE nth = ?`,
    ),
    purgeOld: statement(
      `DELETE FROM deleted WHERE nth IN
         (SELECT nth FROM deleted WHERE deleted_at < ? ORDER BY deleted_at LIMIT ?)`,
    ),
    purgeOldest: statement(
      `DELETE FROM deleted WHERE nth IN
         (SELECT nth FROM deleted ORDER BY deleted_at, nth LIMIT ?)`,
    ),
    age: statement("UPDATE age SET seconds = ?"),
    undefine: statement("DELETE FROM definitions WHERE id = ?"),
    position: upsert("positions"),
    checkpoint: upsert("checkpoints"),
    addSegment: statement("INSERT INTO segments VALUES (?, ?, ?, ?, ?)"),
    countSegment: statement(
      "UPDATE segments SET generated = ?, wasted = ? WHERE dispenser = ? AND last = ?",
    ),
    dropSegments: statement("DELETE FROM segments WHERE dispenser = ? AND last < ?"),
    // The sum may be 2^63, as that of wasted numbers: storable().
    skip: statement(
      `INSERT INTO skipped VALUES (?, ?) ON CONFLICT (dispenser) DO UPDATE SET
         numbers = numbers + min(excluded.numbers, ${NUMBER_MAX} - numbers)`,
    ),
    skipped: statement("SELECT numbers FROM skipped WHERE dispenser = ?"),
    run: statement(
      `INSERT INTO periods VALUES (?, ?, ?, ?, ?) ON CONFLICT (dispenser) DO UPDATE SET
         period = excluded.period, start = excluded.start, known_from = excluded.known_from,
         reached = excluded.reached`,
    ),
    endPeriod: statement(
      `INSERT INTO ended_periods VALUES (?, ?, ?) ON CONFLICT (dispenser, period) DO UPDATE SET
         last = max(last, excluded.last)`,
    ),
    ended: statement("SELECT last FROM ended_periods WHERE dispenser = ? AND period = ?"),
    skipInPeriods: statement(
      `UPDATE ended_periods SET last = min(last, ${NUMBER_MAX} - ?) + ?
       WHERE dispenser = ? AND period BETWEEN ? AND ?`,
    ),
    skipPeriods: statement("INSERT INTO skipped_periods VALUES (?, ?, ?, ?)"),
    // Of several the sum, which may be more than an integer holds.
    skippedPeriods: statement(
      `SELECT CAST(min(total(numbers), 9e18) AS INTEGER) AS numbers FROM skipped_periods
       WHERE dispenser = ? AND since <= ? AND until >= ?`,
    ),
    dropRuns: statement("DELETE FROM runs WHERE dispenser = ? AND own < ?"),
    addRun: statement("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?)"),
    dropAhead: statement("DELETE FROM leases_ahead WHERE dispenser = ?"),
    addAhead: statement("INSERT INTO leases_ahead VALUES (?, ?, ?, ?, ?)"),
    node: statement("INSERT OR REPLACE INTO node VALUES (1, ?)"),
    dropPosition: statement("DELETE FROM positions WHERE dispenser = ?"),
    dropCheckpoint: statement("DELETE FROM checkpoints WHERE dispenser = ?"),
    dropAllSegments: statement("DELETE FROM segments WHERE dispenser = ?"),
  };
}
