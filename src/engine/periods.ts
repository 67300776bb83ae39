/**
 * Lines that begin again in each period. A line is in the latest period that it has entered, or that
 * the clock has come to: a clock that is put back changes nothing.
 *
 * Invariant: the commit that ends a period begins the next one, and no number of that leaves before.
 */

import { assert } from "../base/assert.ts";
import { smallest } from "../base/bigint.ts";
import { quoted, Refusal } from "../base/errors.ts";
import { type Allocation, type Lease, Leased } from "../dispenser/allocation.ts";
import type { Dispenser } from "../dispenser/dispenser.ts";
import { LOCAL_POSITIONS_MAX, PeriodRun } from "../dispenser/period-run.ts";
import { NO_PERIOD } from "../dispenser/types/type.ts";
import type { DeletedLine, Store } from "../storage/store.ts";
import type { CommitBatch } from "./commit.ts";
import type { PeriodClock } from "./period-clock.ts";

const NOTHING = { first: 0n, count: 0n };

export class Periods {
  private readonly store: Store;
  private readonly batch: CommitBatch;
  private readonly clock: PeriodClock;
  /** What the commit being gathered writes of periods that ended, by line and period. */
  private readonly ended = new Map<string, bigint>();

  constructor(store: Store, batch: CommitBatch, clock: PeriodClock) {
    this.store = store;
    this.batch = batch;
    this.clock = clock;
  }

  /** The period that a line is in now: the later of its own and the clock's. */
  present({ definition, allocation }: Dispenser): number {
    const byClock = definition.format?.periodAt(this.clock.nowMs()) ?? NO_PERIOD;
    return Math.max(allocation.period, byClock);
  }

  /** The period that follows the present one of a line. */
  next(dispenser: Dispenser): number {
    const { format } = dispenser.definition;
    const nowMs = this.clock.nowMs();
    const end = format!.periodEnd(this.present(dispenser), nowMs);
    return format!.periodAt(end.epochMilliseconds);
  }

  /** How a line goes on now: in another period, where the clock has come to that. */
  upcoming(dispenser: Dispenser): Allocation {
    const { allocation, position } = dispenser;
    if (!(allocation instanceof Leased)) return this.due(dispenser) ?? allocation;
    const period = this.present(dispenser);
    if (period === allocation.period) return allocation;
    const { ahead } = allocation;
    const { first, count } = ahead?.period === period ? ahead : NOTHING;
    return new Leased([{ local: position, first, count }], period);
  }

  /** How many numbers a line has of its present period, without another lease. */
  available(dispenser: Dispenser): number {
    const { allocation } = dispenser;
    if (!(allocation instanceof Leased)) return dispenser.remaining;
    const period = this.present(dispenser);
    if (period === allocation.period) return dispenser.remaining;
    return allocation.ahead?.period === period ? Number(allocation.ahead.count) : 0;
  }

  /** The run that a line has to begin now; undefined where it goes on as it is. */
  due(dispenser: Dispenser): PeriodRun | undefined {
    const { allocation, position } = dispenser;
    if (!(allocation instanceof PeriodRun) || position >= LOCAL_POSITIONS_MAX) return undefined;
    const now = this.present(dispenser);
    if (now === allocation.period) return undefined;
    const isNew = now > allocation.run.reached;
    return allocation.in(now, position, isNew ? 0n : (this.passedIn(dispenser, now) ?? 0n));
  }

  /**
   * Lets a line enter its present period, with the commit being gathered. Answers whether it is in
   * that: a leased line needs a lease of it first.
   */
  begin(dispenser: Dispenser): boolean {
    const { allocation } = dispenser;
    if (allocation instanceof Leased) return this.beginLeased(dispenser, allocation);
    const run = this.due(dispenser);
    if (run !== undefined) this.enter(dispenser, run);
    return true;
  }

  private beginLeased(dispenser: Dispenser, { ahead }: Leased): boolean {
    const period = this.present(dispenser);
    if (ahead !== undefined && ahead.period <= period) {
      this.adopt(dispenser, ahead, Math.ceil(Number(ahead.count) / 2));
    }
    return dispenser.allocation.period === period;
  }

  /**
   * Takes over a lease, with the commit being gathered; if that fails it is lost, as one of a period
   * that the line has left is. After `threshold` more numbers the node asks for the next lease.
   */
  adopt(dispenser: Dispenser, lease: Lease, threshold: number): void {
    const { id, name, allocation } = dispenser;
    const { first, count, period } = lease;
    if (period < allocation.period) return;
    this.batch.change(name, dispenser.snapshot());
    if (period === allocation.period) dispenser.extend(first, count, threshold);
    else if (period > this.present(dispenser)) dispenser.holdAhead(lease);
    else {
      dispenser.enterLease(lease, threshold);
      this.batch.stage(dispenser);
    }
    this.store.stage({ kind: "lease", id, allocation: dispenser.allocation as Leased });
  }

  /** Skips all numbers below a position that a line has leased of a period which has not begun. */
  skipAheadBelow(dispenser: Dispenser, position: bigint, period: number): void {
    const { id, name, allocation } = dispenser;
    if (!(allocation instanceof Leased)) return;
    const { ahead } = allocation;
    if (ahead?.period !== period || ahead.first >= position) return;
    const end = ahead.first + ahead.count;
    const first = smallest(position, end);
    this.batch.change(name, dispenser.snapshot());
    dispenser.holdAhead(first < end ? { period, first, count: end - first } : undefined);
    this.store.stage({ kind: "lease", id, allocation: dispenser.allocation as Leased });
  }

  /**
   * Begins the run that is due, where so many numbers may be in use of it, and of each period that was
   * passed over. Whether there was one.
   */
  beginSkipping(dispenser: Dispenser, numbers: bigint): boolean {
    const { id, definition, allocation, keepsNothing } = dispenser;
    const run = this.due(dispenser);
    if (run === undefined) return false;
    const since = (allocation as PeriodRun).period + 1;
    if (since < run.period && since > 0 && !keepsNothing) {
      const passed = smallest(numbers, run.sizeOfPeriod(definition.series.positions));
      this.store.stage({ kind: "end period", id, since, period: run.period - 1, passed });
    }
    this.enter(dispenser, run);
    return true;
  }

  /**
   * PERIOD: takes a line back into a period that it has been in, behind its last number there. Answers
   * why it cannot be.
   */
  goBack(dispenser: Dispenser, period: number): Refusal | undefined {
    const { name, definition, allocation, position } = dispenser;
    assert(allocation instanceof PeriodRun, "goBack() of a line without periods");
    const { format } = definition;
    const refuse = (why: string) =>
      new Refusal(
        `ERR cannot take ${quoted(name)} back into ${format!.periodText(period)}: ${why}`,
      );
    const now = format!.periodAt(this.clock.nowMs());
    if (period < now) {
      return refuse(
        `by the clock it is ${format!.periodText(now)}, and the line would leave it at once`,
      );
    }
    if (period === allocation.period) return undefined;
    const isKnown = period >= allocation.run.knownFrom;
    const passed = isKnown ? this.passedIn(dispenser, period) : undefined;
    if (passed === undefined) {
      return refuse(isKnown ? "it has not been in that" : "what it did there is not known");
    }
    this.enter(dispenser, allocation.in(period, position, passed), true);
    return undefined;
  }

  private enter(dispenser: Dispenser, run: PeriodRun, isBack = false): void {
    const { id, name, allocation, position, keepsNothing } = dispenser;
    // A line in memory starts over, whatever it has been in.
    if (keepsNothing) return dispenser.enter(run.forgetting());
    const before = allocation as PeriodRun;
    this.batch.change(name, dispenser.snapshot());
    dispenser.enter(run, isBack);
    this.batch.stage(dispenser);
    if (!before.hasBegun) return;
    const passed = before.passed(position);
    this.store.stage({
      kind: "end period",
      id,
      since: before.period,
      period: before.period,
      passed,
    });
    this.ended.set(`${id} ${before.period}`, passed);
  }

  /**
   * How many numbers of a period a line has passed, counted as those of the node; undefined where it
   * has not been in that.
   */
  passedIn({ id, allocation, position }: Dispenser, period: number): bigint | undefined {
    if (!(allocation instanceof PeriodRun)) return undefined;
    if (period === allocation.period) return allocation.passed(position);
    return this.ended.get(`${id} ${period}`) ?? this.store.passedIn(id, period);
  }

  /**
   * The run that is kept of a line that is deleted: its latest, because what it has been in is
   * forgotten then.
   */
  keptWhenDeleted(dispenser: Dispenser): Pick<DeletedLine, "account" | "run"> {
    const { allocation } = dispenser;
    const kept = dispenser.keptWhenDeleted;
    if (!(allocation instanceof PeriodRun) || kept.run === undefined) return kept;
    const { reached, period } = kept.run;
    if (reached === period) return kept;
    const passed = this.passedIn(dispenser, reached) ?? 0n;
    return { ...kept, run: allocation.in(reached, kept.account.reserved, passed).run };
  }

  /** The commit is over: what was passed is on disk. */
  commitEnded(): void {
    this.ended.clear();
  }
}
