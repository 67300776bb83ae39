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
import type { Account, Reservation } from "../dispenser/reservation.ts";
import { type StrategyName, strategies } from "../dispenser/strategy.ts";
import { CannotStart } from "../refusal.ts";
import type { Change, StoredDispenser } from "./store.ts";

/** So many rows are read at a time. */
const PAGE_ROWS = 1024;

/** A definition, in the order of SELECT. */
type DefinitionRow = readonly [
  id: bigint,
  name: string,
  type: string,
  length: bigint,
  starting: bigint,
  step: bigint,
  autoDisk: string,
];

/** What one table keeps of a dispenser. */
type KeptRow = readonly [id: bigint, last: bigint, generated: bigint, wasted: bigint];

/** What all of them keep of it; of segments, the last. */
interface Kept {
  readonly position: KeptRow | undefined;
  readonly checkpoint: KeptRow | undefined;
  readonly segment: KeptRow | undefined;
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

  /** How many dispensers there are. */
  get size(): number {
    return Number((this.statements.count.get() as { count: bigint }).count);
  }

  /**
   * Every dispenser in the order of ids, many at a time. After a clean close (`isExact`) nothing lies
   * reserved ahead. Throws CannotStart where rows contradict each other.
   */
  *load(isExact: boolean): Generator<StoredDispenser[]> {
    const { statements } = this;
    const positions = new Table<KeptRow>(statements.positions);
    const checkpoints = new Table<KeptRow>(statements.checkpoints);
    const segments = new Table<KeptRow>(statements.segments);
    const definitions = new Table<DefinitionRow>(statements.definitions);
    while (definitions.next !== undefined) {
      const loaded: StoredDispenser[] = [];
      while (definitions.next !== undefined && loaded.length < PAGE_ROWS) {
        const definition = definitions.next;
        const [id, name] = definition;
        const found = {
          position: positions.take(id),
          checkpoint: checkpoints.take(id),
          segment: segments.take(id),
        };
        const stored = this.stored(definition, found);
        if (!isSound(stored, found, isExact)) throw this.damaged(`rows of '${name}'`);
        loaded.push(stored);
        definitions.take(id);
      }
      yield loaded;
    }
    if (positions.hasOthers || checkpoints.hasOthers || segments.hasOthers) {
      throw this.damaged("rows of no dispenser and those of some");
    }
  }

  private damaged(what: string): CannotStart {
    return new CannotStart(
      `${this.path} is damaged: ${what} contradict each other; restore a backup`,
    );
  }

  private stored(row: DefinitionRow, { position, checkpoint, segment }: Kept): StoredDispenser {
    const [id, name, code, length, starting, step, autoDisk] = row;
    const type = typeOf(code);
    if (type === undefined || !Object.hasOwn(strategies, autoDisk)) {
      throw this.damaged(`the definition of '${name}' and what there is`);
    }
    const strategy = autoDisk as StrategyName;
    return {
      id: Number(id),
      name: toBytes(name),
      definition: share({ type, length: Number(length), starting, step, strategy }),
      account: accountOf(checkpoint ?? position ?? segment),
      segmentEnd: segment === undefined ? undefined : segment[1] + 1n,
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

/** Goes through a table in the order of ids, beside others, which is quicker than a join. */
class Table<Row extends readonly [id: bigint, ...rest: unknown[]]> {
  /** The row that comes next; undefined at the end. */
  next: Row | undefined;
  /** Whether rows were passed that nobody took. */
  private passedOthers = false;
  /** Gives rows from an id on, so many. */
  private readonly statement: Statement;
  private page: Row[] = [];
  private at = 0;

  constructor(statement: Statement) {
    this.statement = statement;
    this.turnPage(-1n);
  }

  private turnPage(last: bigint): void {
    this.page = this.statement.values(last, PAGE_ROWS) as unknown as Row[];
    this.at = 0;
    this.next = this.page[0];
  }

  private goOn(): void {
    this.next = this.page[++this.at];
    if (this.next === undefined && this.at === PAGE_ROWS) this.turnPage(this.page.at(-1)![0]);
  }

  /** The row with this id, if there is one, which lies behind the ids asked for before. */
  take(id: bigint): Row | undefined {
    while (this.next !== undefined && this.next[0] < id) {
      this.passedOthers = true;
      this.goOn();
    }
    const found = this.next;
    if (found?.[0] !== id) return undefined;
    this.goOn();
    return found;
  }

  get hasOthers(): boolean {
    return this.passedOthers || this.next !== undefined;
  }
}

function accountOf(row: KeptRow | undefined): Account | undefined {
  if (row === undefined) return undefined;
  const [, last, generated, wasted] = row;
  return { reserved: last + 1n, generated, wasted: wastedOf(last, generated, wasted) };
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
function isSound(stored: StoredDispenser, kept: Kept, isExact: boolean): boolean {
  const { definition, account } = stored;
  const { type } = definition;
  if (!isPossible(definition) || !isInItsTables(kept, definition)) return false;
  if (account === undefined) return true;
  const { reserved, generated, wasted } = account;
  if (generated < 0n || wasted < 0n) return false;
  if (!type.isLine) return true;
  const known = generated + wasted;
  if (reserved > positionsOf(definition)) return false;
  return isExact ? reserved === known : reserved >= known;
}

/** Whether what is kept of a dispenser is in the tables of its strategy, and only there. */
function isInItsTables(kept: Kept, { type, strategy }: Definition): boolean {
  const { position, checkpoint, segment } = kept;
  switch (type.isLine ? strategies[strategy].keeps : "position") {
    case "definition":
    case "position":
      return checkpoint === undefined && segment === undefined;
    case "segments":
      return position === undefined && checkpoint === undefined;
    case "checkpoint":
      if (position !== undefined) return false;
      return segment === undefined || (checkpoint !== undefined && checkpoint[1] <= segment[1]);
  }
}

type Statements = ReturnType<typeof prepare>;

function prepare(database: Database) {
  const statement = (sql: string): Statement<unknown, SQLQueryBindings[]> => database.prepare(sql);
  const following = (table: string) =>
    statement(`SELECT * FROM ${table} WHERE dispenser > ? ORDER BY dispenser LIMIT ?`);
  const upsert = (table: string) =>
    statement(
      `INSERT INTO ${table} VALUES (?, ?, ?, ?) ON CONFLICT (dispenser) DO UPDATE SET
         last = excluded.last, generated = excluded.generated, wasted = excluded.wasted`,
    );
  return {
    begin: statement("BEGIN IMMEDIATE"),
    commit: statement("COMMIT"),
    definitions: statement(
      `SELECT id, name, CAST(type AS TEXT), length, starting, step, auto_disk FROM definitions
       WHERE id > ? ORDER BY id LIMIT ?`,
    ),
    count: statement("SELECT count(*) AS count FROM definitions"),
    positions: following("positions"),
    checkpoints: following("checkpoints"),
    // Of each dispenser the row of the greatest last, with its counts:
    // https://sqlite.org/lang_select.html#bare_columns_in_an_aggregate_query
    segments: statement(
      `SELECT dispenser, max(last), generated, wasted FROM segments WHERE dispenser > ?
       GROUP BY dispenser ORDER BY dispenser LIMIT ?`,
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
