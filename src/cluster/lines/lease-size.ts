/** How fast a node uses its lines, and so how much of a line to lease, and when. */

import type { Dispenser } from "../../dispenser/dispenser.ts";
import { strategies } from "../../dispenser/strategy.ts";

/** The first lease of a line has so many numbers. */
const FIRST_SIZE = 100;
/**
 * A lease is at most so many times as large as the one before: a burst tells little of the next
 * second.
 */
const GROWTH_MAX = 10;
/**
 * A lease lasts about so long, however small the budget: a line asks the store about once a second.
 */
const LEAST_MS = 1000;
/** Within the budget a lease lasts so long. */
const MOST_MS = 4000;
/**
 * A node asks for the next lease when what is left lasts so long, or half of the last lease is
 * used.
 */
const AHEAD_MS = 1000;

/** A line at its last lease. */
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

  /** A line is leased so many numbers, now. */
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
   * How many numbers to lease, at least the `wanted` ones that clients wait for. Where many nodes
   * lease of one line, each takes more at a time, whatever the budget.
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
   * A line reached its threshold: whether to ask for the next lease already. If not, the line gets
   * a later threshold.
   */
  isLow(dispenser: Dispenser): boolean {
    const { remaining } = dispenser;
    const ahead = Math.ceil(this.rate(dispenser) * AHEAD_MS);
    if (remaining <= ahead) return true;
    // The line is used slowly: it asks later, or when nothing is left.
    if (ahead > 1) dispenser.noticeThreshold = dispenser.taken + (remaining - ahead);
    return false;
  }
}
