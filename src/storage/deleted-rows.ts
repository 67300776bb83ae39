/** Rows of deleted lines, read while the store is in use and checked at its start. */

import type { Database, Statement } from "bun:sqlite";
import { toBytes, toText } from "../dispenser/name.ts";
import { isPossible } from "../dispenser/reservation.ts";
import type { StoredDeleted } from "./store.ts";
import {
  accountOf,
  Contradiction,
  definitionIn,
  isRunSound,
  positionsOf,
  runOf,
} from "./stored-values.ts";
import { BEFORE_ALL, PAGE_ROWS } from "./table-cursor.ts";

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
  period: bigint | null,
  start: bigint | null,
];

/**
 * `line`: the column of Definition.line, or what stands for it; `run`: the columns of a run, or what
 * stands for them.
 */
export const selectDeleted = (line = "line", run = "period, start") =>
  `SELECT nth, name, ${line}, auto_disk, last, generated, wasted, deleted_at, ${run} FROM deleted`;

/** Reads deleted lines, while the store is in use. */
export class DeletedRows {
  private readonly statements;

  constructor(database: Database) {
    const deleted = (where: string) => database.prepare(`${selectDeleted()} WHERE ${where}`);
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

/** All of them are looked at before anything is written; they stay on disk. */
export function checkDeleted(statement: Statement | undefined): void {
  let last = BEFORE_ALL;
  for (let rows = PAGE_ROWS; statement !== undefined && rows === PAGE_ROWS; ) {
    const page = statement.values(last, PAGE_ROWS) as unknown as DeletedRow[];
    for (const row of page) deletedFrom(row);
    rows = page.length;
    last = page.at(-1)?.[0] ?? last;
  }
}

function read(rows: unknown): StoredDeleted[] {
  return (rows as DeletedRow[]).map(deletedFrom);
}

/** Throws where a row cannot be. */
function deletedFrom(row: DeletedRow): StoredDeleted {
  const [nth, name, line, autoDisk, last, generated, wasted, deletedAtS, period, start] = row;
  const definition = definitionIn(name, line, autoDisk);
  const account = accountOf([nth, last, generated, wasted])!;
  const run =
    period === null || start === null ? undefined : runOf([period, start, period, period]);
  const isSound =
    definition.type.hasPositions &&
    isRunSound(run, definition, account) &&
    isPossible(account, definition.type, positionsOf(definition)) &&
    account.reserved === generated + account.wasted;
  if (!isSound) throw new Contradiction(`the rows of deleted '${name}'`);
  return {
    nth: Number(nth),
    name: toBytes(name),
    definition,
    account,
    run,
    deletedAtS: Number(deletedAtS),
  };
}
