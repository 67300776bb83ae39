/** Random choices that the same seed repeats. */

import { randomFrom } from "./random.ts";

export class Prng {
  private readonly random: () => number;

  constructor(seed: number) {
    this.random = randomFrom(seed);
  }

  /** A number from 0 up to, not including, 1. */
  next(): number {
    return this.random();
  }

  /** A whole number from 0 up to, not including, `limit`. */
  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }

  /** Whether an event happens that happens once in `inSo` times on average. */
  once(inSo: number): boolean {
    return this.below(inSo) === 0;
  }
}
