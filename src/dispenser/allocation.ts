/**
 * Which positions of a line a node hands out. The node counts its own positions from 0, and knows
 * only these: reservations, segments, checkpoints and counts are of them. Its share says which
 * position of the line each is, where a number is made of it.
 *
 * Invariant: a later own position is a later position of the line, so numbers leave in order.
 */

import { assert } from "../base/assert.ts";

export interface Allocation {
  /** Whether it grows by leases, and ends where they do. */
  readonly isLeased: boolean;
  /** How many own positions there are on a line of so many positions. */
  size(positions: bigint): bigint;
  /** The line's position of an own one. Past the last one there is: where it may be, at the least. */
  toLine(own: bigint): bigint;
  /** How many own positions, from this one on, lie side by side on the line; at least 1. */
  contiguous(own: bigint): bigint;
  /** How many own positions lie below this position of the line. */
  countBelow(position: bigint): bigint;
  /**
   * Below which position numbers of a line of so many positions may be in use, by this node or one that it does
   * not hear of, when the own ones below `own` are.
   */
  usedBelow(own: bigint, positions: bigint): bigint;
}

/** Longer than every line. */
const ENDLESS = 2n ** 64n;

/** All of a line: what a node has that is alone. */
export const wholeLine: Allocation = {
  isLeased: false,
  size: (positions) => positions,
  toLine: (own) => own,
  contiguous: () => ENDLESS,
  countBelow: (position) => position,
  usedBelow: (own) => own,
};

/** So many positions in a row are one node's, where nodes share a line without talking. */
const BLOCK = 1000n;

/**
 * Every n-th run of 1,000 positions: what node i of n has, where the nodes never talk. Both are
 * counted from 1.
 */
export class Striped implements Allocation {
  readonly isLeased = false;
  private readonly start: bigint;
  private readonly stride: bigint;

  constructor(index: number, nodes: number) {
    assert(index >= 1 && index <= nodes, "node i of n");
    this.start = BLOCK * BigInt(index - 1);
    this.stride = BLOCK * BigInt(nodes);
  }

  size(positions: bigint): bigint {
    return this.countBelow(positions);
  }

  toLine(own: bigint): bigint {
    return this.start + (own / BLOCK) * this.stride + (own % BLOCK);
  }

  contiguous(own: bigint): bigint {
    return BLOCK - (own % BLOCK);
  }

  countBelow(position: bigint): bigint {
    const rest = position - this.start;
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

/** The runs a node leased of a line, of which those used up may be forgotten. Never changed. */
export class Leased implements Allocation {
  readonly isLeased = true;
  /** In order, without gaps between own positions. */
  readonly ranges: readonly LeasedRange[];

  constructor(runs: readonly LeasedRange[]) {
    this.ranges = runs;
    for (const [index, run] of runs.entries()) {
      const before = runs[index - 1];
      assert(run.count > 0n, "a lease has positions");
      if (before === undefined) continue;
      assert(run.local === before.local + before.count, "own positions have no gaps");
      assert(run.first >= before.first + before.count, "leases come in the order of the line");
    }
  }

  /** Where own positions end: behind the last lease. */
  get end(): bigint {
    const last = this.ranges.at(-1);
    return last === undefined ? 0n : last.local + last.count;
  }

  /** The first position of the line behind all leases. */
  get lineEnd(): bigint {
    const last = this.ranges.at(-1);
    return last === undefined ? 0n : last.first + last.count;
  }

  /** The share with a lease more, without the runs that end at or below an own position. */
  with(first: bigint, count: bigint, used: bigint): Leased {
    const kept = this.ranges.filter((run) => run.local + run.count > used);
    return new Leased([...kept, { local: this.end, first, count }]);
  }

  size(): bigint {
    return this.end;
  }

  toLine(own: bigint): bigint {
    const run = this.rangeOf(own);
    return run === undefined ? this.lineEnd + (own - this.end) : run.first + (own - run.local);
  }

  contiguous(own: bigint): bigint {
    const run = this.rangeOf(own);
    return run === undefined ? 1n : run.local + run.count - own;
  }

  countBelow(position: bigint): bigint {
    let own = this.ranges[0]?.local ?? 0n;
    for (const run of this.ranges) {
      if (run.first + run.count <= position) own = run.local + run.count;
      else if (run.first < position) own = run.local + (position - run.first);
    }
    return own;
  }

  usedBelow(_own: bigint, positions: bigint): bigint {
    return positions;
  }

  private rangeOf(own: bigint): LeasedRange | undefined {
    return this.ranges.findLast((run) => run.local <= own && own < run.local + run.count);
  }
}

/** Nothing leased yet. */
export const nothingLeased = new Leased([]);
