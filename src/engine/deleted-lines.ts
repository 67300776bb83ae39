/**
 * Lines that DEL took, kept on disk for a while: a line of the same definition goes on where it stood, another one
 * of the name keeps clear of its numbers. Nothing of them is in memory but what the commit being gathered changes.
 */

import type { Refusal } from "../base/errors.ts";
import type { Allocation } from "../dispenser/allocation.ts";
import { type Definition, isSameLine } from "../dispenser/definition.ts";
import { continued, covering, refuseGrowth, type UsedLine } from "../dispenser/deleted.ts";
import type { Dispenser } from "../dispenser/dispenser.ts";
import type { Account } from "../dispenser/reservation.ts";
import type { DeletedLine, Store } from "../storage/store.ts";

const SECONDS_PER_DAY = 86_400;
/** A name has so many at most: then the older ones are taken for one that has all their numbers. */
const PER_NAME_MAX = 100;
/** So many go at once, which takes a commit less than a millisecond longer. */
const PURGED_AT_ONCE = 25;
/** Each one kept past the limit takes so many with it, so that the oldest go as fast as new ones come. */
const PURGED_PER_KEPT = 2;
/** So much of its age the database may lose in a crash: it is written no more often, and only while lines are kept. */
const AGE_SAVED_EVERY_S = 600;
/** So many are read at a time. */
const PAGE_ROWS = 1000;

/** How long deleted lines are kept, and how many. */
export interface DeletedLimits {
  readonly deletedMax: number;
  readonly deletedDays: number;
}

/** What is kept of a line, and what that means for others of its name. */
interface KeptLine extends UsedLine {
  readonly account: Account;
}

export class DeletedLines {
  private readonly store: Store;
  private readonly allocation: Allocation;
  private readonly nowMs: () => number;
  private readonly startedAtMs: number;
  /** The age of the database when this life began; undefined before it was asked for. */
  private startedAtAgeS: number | undefined;
  /** The deleted lines of names for which the commit being gathered changes them, as it leaves them. */
  private readonly changed = new Map<string, readonly DeletedLine[]>();

  /** `share` is what a dispenser has of its line; `nowMs` a clock that only goes forwards, in milliseconds. */
  constructor(store: Store, allocation: Allocation, nowMs: () => number) {
    this.store = store;
    this.allocation = allocation;
    this.nowMs = nowMs;
    this.startedAtMs = nowMs();
  }

  /**
   * For how many seconds servers have run on the database, but for what crashes and closes took of it: no wall clock,
   * which may be wrong, makes a line old.
   */
  private get ageS(): number {
    this.startedAtAgeS ??= this.store.ageS;
    return this.startedAtAgeS + Math.floor((this.nowMs() - this.startedAtMs) / 1000);
  }

  /** Whether it was due to be written, and is staged. */
  private saveAge(): boolean {
    const { ageS: seconds } = this;
    if (seconds - this.store.ageS < AGE_SAVED_EVERY_S) return false;
    this.store.stage({ kind: "age", seconds });
    return true;
  }

  /** What of a name's deleted lines a definition goes on with; undefined: none. Or why it may not be. */
  continued(name: string, definition: Definition): KeptLine | Refusal | undefined {
    return continued(
      name,
      definition,
      this.of(name).map((line) => this.usage(line)),
    );
  }

  /** Why a line that is there, at an own position, may not become a longer one. */
  refuseGrowth(name: string, longer: Definition, position: bigint): Refusal | undefined {
    const deleted = this.of(name).map((line) => this.usage(line));
    return refuseGrowth(name, longer, this.allocation.toLine(position), deleted);
  }

  private of(name: string): readonly DeletedLine[] {
    const { store } = this;
    return this.changed.get(name) ?? (store.deletedSize === 0 ? [] : store.deletedOf(name));
  }

  private usage({ definition, account }: DeletedLine): KeptLine {
    const positions = definition.series.positions;
    return {
      definition,
      account,
      usedBelow: this.allocation.usedBelow(account.reserved, positions),
      position: this.allocation.toLine(account.reserved),
    };
  }

  /** DEL: keeps what numbers of the dispenser may be in use, if there are any. */
  keep(dispenser: Dispenser, { deletedMax, deletedDays }: DeletedLimits): void {
    const { definition, name, allocation, hasPositions, keptWhenDeleted: account } = dispenser;
    // In a cluster the store remembers.
    if (!hasPositions || allocation.isLeased) return;
    const used = allocation.usedBelow(account.reserved, definition.series.positions);
    const isKept = definition.strategy === "memory" ? account.reserved > 0n : used > 0n;
    if (!isKept) return;
    if (this.of(name).length >= PER_NAME_MAX) this.merge(name);
    this.add({ name, definition, account, deletedAtS: this.ageS });
    this.saveAge();
    if (this.store.deletedSize >= deletedMax) {
      this.stagePurge(deletedMax, deletedDays, PURGED_PER_KEPT);
    }
  }

  private add(line: DeletedLine): void {
    this.changed.set(line.name, [...this.of(line.name), line]);
    this.store.stage({ kind: "keep", line });
  }

  /** Takes all that is kept of a name for one line. */
  private merge(name: string): void {
    const { definition, position } = covering(this.of(name).map((line) => this.usage(line)));
    const account = { reserved: position, generated: 0n, wasted: position };
    this.forget(name);
    this.add({ name, definition, account, deletedAtS: this.ageS });
  }

  /** A deleted line goes on, or all of a name are to be forgotten. */
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

  /** Stages that some go which are too old, or too many, and the age if it is due; whether there was either. */
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

  /** What was deleted before this age is too old. */
  private oldestKeptS(days: number): number {
    return Math.max(0, this.ageS - days * SECONDS_PER_DAY);
  }

  /** Stages that all of them move so many numbers ahead, or to their end. */
  skip(numbers: bigint): void {
    let after = -1;
    for (;;) {
      const page = this.store.listDeleted(after, PAGE_ROWS);
      for (const { nth, definition, account } of page) {
        const end = this.allocation.size(definition.series.positions);
        let reserved = account.reserved + numbers;
        if (reserved > end) reserved = end;
        const wasted = account.wasted + reserved - account.reserved;
        this.store.stage({ kind: "move deleted", nth, account: { ...account, reserved, wasted } });
      }
      if (page.length < PAGE_ROWS) return;
      after = page.at(-1)!.nth;
    }
  }

  /** The commit is over: what is on disk is what there is. */
  commitEnded(): void {
    this.changed.clear();
  }
}
