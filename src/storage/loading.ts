/**
 * Rows into dispensers: what the start reads, and whether it can be. The tables are gone through side by
 * side in the order of ids, which is quicker than joins. rows.ts writes them.
 */

import type { Database, Statement } from "bun:sqlite";
import { CannotStart } from "../base/errors.ts";
import { Leased, type LeasedRange } from "../dispenser/allocation.ts";
import { type Definition, definitionFrom } from "../dispenser/definition.ts";
import { toBytes, toText } from "../dispenser/name.ts";
import type { Account } from "../dispenser/reservation.ts";
import { strategies } from "../dispenser/strategy.ts";
import { NUMBER_MAX } from "../dispenser/types/whole-number.ts";

import { hasColumn, hasTable } from "./file.ts";
import { LINE_OF_COLUMNS } from "./schema.ts";
import type { StoredDeleted, StoredDispenser } from "./store.ts";

/** So many rows are read at a time. */
const PAGE_ROWS = 1024;
/** Below every id, those of damaged rows among them. */
const BEFORE_ALL = -(2n ** 63n);

type DefinitionRow = readonly [id: bigint, name: string, line: string, autoDisk: string];

/** A deleted line. */
type DeletedRow = readonly [
  nth: bigint,
  name: string,
  line: string,
  autoDisk: string,
  last: bigint,
  generated: bigint,
  wasted: bigint,
  deletedAtS: bigint,
];

/** What one table keeps of a dispenser. */
type KeptRow = readonly [id: bigint, last: bigint, generated: bigint, wasted: bigint];

/** What all of them keep of it; of segments, the last. */
interface KeptRows {
  readonly position: KeptRow | undefined;
  readonly checkpoint: KeptRow | undefined;
  readonly segment: KeptRow | undefined;
}

/** A run that was leased. */
type RunRow = readonly [id: bigint, own: bigint, first: bigint, last: bigint];

/**
 * Every dispenser in the order of ids, many at a time. After a clean close (`isExact`) nothing lies
 * reserved ahead. Throws CannotStart, which names the file by `path`, where rows contradict each other.
 */
export function* loadDispensers(
  database: Database,
  path: string,
  isExact: boolean,
): Generator<StoredDispenser[]> {
  const statements = prepare(database);
  try {
    yield* load(statements, isExact);
    checkDeleted(statements.deleted);
  } catch (error) {
    if (!(error instanceof Contradiction)) throw error;
    throw new CannotStart(
      `${path} is damaged: ${error.message} contradict each other; restore a backup`,
    );
  } finally {
    for (const statement of Object.values(statements)) statement?.finalize();
  }
}

/** All of them are looked at before anything is written; they stay on disk. */
function checkDeleted(statement: Statement | undefined): void {
  let last = BEFORE_ALL;
  for (let rows = PAGE_ROWS; statement !== undefined && rows === PAGE_ROWS; ) {
    const page = statement.values(last, PAGE_ROWS) as unknown as DeletedRow[];
    for (const row of page) deletedFrom(row);
    rows = page.length;
    last = page.at(-1)?.[0] ?? last;
  }
}

/** Reads deleted lines, while the store is in use. */
export class DeletedRows {
  private readonly statements;

  constructor(database: Database) {
    const deleted = (where: string) => database.prepare(`${selectDeleted("line")} WHERE ${where}`);
    this.statements = {
      ofName: deleted("name = ? ORDER BY nth"),
      page: deleted("nth > ? ORDER BY nth LIMIT ?"),
      oldest: database.prepare("SELECT min(deleted_at) FROM deleted"),
    };
  }

  ofName(name: string): StoredDeleted[] {
    return read(this.statements.ofName.values(toText(name)));
  }

  page(after: number, count: number): StoredDeleted[] {
    return read(this.statements.page.values(after, count));
  }

  /** Infinity where there is none. */
  get oldestS(): number {
    const [row] = this.statements.oldest.values() as unknown as [readonly [bigint | null]];
    return row[0] === null ? Number.POSITIVE_INFINITY : Number(row[0]);
  }

  finalize(): void {
    for (const statement of Object.values(this.statements)) statement.finalize();
  }
}

/** `line`: the column of Definition.line, or what stands for it. */
const selectDeleted = (line: string) =>
  `SELECT nth, name, ${line}, auto_disk, last, generated, wasted, deleted_at FROM deleted`;

/** Where Definition.line stands in the tables: the start reads them before they are migrated. */
const lineIn = (database: Database) =>
  hasColumn(database, "definitions", "line") ? "line" : LINE_OF_COLUMNS;

function read(rows: unknown): StoredDeleted[] {
  return (rows as DeletedRow[]).map(deletedFrom);
}

/** Throws where a row cannot be. */
function deletedFrom(row: DeletedRow): StoredDeleted {
  const [nth, name, line, autoDisk, last, generated, wasted, deletedAtS] = row;
  const definition = definitionIn(name, line, autoDisk);
  const account = accountOf([nth, last, generated, wasted])!;
  const { reserved } = account;
  const isSound =
    definition.type.hasPositions &&
    generated >= 0n &&
    account.wasted >= 0n &&
    reserved === generated + account.wasted &&
    reserved <= definition.series.positions;
  if (!isSound) throw new Contradiction(`the rows of deleted '${name}'`);
  return {
    nth: Number(nth),
    name: toBytes(name),
    definition,
    account,
    deletedAtS: Number(deletedAtS),
  };
}

/** What of the rows cannot be true together. */
class Contradiction extends Error {}

function* load(statements: Statements, isExact: boolean): Generator<StoredDispenser[]> {
  const positions = new Table<KeptRow>(statements.positions);
  const checkpoints = new Table<KeptRow>(statements.checkpoints);
  const segments = new Table<KeptRow>(statements.segments);
  const runs = new Table<RunRow>(statements.runs, 2);
  const definitions = new Table<DefinitionRow>(statements.definitions);
  while (definitions.next !== undefined) {
    const loaded: StoredDispenser[] = [];
    while (definitions.next !== undefined && loaded.length < PAGE_ROWS) {
      const definition = definitions.next;
      const [id, name] = definition;
      const kept = {
        position: positions.take(id),
        checkpoint: checkpoints.take(id),
        segment: segments.take(id),
      };
      const stored = dispenserOf(definition, kept, shareOf(runs, id));
      if (!isSound(stored, kept, isExact)) throw new Contradiction(`rows of '${name}'`);
      loaded.push(stored);
      definitions.take(id);
    }
    yield loaded;
  }
  if ([positions, checkpoints, segments, runs].some(({ hasOthers }) => hasOthers)) {
    throw new Contradiction("rows of no dispenser and those of some");
  }
}

function dispenserOf(
  row: DefinitionRow,
  { position, checkpoint, segment }: KeptRows,
  leased: Leased | undefined,
): StoredDispenser {
  const [id, name, line, autoDisk] = row;
  return {
    id: Number(id),
    name: toBytes(name),
    definition: definitionIn(name, line, autoDisk),
    account: accountOf(checkpoint ?? position ?? segment),
    segmentEnd: segment === undefined ? undefined : segment[1] + 1n,
    allocation: leased,
  };
}

function definitionIn(name: string, line: string, autoDisk: string): Definition {
  const definition = definitionFrom(line, autoDisk);
  if (definition === undefined) {
    throw new Contradiction(`the definition of '${name}' and what there is`);
  }
  return definition;
}

/** What was leased to the node; undefined where nothing was. */
function shareOf(table: Table<RunRow>, id: bigint): Leased | undefined {
  if (table.isOver) return undefined;
  const runs: LeasedRange[] = [];
  for (let row = table.take(id); row !== undefined; row = table.take(id)) {
    const [, local, first, last] = row;
    runs.push({ local, first, count: last - first + 1n });
  }
  if (runs.length === 0) return undefined;
  try {
    return new Leased(runs);
  } catch {
    throw new Contradiction("leases of a line");
  }
}

/** Goes through a table in the order of ids. */
class Table<Row extends readonly [id: bigint, ...rest: unknown[]]> {
  /** The row that comes next; undefined at the end. */
  next: Row | undefined;
  /** Whether rows were passed that nobody took. */
  private passedOthers = false;
  /** Gives the rows behind a key, so many; undefined for a table that is not there yet. */
  private readonly statement: Statement | undefined;
  private readonly keyColumns: number;
  private page: Row[] = [];
  private at = 0;

  /** The key of a row is its first columns, so many. */
  constructor(statement: Statement | undefined, keyColumns = 1) {
    this.statement = statement;
    this.keyColumns = keyColumns;
    this.turnPage(Array<bigint>(keyColumns).fill(BEFORE_ALL));
  }

  private turnPage(key: readonly bigint[]): void {
    const page = this.statement?.values(...key, PAGE_ROWS) ?? [];
    this.page = page as unknown as Row[];
    this.at = 0;
    this.next = this.page[0];
  }

  private goOn(): void {
    this.next = this.page[++this.at];
    if (this.next !== undefined || this.at < PAGE_ROWS) return;
    this.turnPage(this.page.at(-1)!.slice(0, this.keyColumns) as bigint[]);
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

  get isOver(): boolean {
    return this.next === undefined;
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

/** What rows.ts stores of 2^63 wasted numbers is one less; nothing else ends so. */
function wastedOf(last: bigint, generated: bigint, wasted: bigint): bigint {
  const isAll = last === NUMBER_MAX && generated === 0n && wasted === NUMBER_MAX;
  return isAll ? NUMBER_MAX + 1n : wasted;
}

/** Whether a dispenser can be as its rows say; damage mostly leaves one that cannot. */
function isSound(stored: StoredDispenser, kept: KeptRows, isExact: boolean): boolean {
  const { definition, account, allocation } = stored;
  const { type } = definition;
  if (stored.id < 1 || !isInItsTables(kept, definition)) return false;
  if (account === undefined) return true;
  const { reserved, generated, wasted } = account;
  if (generated < 0n || wasted < 0n) return false;
  if (!type.hasPositions) return allocation === undefined;
  if (allocation !== undefined && reserved > allocation.end) return false;
  const known = generated + wasted;
  if (reserved > definition.series.positions) return false;
  return isExact ? reserved === known : reserved >= known;
}

/** Whether what is kept of a dispenser is in the tables of its strategy, and only there. */
function isInItsTables(kept: KeptRows, { type, strategy }: Definition): boolean {
  const { position, checkpoint, segment } = kept;
  switch (type.hasPositions ? strategies[strategy].keeps : "position") {
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
  const line = lineIn(database);
  const kept = (table: string) =>
    database.prepare(`SELECT * FROM ${table} WHERE dispenser > ? ORDER BY dispenser LIMIT ?`);
  return {
    definitions: database.prepare(
      `SELECT id, name, ${line}, auto_disk FROM definitions WHERE id > ? ORDER BY id LIMIT ?`,
    ),
    positions: kept("positions"),
    checkpoints: kept("checkpoints"),
    // Of each dispenser the row of the greatest last, with its counts:
    // https://sqlite.org/lang_select.html#bare_columns_in_an_aggregate_query
    segments: database.prepare(
      `SELECT dispenser, max(last), generated, wasted FROM segments WHERE dispenser > ?
       GROUP BY dispenser ORDER BY dispenser LIMIT ?`,
    ),
    // Neither is there before the first start of the version that has it.
    deleted: hasTable(database, "deleted")
      ? database.prepare(`${selectDeleted(line)} WHERE nth > ? ORDER BY nth LIMIT ?`)
      : undefined,
    runs: hasTable(database, "runs")
      ? database.prepare(
          "SELECT * FROM runs WHERE (dispenser, own) > (?, ?) ORDER BY dispenser, own LIMIT ?",
        )
      : undefined,
  };
}
