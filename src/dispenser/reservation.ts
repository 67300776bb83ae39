/**
 * What passes between a dispenser and the disk. Positions and counts are exact, over the whole
 * 64-bit range.
 */

import type { Definition } from "./definition.ts";
import type { Keeps } from "./strategy.ts";

/** What the disk knows of a dispenser's numbers. All three count numbers, from the line's start. */
export interface Account {
  /** Nothing at or above this position has left the server. Recovery resumes here. */
  readonly reserved: bigint;
  /** Numbers handed out, as of the commit. */
  readonly generated: bigint;
  /** Numbers skipped for good, as of the commit. */
  readonly wasted: bigint;
}

/** A run of the line: positions `first` to `last`, both included. */
export interface Segment {
  readonly first: bigint;
  readonly last: bigint;
}

/** What a commit shall write of a dispenser. */
export interface Reservation {
  readonly id: number;
  readonly keeps: Keeps;
  readonly account: Account;
  /** The segment to add; undefined where the present one suffices. */
  readonly segment: Segment | undefined;
  /** Whether all that was kept of this dispenser before is to go: the strategy changed. */
  readonly replaces: boolean;
}

/** A dispenser as recovery finds it; the account is undefined where nothing was ever kept. */
export interface Recovered {
  readonly account: Account | undefined;
  /** Where the last segment ends: the first position behind it. */
  readonly segmentEnd: bigint | undefined;
}

export interface Counts {
  readonly generated: bigint;
  readonly wasted: bigint;
}

/**
 * Whether a line of this definition can have such an account: asserted before a row is written, and
 * asked of each row that is read.
 */
export function isPossible(
  { reserved, generated, wasted }: Account,
  { type, series }: Definition,
): boolean {
  if (generated < 0n || wasted < 0n) return false;
  if (!type.hasPositions) return true;
  return generated + wasted <= reserved && reserved <= series.positions;
}
