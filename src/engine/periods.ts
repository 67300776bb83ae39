/**
 * Lines that begin again in each period. A line is in the latest period that it has entered, or that
 * the clock has come to: a clock that is put back changes nothing.
 *
 * Invariant: the commit that ends a period begins the next one, and no number of that leaves before.
 */

import { assert } from "../base/assert.ts";
import { smallest } from "../base/bigint.ts";
import { quoted, Refusal } from "../base/errors.ts";
import { type Allocation, type Lease, type LeaseAhead, Leased } from "../dispenser/allocation.ts";
import type { Dispenser } from "../dispenser/dispenser.ts";
import { LOCAL_POSITIONS_MAX, PeriodRun } from "../dispenser/period-run.ts";
import { NO_PERIOD } from "../dispenser/types/type.ts";
import type { DeletedLine, Store } from "../storage/store.ts";
import type { CommitBatch } from "./commit.ts";
import type { PeriodClock } from "./period-clock.ts";

const NOTHING = { from: 0n, count: 0n };

/** What is left of a lease ahead: the first number, and how many. */
const leftOf = ({ first, count, from }: LeaseAhead) => ({ from, count: first + count - from });

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
    if (!definition.hasPeriods) return NO_PERIOD;
    const byClock = definition.format!.periods!.at(this.clock.nowMs());
    return Math.max(allocation.period, byClock);
  }

  /** The period that follows the present one of a line. */
  next(dispenser: Dispenser): number {
    const { periods } = dispenser.definition.format!;
    return periods!.at(periods!.endMs(this.present(dispenser), this.clock.nowMs()));
  }

  /** How a line goes on now: in another period, where the clock has come to that. */
  upcoming(dispenser: Dispenser): Allocation {
    const { allocation, position } = dispenser;
    if (!(allocation instanceof Leased)) return this.due(dispenser) ?? allocation;
    const period = this.present(dispenser);
    if (period === allocation.period) return allocation;
    const { ahead } = allocation;
    const { from, count } = ahead?.period === period ? leftOf(ahead) : NOTHING;
    return new Leased([{ local: position, first: from, count }], period);
  }

  /** How many numbers a line has of its present period, without another lease. */
  available(dispenser: Dispenser): number {
    const { allocation } = dispenser;
    if (!(allocation instanceof Leased)) return dispenser.remaining;
    const period = this.present(dispenser);
    if (period === allocation.period) return dispenser.remaining;
    return allocation.ahead?.period === period ? Number(leftOf(allocation.ahead).count) : 0;
  }

  /** Whether a line has leased numbers to hand out, now or in a period to come. */
  holds(dispenser: Dispenser): boolean {
    const { allocation, hasPositions } = dispenser;
    if (!hasPositions || !(allocation instanceof Leased)) return false;
    if (this.available(dispenser) > 0) return true;
    return allocation.ahead !== undefined && allocation.ahead.period > this.present(dispenser);
  }

  /** The run that a line has to begin now; undefined where it goes on as it is. */
  due(dispenser: Dispenser): PeriodRun | undefined {
    const { allocation, position } = dispenser;
    if (!(allocation instanceof PeriodRun) || position >= LOCAL_POSITIONS_MAX) return undefined;
    const now = this.present(dispenser);
    if (now === allocation.period) return undefined;
    return allocation.in(now, position, this.passedIn(dispenser, now));
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
    if (ahead !== undefined && ahead.period <= period) this.enterAhead(dispenser, ahead);
    return dispenser.allocation.period === period;
  }

  private enterAhead(dispenser: Dispenser, ahead: LeaseAhead): void {
    const { from, count } = leftOf(ahead);
    const threshold = Math.ceil(Number(count) / 2);
    this.change(dispenser, () => dispenser.enterLease(ahead, threshold, from));
    this.batch.stage(dispenser);
  }

  /**
   * Takes over a lease, with the commit being gathered; if that fails it is lost, as one of a period
   * that the line has left is. After `threshold` more numbers the node asks for the next lease.
   * `isEarly`: it was leased for a period to come. Any other takes the line into its period: where
   * the clock is far behind those of other nodes, that is the first one that the store still leases.
   */
  adopt(dispenser: Dispenser, lease: Lease, threshold: number, isEarly: boolean): void {
    const { period, first, count } = lease;
    if (isEarly && period > this.present(dispenser)) {
      return this.change(dispenser, () => dispenser.holdAhead({ ...lease, from: first }));
    }
    const { ahead } = dispenser.allocation as Leased;
    if (ahead !== undefined && ahead.period <= period) this.enterAhead(dispenser, ahead);
    if (period < dispenser.allocation.period) return;
    if (period === dispenser.allocation.period) {
      return this.change(dispenser, () => dispenser.extend(first, count, threshold));
    }
    this.change(dispenser, () => dispenser.enterLease(lease, threshold));
    this.batch.stage(dispenser);
  }

  /** Changes the leases of a line, with the commit being gathered. */
  private change(dispenser: Dispenser, work: () => void): void {
    this.batch.change(dispenser.name, dispenser.snapshot());
    work();
    const allocation = dispenser.allocation as Leased;
    this.store.stage({ kind: "lease", id: dispenser.id, allocation });
  }

  /** Skips all numbers below a position that a line has leased of a period which has not begun. */
  skipAheadBelow(dispenser: Dispenser, position: bigint, period: number): void {
    const { allocation } = dispenser;
    if (!(allocation instanceof Leased)) return;
    const { ahead } = allocation;
    if (ahead?.period !== period || ahead.from >= position) return;
    const from = smallest(position, ahead.first + ahead.count);
    this.change(dispenser, () => dispenser.holdAhead({ ...ahead, from }));
  }

  /**
   * Begins the run that is due, where so many numbers more may be in use of it, and of each period
   * that was passed over. Whether there was one.
   */
  beginSkipping(dispenser: Dispenser, numbers: bigint): boolean {
    const { id, allocation, keepsNothing } = dispenser;
    const run = this.due(dispenser);
    if (run === undefined) return false;
    const { hasBegun, period } = allocation as PeriodRun;
    // Of a line that had not begun nobody knows since when it has been in use.
    if (!hasBegun) this.enter(dispenser, run.forgetting());
    else {
      this.enter(dispenser, run);
      const [since, until] = [period + 1, run.period - 1];
      if (since <= until && !keepsNothing) {
        this.store.stage({ kind: "skip periods", id, since, until, numbers });
      }
    }
    return true;
  }

  /**
   * PERIOD: takes a line back into an earlier period, behind its last number there. Answers why it
   * cannot be.
   */
  goBack(dispenser: Dispenser, period: number): Refusal | undefined {
    const { name, definition, allocation, position, keepsNothing } = dispenser;
    assert(allocation instanceof PeriodRun, "goBack() of a line without periods");
    const periods = definition.format!.periods!;
    const refuse = (why: string) =>
      new Refusal(`ERR cannot take ${quoted(name)} back into ${periods.text(period)}: ${why}`);
    const now = periods.at(this.clock.nowMs());
    if (period < now) {
      const present = periods.text(now);
      return refuse(`by the clock it is ${present}, and the line would leave it at once`);
    }
    if (period === allocation.period) return undefined;
    if (keepsNothing) return refuse("a line in memory starts over in its period at each start");
    if (period > allocation.run.reached) return refuse("it has not come to that");
    if (period < allocation.run.knownFrom) return refuse("what it did there is not known");
    this.enter(dispenser, allocation.in(period, position, this.passedIn(dispenser, period)));
    return undefined;
  }

  private enter(dispenser: Dispenser, run: PeriodRun): void {
    const { id, name, allocation, position, keepsNothing } = dispenser;
    // A line in memory starts over, whatever it has been in.
    if (keepsNothing) return dispenser.enter(run.forgetting());
    const before = allocation as PeriodRun;
    this.batch.change(name, dispenser.snapshot());
    dispenser.enter(run);
    this.batch.stage(dispenser);
    if (!before.hasBegun) return;
    const { period } = before;
    const passed = before.passed(position);
    this.store.stage({ kind: "end period", id, period, passed });
    this.ended.set(`${id} ${period}`, passed);
  }

  /** How many numbers of a period a line has passed, counted as those of the node. */
  passedIn({ id, allocation, position }: Dispenser, period: number): bigint {
    if (!(allocation instanceof PeriodRun)) return 0n;
    if (period === allocation.period) return allocation.passed(position);
    // Nothing is known of a period that the line has not come to, but for a margin.
    return this.ended.get(`${id} ${period}`) ?? this.store.passedIn(id, period);
  }

  /** The latest period that a line has been in, or that it is in now. */
  latest(dispenser: Dispenser): number {
    const { allocation } = dispenser;
    const reached = allocation instanceof PeriodRun ? allocation.run.reached : allocation.period;
    return Math.max(this.present(dispenser), reached);
  }

  /**
   * The run that is kept of a line that is deleted: its latest, because what it has been in is
   * forgotten then.
   */
  keptWhenDeleted(dispenser: Dispenser): Pick<DeletedLine, "account" | "run"> {
    const kept = dispenser.keptWhenDeleted;
    const { account, run } = kept;
    if (run === undefined) return kept;
    const { period, reached } = run;
    const isLatest = period === reached;
    const passed = isLatest ? account.reserved - run.start : this.passedIn(dispenser, reached);
    const start = account.reserved - passed;
    return { account, run: { period: reached, start, knownFrom: reached, reached } };
  }

  /** The commit is over: what was passed is on disk. */
  commitEnded(): void {
    this.ended.clear();
  }
}
