/**
 * Which positions of a line a node hands out. The node counts local positions from 0, and
 * everything it keeps (reservations, segments, checkpoints, counts) is in local positions. Its
 * allocation maps them to positions of the line, of which numbers are made.
 *
 * Invariant: a later local position is a later position of the line, so numbers leave in order.
 */

import { assert } from "../base/assert.ts";
import { NO_PERIOD } from "./types/type.ts";

export interface Allocation {
  /** Whether it consists of leases, and grows by them. */
  readonly isLeased: boolean;
  /** The period that its numbers are of; NO_PERIOD of a line without. */
  readonly period: number;
  /** The local position of the line's first number, or of the first one of its period. */
  readonly start: bigint;
  /** How many local positions there are on a line of so many positions. */
  size(positions: bigint): bigint;
  /** Maps a local position to the line. Past the end of the allocation, a lower bound. */
  toLine(local: bigint): bigint;
  /** How many local positions, from this one on, are contiguous on the line; at least 1. */
  contiguous(local: bigint): bigint;
  /** How many local positions lie below this position of the line. */
  countBelow(position: bigint): bigint;
  /**
   * The position of the line below which numbers may be in use, by this node or by one that it does
   * not hear of, when the local ones below `local` are. The line has `positions` positions.
   */
  usedBelow(local: bigint, positions: bigint): bigint;
}

/** Longer than every line. */
const ENDLESS = 2n ** 64n;

/** All of a line: the allocation of a node that is alone. */
export const wholeLine: Allocation = {
  isLeased: false,
  period: NO_PERIOD,
  start: 0n,
  size: (positions) => positions,
  toLine: (local) => local,
  contiguous: () => ENDLESS,
  countBelow: (position) => position,
  usedBelow: (local) => local,
};

/** Nodes that share a line without talking take turns in blocks of so many positions. */
const BLOCK = 1000n;

/**
 * The allocation of node i of n (both counted from 1) that never talks to the others: every n-th
 * block of 1,000.
 */
export class Striped implements Allocation {
  readonly isLeased = false;
  readonly period = NO_PERIOD;
  readonly start = 0n;
  private readonly first: bigint;
  private readonly stride: bigint;

  constructor(index: number, nodes: number) {
    assert(index >= 1 && index <= nodes, "node i of n");
    this.first = BLOCK * BigInt(index - 1);
    this.stride = BLOCK * BigInt(nodes);
  }

  size(positions: bigint): bigint {
    return this.countBelow(positions);
  }

  toLine(local: bigint): bigint {
    return this.first + (local / BLOCK) * this.stride + (local % BLOCK);
  }

  contiguous(local: bigint): bigint {
    return BLOCK - (local % BLOCK);
  }

  countBelow(position: bigint): bigint {
    const rest = position - this.first;
    if (rest <= 0n) return 0n;
    const inStride = rest % this.stride;
    return (rest / this.stride) * BLOCK + (inStride < BLOCK ? inStride : BLOCK);
  }

  usedBelow(_own: bigint, positions: bigint): bigint {
    return positions;
  }
}

/** `count` positions of a line, from `first` on. */
export interface Range {
  readonly first: bigint;
  readonly count: bigint;
}

/** A range that was leased: its positions are the local ones from `local` on. */
export interface LeasedRange extends Range {
  readonly local: bigint;
}

/** A lease, with the period that its numbers are of. */
export interface Lease extends Range {
  readonly period: number;
}

/** A lease of a period to come, of which ADVANCE may have skipped numbers. */
export interface LeaseAhead extends Lease {
  /** The first number that is not skipped. */
  readonly from: bigint;
}

/**
 * The ranges that a node leased of a line, or of one period of it; used-up ones may be missing.
 * Immutable.
 */
export class Leased implements Allocation {
  readonly isLeased = true;
  readonly start = 0n;
  /** In order, without gaps between local positions. Of a period one that is alone may be empty. */
  readonly ranges: readonly LeasedRange[];
  /** The period of the ranges: NO_PERIOD of a line without, or that has not begun. */
  readonly period: number;
  /** A lease of a later period: it gets local positions when the line enters that. */
  readonly ahead: LeaseAhead | undefined;

  constructor(ranges: readonly LeasedRange[], period = NO_PERIOD, ahead?: LeaseAhead) {
    this.ranges = ranges;
    this.period = period;
    this.ahead = ahead;
    const isAlone = ranges.length === 1 && period !== NO_PERIOD;
    for (const [index, range] of ranges.entries()) {
      const before = ranges[index - 1];
      assert(range.count > 0n || isAlone, "a lease has positions");
      if (before === undefined) continue;
      assert(range.local === before.local + before.count, "local positions have no gaps");
      assert(range.first >= before.first + before.count, "leases come in the order of the line");
    }
    assert(ahead === undefined || ahead.period > period, "a lease ahead is of a later period");
  }

  /** The first local position behind the last lease. */
  get end(): bigint {
    const last = this.ranges.at(-1);
    return last === undefined ? 0n : last.local + last.count;
  }

  /** How many numbers were leased in all, those ahead included. */
  get total(): bigint {
    return this.end + (this.ahead?.count ?? 0n);
  }

  /** The first position of the line, or of the present period, behind all leases. */
  get lineEnd(): bigint {
    return endOf(this.ranges.at(-1));
  }

  /** The periods that it has leases of, and the first position behind those. */
  get ends(): readonly { readonly period: number; readonly end: bigint }[] {
    const present = { period: this.period, end: this.lineEnd };
    if (this.ahead === undefined) return [present];
    return [present, { period: this.ahead.period, end: endOf(this.ahead) }];
  }

  /** The first position of a period behind all leases of it. */
  passedIn(period: number): bigint {
    return this.ends.find((each) => each.period === period)?.end ?? 0n;
  }

  /** The same with one more range, without those that end at or below the local position `used`. */
  with(first: bigint, count: bigint, used: bigint): Leased {
    const kept = this.ranges.filter((range) => range.local + range.count > used);
    const ranges = [...kept, { local: this.end, first, count }];
    return new Leased(ranges, this.period, this.ahead);
  }

  /** The same with another lease of a period that has not begun. */
  withAhead(ahead: LeaseAhead): Leased {
    return new Leased(this.ranges, this.period, ahead);
  }

  /**
   * The line enters the period of a lease: its numbers follow behind all that was leased before,
   * whatever is left of that.
   */
  entering({ period, first, count }: Lease): Leased {
    const { ahead, end: local } = this;
    const isAhead = ahead !== undefined && ahead.period > period;
    return new Leased([{ local, first, count }], period, isAhead ? ahead : undefined);
  }

  size(): bigint {
    return this.end;
  }

  toLine(local: bigint): bigint {
    const range = this.rangeOf(local);
    return range === undefined
      ? this.lineEnd + (local - this.end)
      : range.first + (local - range.local);
  }

  contiguous(local: bigint): bigint {
    const range = this.rangeOf(local);
    return range === undefined ? 1n : range.local + range.count - local;
  }

  countBelow(position: bigint): bigint {
    let local = this.ranges[0]?.local ?? 0n;
    for (const range of this.ranges) {
      if (range.first + range.count <= position) local = range.local + range.count;
      else if (range.first < position) local = range.local + (position - range.first);
    }
    return local;
  }

  usedBelow(_own: bigint, positions: bigint): bigint {
    return positions;
  }

  private rangeOf(local: bigint): LeasedRange | undefined {
    return this.ranges.findLast(
      (range) => range.local <= local && local < range.local + range.count,
    );
  }
}

const endOf = (range: Range | undefined) => (range === undefined ? 0n : range.first + range.count);

/** Nothing leased yet. */
export const nothingLeased = new Leased([]);
