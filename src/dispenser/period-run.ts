/**
 * A line with periods, on a node that does not share it by leases. Local positions count on for
 * ever; each period that the line enters begins a run of them, in which its numbers begin again.
 */

import { smallest } from "../base/bigint.ts";
import type { Allocation } from "./allocation.ts";

/** A run, as it is stored. */
export interface Run {
  readonly period: number;
  /**
   * The local position of the period's first number. Below 0 where the line came back to a period
   * whose first numbers were handed out at other positions.
   */
  readonly start: bigint;
  /** Nothing is known of periods before this one. */
  readonly knownFrom: number;
  /** The latest period that the line has been in: it may have come back from that. */
  readonly reached: number;
}

/** The end of local positions: a position of SQLite ends here. */
export const LOCAL_POSITIONS_MAX = 2n ** 63n;

/** Of a line that no number was ever taken of. */
const NOT_BEGUN: Run = {
  period: Number.NEGATIVE_INFINITY,
  start: 0n,
  knownFrom: 0,
  reached: Number.NEGATIVE_INFINITY,
};

export class PeriodRun implements Allocation {
  readonly isLeased = false;
  readonly run: Run;
  /** Which numbers of each period are the node's. */
  private readonly inner: Allocation;

  constructor(inner: Allocation, run: Run = NOT_BEGUN) {
    this.inner = inner;
    this.run = run;
  }

  get period(): number {
    return this.run.period;
  }

  get hasBegun(): boolean {
    return this.run !== NOT_BEGUN;
  }

  get start(): bigint {
    return this.run.start;
  }

  /**
   * The run of another period, of which the line has passed so many numbers, from a local position
   * on.
   */
  in(period: number, position: bigint, passed: bigint): PeriodRun {
    const reached = Math.max(this.run.reached, period);
    return new PeriodRun(this.inner, { ...this.run, period, start: position - passed, reached });
  }

  /** The same, from which on nothing is known of earlier periods. */
  forgetting(): PeriodRun {
    return new PeriodRun(this.inner, { ...this.run, knownFrom: this.period });
  }

  /** How many of the period's numbers lie below a local position. */
  passed(local: bigint): bigint {
    return local - this.start;
  }

  /** How many numbers of each period are the node's. */
  sizeOfPeriod(positions: bigint): bigint {
    return this.inner.size(positions);
  }

  size(positions: bigint): bigint {
    if (!this.hasBegun) return 0n;
    return smallest(this.start + this.inner.size(positions), LOCAL_POSITIONS_MAX);
  }

  toLine(local: bigint): bigint {
    return this.inner.toLine(local - this.start);
  }

  contiguous(local: bigint): bigint {
    return this.inner.contiguous(local - this.start);
  }

  countBelow(position: bigint): bigint {
    return this.start + this.inner.countBelow(position);
  }

  usedBelow(local: bigint, positions: bigint): bigint {
    return this.inner.usedBelow(local, positions);
  }
}
