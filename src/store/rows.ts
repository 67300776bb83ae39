/**
 * Changes into rows and rows into dispensers: the SQL of the store. Transactions, failures and the
 * file itself are in sqlite.ts. A position is stored as the last one below it (schema.ts says why).
 */

import type { Database, SQLQueryBindings, Statement } from "bun:sqlite";
import { typeOf } from "../dispenser/definition.ts";
import { toBytes, toText } from "../dispenser/name.ts";
import type { Reservation } from "../dispenser/reservation.ts";
import { type StrategyName, strategies } from "../dispenser/strategy.ts";
import { CannotStart } from "../refusal.ts";
import type { Change, StoredDispenser } from "./store.ts";

/** A definition with what is kept of it; null where there is no such row. */
interface LoadedRow {
  readonly id: bigint;
  readonly name: string;
  readonly type: bigint;
  readonly length: bigint;
  readonly starting: bigint;
  readonly step: bigint;
  readonly auto_disk: string;
  readonly last: bigint | null;
  readonly generated: bigint | null;
  readonly wasted: bigint | null;
  readonly segment_last: bigint | null;
}

export class Rows {
  private readonly path: string;
  private readonly statements: Statements;

  /** `path` is the file's, for what is said of damage in it. */
  constructor(database: Database, path: string) {
    this.path = path;
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

  /** Every dispenser in the order of ids. Throws CannotStart where rows contradict. */
  *load(): Iterable<StoredDispenser> {
    for (const row of this.statements.load.iterate()) yield this.stored(row as LoadedRow);
  }

  private stored(row: LoadedRow): StoredDispenser {
    const { name, last, segment_last: segmentLast } = row;
    const type = typeOf(String(row.type));
    const generated = row.generated ?? 0n;
    const wasted = row.wasted ?? 0n;
    const isConsistent =
      generated >= 0n &&
      wasted >= 0n &&
      (last === null || !type?.isLine || last + 1n >= generated + wasted) &&
      (last === null || segmentLast === null || last <= segmentLast);
    if (type === undefined || !Object.hasOwn(strategies, row.auto_disk) || !isConsistent) {
      throw new CannotStart(`${this.path} is damaged: rows of '${name}' contradict each other`);
    }
    return {
      id: Number(row.id),
      name: toBytes(name),
      definition: {
        type,
        length: Number(row.length),
        starting: row.starting,
        step: row.step,
        strategy: row.auto_disk as StrategyName,
      },
      account: last === null ? undefined : { reserved: last + 1n, generated, wasted },
      segmentEnd: segmentLast === null ? undefined : segmentLast + 1n,
    };
  }

  /** Writes a change, inside the transaction under way. */
  write(change: Change): void {
    const statements = this.statements;
    switch (change.kind) {
      case "define": {
        const { type, length, starting, step, strategy } = change.definition;
        const name = toText(change.name);
        statements.define.run(change.id, name, type.code, length, starting, step, strategy);
        break;
      }
      case "remove":
        // What is kept of it goes with it (ON DELETE CASCADE).
        statements.undefine.run(change.id);
        break;
      case "reserve":
        this.reserve(change.reservation);
        break;
    }
  }

  private reserve({ id, keeps, account, segment, replaces }: Reservation): void {
    const statements = this.statements;
    const { generated, wasted } = account;
    const last = account.reserved - 1n;
    if (replaces) this.forget(id);
    if (segment !== undefined) {
      statements.addSegment.run(id, segment.first - 1n, segment.last, generated, wasted);
      // What lies below the position is used up; the last segment stays, whatever is used of it.
      const position = generated + wasted;
      statements.dropSegments.run(id, position < last ? position : last);
    } else if (keeps === "segments") {
      statements.countSegment.run(generated, wasted, id, last);
    }
    if (keeps === "checkpoint") statements.checkpoint.run(id, last, generated, wasted);
    if (keeps === "position" || keeps === "definition") {
      statements.position.run(id, last, generated, wasted);
    }
  }

  private forget(id: number): void {
    this.statements.dropPosition.run(id);
    this.statements.dropCheckpoint.run(id);
    this.statements.dropAllSegments.run(id);
  }
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
    load: statement(
      `SELECT d.*, s.last AS segment_last,
         coalesce(c.last, p.last, s.last) AS last,
         coalesce(c.generated, p.generated, s.generated) AS generated,
         coalesce(c.wasted, p.wasted, s.wasted) AS wasted
       FROM definitions d
       LEFT JOIN positions p ON p.dispenser = d.id
       LEFT JOIN checkpoints c ON c.dispenser = d.id
       LEFT JOIN (SELECT dispenser, max(last) AS last, generated, wasted
                  FROM segments GROUP BY dispenser) s ON s.dispenser = d.id
       ORDER BY d.id`,
    ),
    define: statement(
      `INSERT INTO definitions VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET auto_disk = excluded.auto_disk`,
    ),
    undefine: statement("DELETE FROM definitions WHERE id = ?"),
    position: upsert("positions"),
    checkpoint: upsert("checkpoints"),
    addSegment: statement("INSERT INTO segments VALUES (?, ?, ?, ?, ?)"),
    countSegment: statement(
      "UPDATE segments SET generated = ?, wasted = ? WHERE dispenser = ? AND last = ?",
    ),
    dropSegments: statement("DELETE FROM segments WHERE dispenser = ? AND last < ?"),
    dropPosition: statement("DELETE FROM positions WHERE dispenser = ?"),
    dropCheckpoint: statement("DELETE FROM checkpoints WHERE dispenser = ?"),
    dropAllSegments: statement("DELETE FROM segments WHERE dispenser = ?"),
  };
}
