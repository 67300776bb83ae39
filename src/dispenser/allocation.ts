/**
 * Which positions of a line a node hands out. The node counts its own positions from 0, and knows
 * only these: reservations, segments, checkpoints and counts are of them. Its share says which
 * position of the line each is, where a number is made of it.
 *
 * Invariant: a later own position is a later position of the line, so numbers leave in order.
 */

import { assert } from "../base/assert.ts";

export interface Share {
  /** Whether it grows by leases, and ends where they do. */
  readonly isLeased: boolean;
  /** How many own positions there are on a line of so many positions. */
  size(positions: bigint): bigint;
  /** The line's position of an own one. Past the last one there is: where it may be, at the least. */
  at(own: bigint): bigint;
  /** How many own positions, from this one on, lie side by side on the line; at least 1. */
  sideBySide(own: bigint): bigint;
  /** How many own positions lie below this position of the line. */
  below(position: bigint): bigint;
  /**
   * Below which position numbers of a line of so many positions may be in use, by this node or one that it does
   * not hear of, when the own ones below `own` are.
   */
  usedBelow(own: bigint, positions: bigint): bigint;
}

/** Longer than every line. */
const ENDLESS = 2n ** 64n;

/** All of a line: what a node has that is alone. */
export const whole: Share = {
  isLeased: false,
  size: (positions) => positions,
  at: (own) => own,
  sideBySide: () => ENDLESS,
  below: (position) => position,
  usedBelow: (own) => own,
};

/** So many positions in a row are one node's, where nodes share a line without talking. */
const BLOCK = 1000n;

/**
 * Every n-th run of 1,000 positions: what node i of n has, where the nodes never talk. Both are
 * counted from 1.
 */
export class EveryNth implements Share {
  readonly isLeased = false;
  private readonly start: bigint;
  private readonly stride: bigint;

  constructor(index: number, nodes: number) {
    assert(index >= 1 && index <= nodes, "node i of n");
    this.start = BLOCK * BigInt(index - 1);
    this.stride = BLOCK * BigInt(nodes);
  }

  size(positions: bigint): bigint {
    return this.below(positions);
  }

  at(own: bigint): bigint {
    return this.start + (own / BLOCK) * this.stride + (own % BLOCK);
  }

  sideBySide(own: bigint): bigint {
    return BLOCK - (own % BLOCK);
  }

  below(position: bigint): bigint {
    const rest = position - this.start;
    if (rest <= 0n) return 0n;
    const inStride = rest % this.stride;
    return (rest / this.stride) * BLOCK + (inStride < BLOCK ? inStride : BLOCK);
  }

  usedBelow(_own: bigint, positions: bigint): bigint {
    return positions;
  }
}

/** A lease: `count` positions of the line from `first` on, which are the own ones from `own` on. */
export interface Run {
  readonly own: bigint;
  readonly first: bigint;
  readonly count: bigint;
}

/** The runs a node leased of a line, of which those used up may be forgotten. Never changed. */
export class Leased implements Share {
  readonly isLeased = true;
  /** In order, without gaps between own positions. */
  readonly runs: readonly Run[];

  constructor(runs: readonly Run[]) {
    this.runs = runs;
    for (const [index, run] of runs.entries()) {
      const before = runs[index - 1];
      assert(run.count > 0n, "a lease has positions");
      if (before === undefined) continue;
      assert(run.own === before.own + before.count, "own positions have no gaps");
      assert(run.first >= before.first + before.count, "leases come in the order of the line");
    }
  }

  /** Where own positions end: behind the last lease. */
  get end(): bigint {
    const last = this.runs.at(-1);
    return last === undefined ? 0n : last.own + last.count;
  }

  /** The first position of the line behind all leases. */
  get lineEnd(): bigint {
    const last = this.runs.at(-1);
    return last === undefined ? 0n : last.first + last.count;
  }

  /** The share with a lease more, without the runs that end at or below an own position. */
  with(first: bigint, count: bigint, used: bigint): Leased {
    const kept = this.runs.filter((run) => run.own + run.count > used);
    return new Leased([...kept, { own: this.end, first, count }]);
  }

  size(): bigint {
    return this.end;
  }

  at(own: bigint): bigint {
    const run = this.runOf(own);
    return run === undefined ? this.lineEnd + (own - this.end) : run.first + (own - run.own);
  }

  sideBySide(own: bigint): bigint {
    const run = this.runOf(own);
    return run === undefined ? 1n : run.own + run.count - own;
  }

  below(position: bigint): bigint {
    let own = this.runs[0]?.own ?? 0n;
    for (const run of this.runs) {
      if (run.first + run.count <= position) own = run.own + run.count;
      else if (run.first < position) own = run.own + (position - run.first);
    }
    return own;
  }

  usedBelow(_own: bigint, positions: bigint): bigint {
    return positions;
  }

  private runOf(own: bigint): Run | undefined {
    return this.runs.findLast((run) => run.own <= own && own < run.own + run.count);
  }
}

/** Nothing leased yet. */
export const nothingLeased = new Leased([]);
