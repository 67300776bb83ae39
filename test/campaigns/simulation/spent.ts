/** What is spent of a line: never to be handed out again, whatever happens. */

import { Broken } from "./broken.ts";
import { numberAt, periodIn, positionOf, rankOf, type Shape } from "./shapes.ts";

/** Where the program says that a line stands. Positions are local ones, which count over periods. */
export interface Standing {
  readonly position: bigint;
  /** Of a line with periods that has begun one. */
  readonly run?: {
    readonly period: number;
    /** How many numbers it has passed of that. */
    readonly passed: bigint;
    /** Nothing is known of earlier periods. */
    readonly knownFrom: number;
  };
  /** How many numbers it has passed of a period; undefined where it was not in that. */
  readonly passedIn?: (period: number) => bigint | undefined;
}

/** The rank of the number that comes next. */
export function nextRank(shape: Shape, { position, run }: Standing): bigint {
  if (run === undefined) return numberAt(shape, position);
  return rankOf(run.period, numberAt(shape, run.passed));
}

export class Spent {
  /** All positions below this one. */
  below = 0n;
  /**
   * Whether the program may not know any more what the line did in periods before its present one:
   * it was deleted, or in memory, meanwhile.
   */
  mayBeForgotten = false;
  /** Of each period that a number was received of: all numbers below. */
  readonly inPeriods = new Map<number, bigint>();

  /** All positions below this one are spent. */
  upTo(position: bigint): void {
    if (position > this.below) this.below = position;
  }

  /** A number of a period is. */
  number(period: number, number: bigint): void {
    if (number >= (this.inPeriods.get(period) ?? 0n)) this.inPeriods.set(period, number + 1n);
  }

  /** A life begins with the line standing there. Throws Broken. */
  check(shape: Shape, standing: Standing): void {
    const { position, run } = standing;
    if (position < this.below)
      throw new Broken(`restarts at position ${position}, but all below ${this.below} is spent`);
    if (run !== undefined && run.knownFrom > 0 && !this.mayBeForgotten)
      throw new Broken(`has forgotten what it did before period ${run.knownFrom}`);
    let all = 0n;
    for (const [period, below] of this.inPeriods) {
      if (period < (run?.knownFrom ?? 0)) continue;
      const passed = standing.passedIn?.(period) ?? 0n;
      all += passed;
      if (numberAt(shape, passed) < below)
        throw new Broken(
          `has passed ${passed} of period ${period}, but position ${positionOf(shape, below - 1n)} is spent`,
        );
    }
    if (all > position && !this.mayBeForgotten)
      throw new Broken(`has passed ${all} numbers of its periods, and ${position} in all`);
  }

  /** Takes over from all that is in use of the name what a line that goes on has of it. */
  takeOver(ranks: Iterable<bigint>): void {
    this.mayBeForgotten = true;
    for (const rank of ranks) {
      const period = periodIn(rank);
      if (period > 0) this.number(period, BigInt.asUintN(64, rank));
    }
  }
}
