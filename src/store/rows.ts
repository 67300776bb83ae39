/**
 * Changes into rows and rows into dispensers: the SQL of the store. Transactions, failures and the
 * file itself are in sqlite.ts. A position is stored as the last one below it (schema.ts says why).
 */

import type { Database, SQLQueryBindings, Statement } from "bun:sqlite";
import {
  type Definition,
  isPossible,
  positionsOf,
  share,
  typeOf,
} from "../dispenser/definition.ts";
import { NUMBER_MAX } from "../dispenser/line.ts";
import { toBytes, toText } from "../dispenser/name.ts";
import type { Reservation } from "../dispenser/reservation.ts";
import { type StrategyName, strategies } from "../dispenser/strategy.ts";
import { CannotStart } from "../refusal.ts";
import type { Change, StoredDispenser } from "./store.ts";

/** So many rows are read at a time. */
const PAGE_ROWS = 4096;

/** A definition with what is kept of it; null where there is no such row. In the order of SELECT. */
type LoadedRow = readonly [
  id: bigint,
  name: string,
  type: bigint,
  length: bigint,
  starting: bigint,
  step: bigint,
  autoDisk: string,
  position: bigint | null,
  checkpoint: bigint | null,
  segment: bigint | null,
  generated: bigint | null,
  wasted: bigint | null,
];

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

  /**
   * Every dispenser in the order of ids. After a clean close (`isExact`) nothing lies reserved
   * ahead. Throws CannotStart where rows contradict each other.
   */
  *load(isExact: boolean): Iterable<StoredDispenser> {
    let kept = 0;
    let page: LoadedRow[];
    let last = -1n;
    do {
      page = this.statements.load.values(last, PAGE_ROWS) as unknown as LoadedRow[];
      for (const row of page) {
        const [id, name, , , , , , position, checkpoint, segment] = row;
        kept += Number(position !== null) + Number(checkpoint !== null) + Number(segment !== null);
        const stored = this.stored(row);
        if (!isSound(row, stored, isExact)) throw this.damaged(`rows of '${name}'`);
        last = id;
        yield stored;
      }
    } while (page.length === PAGE_ROWS);
    const { count } = this.statements.countKept.get() as { count: bigint };
    if (count !== BigInt(kept)) throw this.damaged("rows of no dispenser and those of some");
  }

  private damaged(what: string): CannotStart {
    return new CannotStart(
      `${this.path} is damaged: ${what} contradict each other; restore a backup`,
    );
  }

  private stored(row: LoadedRow): StoredDispenser {
    const [id, name, code, length, starting, step, autoDisk, position, checkpoint, segment] = row;
    const [generated, wasted] = [row[10], row[11]];
    const type = typeOf(Number(code));
    if (type === undefined || !Object.hasOwn(strategies, autoDisk)) {
      throw this.damaged(`the definition of '${name}' and what there is`);
    }
    const strategy = autoDisk as StrategyName;
    const last = checkpoint ?? position ?? segment;
    return {
      id: Number(id),
      name: toBytes(name),
      definition: share({ type, length: Number(length), starting, step, strategy }),
      account:
        last === null
          ? undefined
          : {
              reserved: last + 1n,
              generated: generated!,
              wasted: wastedOf(last, generated!, wasted!),
            },
      segmentEnd: segment === null ? undefined : segment + 1n,
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
    const { generated } = account;
    const last = account.reserved - 1n;
    const wasted = storable(account.wasted);
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

/** All 2^63 numbers of the longest line may be wasted, one more than an integer of SQLite holds. */
function storable(wasted: bigint): bigint {
  if (wasted > NUMBER_MAX) return NUMBER_MAX;
  return wasted;
}

/** And back: nothing else ends so. */
function wastedOf(last: bigint, generated: bigint, wasted: bigint): bigint {
  const isAll = last === NUMBER_MAX && generated === 0n && wasted === NUMBER_MAX;
  return isAll ? NUMBER_MAX + 1n : wasted;
}

/** Whether a dispenser can be as its rows say; damage mostly leaves one that cannot. */
function isSound(row: LoadedRow, stored: StoredDispenser, isExact: boolean): boolean {
  const { definition, account } = stored;
  const { type } = definition;
  if (!isPossible(definition) || !isInItsTables(row, definition)) return false;
  if (account === undefined) return true;
  const { reserved, generated, wasted } = account;
  if (generated < 0n || wasted < 0n) return false;
  if (!type.isLine) return true;
  const known = generated + wasted;
  if (reserved > positionsOf(definition)) return false;
  return isExact ? reserved === known : reserved >= known;
}

/** Whether what is kept of a dispenser is in the tables of its strategy, and only there. */
function isInItsTables(row: LoadedRow, { type, strategy }: Definition): boolean {
  const [, , , , , , , position, checkpoint, segment] = row;
  switch (type.isLine ? strategies[strategy].keeps : "position") {
    case "definition":
    case "position":
      return checkpoint === null && segment === null;
    case "segments":
      return position === null && checkpoint === null;
    case "checkpoint":
      if (position !== null) return false;
      return segment === null || (checkpoint !== null && checkpoint <= segment);
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
      `SELECT d.id, d.name, d.type, d.length, d.starting, d.step, d.auto_disk,
         p.last, c.last, s.last,
         coalesce(c.generated, p.generated, s.generated),
         coalesce(c.wasted, p.wasted, s.wasted)
       FROM definitions d
       LEFT JOIN positions p ON p.dispenser = d.id
       LEFT JOIN checkpoints c ON c.dispenser = d.id
       LEFT JOIN segments s ON s.dispenser = d.id
         AND s.last = (SELECT max(last) FROM segments WHERE dispenser = d.id)
       WHERE d.id > ? ORDER BY d.id LIMIT ?`,
    ),
    countKept: statement(
      `SELECT (SELECT count(*) FROM positions) + (SELECT count(*) FROM checkpoints)
         + (SELECT count(DISTINCT dispenser) FROM segments) AS count`,
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
