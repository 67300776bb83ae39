/** How fast a node's lines are used, and so how much of them to lease, and when. */

import type { Dispenser } from "../../dispenser/dispenser.ts";
import { strategies } from "../../dispenser/strategy.ts";

/** A line of which nothing is known yet gets so many numbers. */
const FIRST_SIZE = 100;
/** One lease is at most so many times the one before: a burst tells little of the next second. */
const GROWTH_MAX = 10;
/** However small the budget, a lease lasts about so long: the store sees one of a line in a second. */
const LEAST_MS = 1000;
/** Within the budget it lasts so long. */
const MOST_MS = 4000;
/** The next lease is asked for when what is left lasts so long, or half of the last one is used up. */
const AHEAD_MS = 1000;

/** What a line did since its last lease. */
interface Pace {
  readonly size: number;
  readonly atMs: number;
  readonly generated: bigint;
}

export class LeaseSizer {
  private readonly now: () => number;
  private readonly paces = new WeakMap<Dispenser, Pace>();

  constructor(now: () => number) {
    this.now = now;
  }

  /** A line is leased so much, now. */
  leased(dispenser: Dispenser, size: number): void {
    const { generated } = dispenser.counts;
    this.paces.set(dispenser, { size, atMs: this.now(), generated });
  }

  /** Numbers a millisecond since the last lease. */
  private rate(dispenser: Dispenser): number {
    const pace = this.paces.get(dispenser);
    if (pace === undefined) return 0;
    const used = Number(dispenser.counts.generated - pace.generated);
    return used / Math.max(1, this.now() - pace.atMs);
  }

  /**
   * How many numbers to lease, where so many are waited for. Of a line that many nodes lease of each takes
   * more at a time, whatever the budget.
   */
  sizeFor(dispenser: Dispenser, wanted: number, isContended: boolean): number {
    const pace = this.paces.get(dispenser);
    if (pace === undefined) return Math.max(FIRST_SIZE, wanted);
    const rate = this.rate(dispenser);
    const { acknowledgedPerAhead } = strategies[dispenser.definition.strategy];
    const budget = Number(dispenser.counts.generated) / Math.max(1, acknowledgedPerAhead);
    const least = rate * (isContended ? MOST_MS : LEAST_MS);
    const size = Math.max(least, Math.min(rate * MOST_MS, budget), FIRST_SIZE);
    return Math.max(wanted, Math.ceil(Math.min(size, pace.size * GROWTH_MAX)));
  }

  /**
   * A line used up its lease as far as was said: whether to ask for the next one already. If not, it says
   * when to look again.
   */
  isLow(dispenser: Dispenser): boolean {
    const { remaining } = dispenser;
    const ahead = Math.ceil(this.rate(dispenser) * AHEAD_MS);
    if (remaining <= ahead) return true;
    // It goes on slowly: later, or when there is nothing left.
    if (ahead > 1) dispenser.leaseThreshold = dispenser.taken + (remaining - ahead);
    return false;
  }
}
