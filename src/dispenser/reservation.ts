/**
 * What passes between a dispenser and the disk. Positions and counts are exact, over the whole
 * 64-bit range.
 */

import type { Run } from "./period-run.ts";
import type { Keeps } from "./strategy.ts";
import type { NumberType } from "./types/type.ts";

/** What the disk knows of a dispenser: three counts of numbers, from the start of its line. */
export interface Account {
  /** Nothing at or above this position has left the server. Recovery resumes here. */
  readonly reserved: bigint;
  /** Numbers handed out, as of the commit. */
  readonly generated: bigint;
  /** Numbers skipped for good, as of the commit. */
  readonly wasted: bigint;
}

/** The local positions `first` to `last`, both included. */
export interface Segment {
  readonly first: bigint;
  readonly last: bigint;
}

/** What a commit writes of a dispenser. */
export interface Reservation {
  readonly id: number;
  readonly keeps: Keeps;
  readonly account: Account;
  /** A segment to add; undefined where the present one is long enough. */
  readonly segment: Segment | undefined;
  /** Whether all rows of the dispenser before this are removed, because its strategy changed. */
  readonly replaces: boolean;
  /** The run that the line is in from now on; undefined where that stays as it is. */
  readonly run: Run | undefined;
}

/** What the start finds of a dispenser; the account is undefined where no commit wrote one. */
export interface Recovered {
  readonly account: Account | undefined;
  /** Where the last segment ends: the first position behind it. */
  readonly segmentEnd: bigint | undefined;
  /** The run that a line with periods is in; undefined where it has not begun. */
  readonly run?: Run | undefined;
}

export interface Counts {
  readonly generated: bigint;
  readonly wasted: bigint;
}

/**
 * Whether a line of this type, with so many positions, can have such an account: asserted before a row
 * is written, and asked of each row that is read.
 */
export function isPossible(
  { reserved, generated, wasted }: Account,
  { hasPositions }: NumberType,
  positions: bigint,
): boolean {
  if (generated < 0n || wasted < 0n) return false;
  return !hasPositions || (generated + wasted <= reserved && reserved <= positions);
}
