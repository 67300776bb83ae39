/**
 * Deleted lines, which are kept on disk for a while: a line of the same definition goes on where
 * one stood, and another line of the name keeps clear of its numbers. Only what the commit being
 * gathered changes of them is in memory.
 */

import type { Refusal } from "../base/errors.ts";
import type { Allocation } from "../dispenser/allocation.ts";
import { type Definition, isSameLine } from "../dispenser/definition.ts";
import { continued, covering, refuseGrowth, type UsedLine } from "../dispenser/deleted.ts";
import { Dispenser } from "../dispenser/dispenser.ts";
import type { Run } from "../dispenser/period-run.ts";
import type { Account } from "../dispenser/reservation.ts";
import type { DeletedLine, Store } from "../storage/store.ts";
import type { Periods } from "./periods.ts";

const SECONDS_PER_DAY = 86_400;
/** A name has at most so many: then one line that covers all their numbers takes their place. */
const PER_NAME_MAX = 100;
/** A commit removes at most so many, which takes less than a millisecond. */
const PURGED_AT_ONCE = 25;
/**
 * Past the limit each new one removes so many of the oldest, so that they go as fast as new ones
 * come.
 */
const PURGED_PER_KEPT = 2;
/**
 * The age of the database is written so often, and only while lines are kept: a crash loses no more
 * of it.
 */
const AGE_SAVED_EVERY_S = 600;
/** So many rows are read at a time. */
const PAGE_ROWS = 1000;

/** How many deleted lines are kept, and for how long. */
export interface DeletedLimits {
  readonly deletedMax: number;
  readonly deletedDays: number;
}

/** A deleted line with its account, and what it means for other lines of its name. */
interface KeptLine extends UsedLine {
  readonly account: Account;
  readonly run: Run | undefined;
}

export class DeletedLines {
  private readonly store: Store;
  private readonly periods: Periods;
  private readonly allocation: Allocation;
  private readonly nowMs: () => number;
  private readonly startedAtMs: number;
  /** The age of the database when this life began; undefined until somebody asks. */
  private startedAtAgeS: number | undefined;
  /** By name: the deleted lines as the commit being gathered leaves them, where it changes them. */
  private readonly changed = new Map<string, readonly DeletedLine[]>();

  /**
   * `allocation` is that of new dispensers; `nowMs` a clock that only goes forwards, in
   * milliseconds.
   */
  constructor(store: Store, periods: Periods, allocation: Allocation, nowMs: () => number) {
    this.store = store;
    this.periods = periods;
    this.allocation = allocation;
    this.nowMs = nowMs;
    this.startedAtMs = nowMs();
  }

  /**
   * For how many seconds servers have run on the database, a little less where crashes lost some. A
   * wall clock may be wrong, and would make a line old too early.
   */
  private get ageS(): number {
    this.startedAtAgeS ??= this.store.ageS;
    return this.startedAtAgeS + Math.floor((this.nowMs() - this.startedAtMs) / 1000);
  }

  /** Stages the age if that is due; whether it did. */
  private saveAge(): boolean {
    const { ageS: seconds } = this;
    if (seconds - this.store.ageS < AGE_SAVED_EVERY_S) return false;
    this.store.stage({ kind: "age", seconds });
    return true;
  }

  /**
   * The deleted line that a definition goes on with; undefined for none; or why it may not be
   * defined.
   */
  continued(name: string, definition: Definition): KeptLine | Refusal | undefined {
    return continued(
      name,
      definition,
      this.of(name).map((line) => this.usage(line)),
    );
  }

  /** Why a line that stands at a local position may not grow. */
  refuseGrowth(name: string, longer: Definition, position: bigint): Refusal | undefined {
    const deleted = this.of(name).map((line) => this.usage(line));
    return refuseGrowth(name, longer, this.allocation.toLine(position), deleted);
  }

  /** The definitions of the deleted lines of a name. */
  definitionsOf(name: string): readonly Definition[] {
    return this.of(name).map(({ definition }) => definition);
  }

  private of(name: string): readonly DeletedLine[] {
    const { store } = this;
    return this.changed.get(name) ?? (store.deletedSize === 0 ? [] : store.deletedOf(name));
  }

  private usage({ definition, account, run }: DeletedLine): KeptLine {
    const positions = definition.series.positions;
    return {
      definition,
      account,
      run,
      usedBelow: this.allocation.usedBelow(account.reserved, positions),
      position: this.allocation.toLine(account.reserved),
    };
  }

  /** DEL: keeps the line of a dispenser, if numbers of it may be in use. */
  keep(dispenser: Dispenser, { deletedMax, deletedDays }: DeletedLimits): void {
    const { definition, name, allocation, hasPositions } = dispenser;
    const { account, run } = this.periods.keptWhenDeleted(dispenser);
    // In a cluster the lease store keeps it.
    if (!hasPositions || allocation.isLeased) return;
    const used = allocation.usedBelow(account.reserved, definition.series.positions);
    const isKept = definition.strategy === "memory" ? account.reserved > 0n : used > 0n;
    if (!isKept) return;
    if (this.of(name).length >= PER_NAME_MAX) this.merge(name);
    this.add({ name, definition, account, run, deletedAtS: this.ageS });
    this.saveAge();
    if (this.store.deletedSize >= deletedMax) {
      this.stagePurge(deletedMax, deletedDays, PURGED_PER_KEPT);
    }
  }

  private add(line: DeletedLine): void {
    this.changed.set(line.name, [...this.of(line.name), line]);
    this.store.stage({ kind: "keep", line });
  }

  /** Puts one line in the place of all that are kept of a name. */
  private merge(name: string): void {
    const cover = covering(this.of(name).map((line) => this.usage(line)));
    const { definition, position } = cover;
    const kept =
      "account" in cover
        ? { account: cover.account, run: cover.run }
        : { account: { reserved: position, generated: 0n, wasted: position } };
    this.forget(name);
    this.add({ name, definition, ...kept, deletedAtS: this.ageS });
  }

  /** Forgets the deleted line of a definition, because it goes on; or all of a name. */
  forget(name: string, definition?: Definition): void {
    const before = this.of(name);
    if (before.length === 0) return;
    const after =
      definition === undefined
        ? []
        : before.filter((line) => !isSameLine(line.definition, definition));
    this.changed.set(name, after);
    this.store.stage({ kind: "forget", name, ...(definition !== undefined && { definition }) });
  }

  /**
   * Stages the removal of some that are too old or too many, and the age if that is due; whether it
   * staged anything.
   */
  purge({ deletedMax, deletedDays }: DeletedLimits): boolean {
    const { store } = this;
    if (store.deletedSize === 0) return false;
    const isAging = this.saveAge();
    const isOver = store.deletedSize > deletedMax;
    if (!isOver && store.oldestDeletedS >= this.oldestKeptS(deletedDays)) return isAging;
    this.stagePurge(deletedMax, deletedDays, PURGED_AT_ONCE);
    return true;
  }

  private stagePurge(keptMax: number, days: number, atOnce: number): void {
    const deletedBeforeS = this.oldestKeptS(days);
    this.store.stage({ kind: "purge", deletedBeforeS, keptMax, atOnce });
  }

  /** A line that was deleted before this age of the database is too old. */
  private oldestKeptS(days: number): number {
    return Math.max(0, this.ageS - days * SECONDS_PER_DAY);
  }

  /**
   * Stages that each of them skips so many numbers, or all that it has left; of a line with periods so
   * many in the present one, which it enters.
   */
  skip(numbers: bigint): void {
    let after = -1;
    for (;;) {
      const page = this.store.listDeleted(after, PAGE_ROWS);
      for (const { nth, ...line } of page) {
        // What the line would do as a dispenser is done by one that nobody else sees.
        const moved = this.asDispenser(line);
        moved.skipAhead(numbers);
        const run = this.periods.due(moved);
        if (run !== undefined) {
          moved.enter(run);
          moved.skipAhead(numbers);
        }
        this.store.stage({ kind: "move deleted", nth, ...moved.keptWhenDeleted });
      }
      if (page.length < PAGE_ROWS) return;
      after = page.at(-1)!.nth;
    }
  }

  private asDispenser({ name, definition, account, run }: DeletedLine): Dispenser {
    const found = { account, run, segmentEnd: undefined };
    return new Dispenser(0, name, definition, this.allocation, found);
  }

  /** The commit is over: the deleted lines are those on disk. */
  commitEnded(): void {
    this.changed.clear();
  }
}
