/** A table, gone through once in the order of ids. */

import type { Statement } from "bun:sqlite";

/** So many rows are read at a time. */
export const PAGE_ROWS = 1024;
/** Below every id, those of damaged rows among them. */
export const BEFORE_ALL = -(2n ** 63n);

export class TableCursor<Row extends readonly [id: bigint, ...rest: unknown[]]> {
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
