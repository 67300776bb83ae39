/** In which order the numbers of a line come, as far as replies tell. */

import { Broken } from "./broken.ts";
import { numberIn, periodIn } from "./shapes.ts";

/**
 * A stretch in which numbers come in the order of their ranks: from a start, or from where PERIOD took
 * the line back, up to the next such point.
 */
export class Stretch {
  /** The largest rank that anyone has: none up to here comes any more. */
  largest: bigint;
  /** By period: below these numbers nothing comes, as the line has been in it before. */
  private readonly least: Map<number, bigint>;

  constructor(largest: bigint, least: ReadonlyMap<number, bigint> = new Map()) {
    this.largest = largest;
    this.least = new Map(least);
  }

  /** A number came that was asked for when `floor` was the largest. Throws Broken. */
  check(rank: bigint, floor: bigint): void {
    if (rank <= floor) throw new Broken(`${told(rank)}, asked for after ${told(floor)} had come`);
    const least = this.least.get(periodIn(rank)) ?? 0n;
    if (numberIn(rank) < least)
      throw new Broken(`${told(rank)}, though the line went back to come behind ${least - 1n}`);
  }

  /** A number that was asked for in this stretch has come. */
  came(rank: bigint): void {
    if (rank > this.largest) this.largest = rank;
  }

  /** A number that was asked for in an earlier stretch has come. */
  cameLate(rank: bigint): void {
    const [period, number] = [periodIn(rank), numberIn(rank)];
    if (number >= (this.least.get(period) ?? 0n)) this.least.set(period, number + 1n);
  }
}

/** A number and its period, for people. */
export function told(rank: bigint): string {
  const period = periodIn(rank);
  return period > 0 ? `${numberIn(rank)} of period ${period}` : `${rank}`;
}
