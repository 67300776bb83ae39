/**
 * The lines that hold leased numbers: whether there is one, which balancers ask each second, is
 * found out cheaply, however many lines there are.
 *
 * Invariant: a line that has leased numbers left is in `lines`. One that has used them up stays
 * there until a look meets it, so each lease is paid for once.
 */

import type { Dispenser } from "../dispenser/dispenser.ts";
import type { Periods } from "./periods.ts";

/** How many lines one look meets at most: that takes half a millisecond. */
const LOOK_MAX = 2000;

export class HeldLeases {
  private readonly lines = new Set<Dispenser>();
  private readonly periods: Pick<Periods, "available" | "holds">;

  /** `periods` knows what a line has to hand out now, and later. */
  constructor(periods: Pick<Periods, "available" | "holds">) {
    this.periods = periods;
  }

  /** To be called with a line that is there, and may have got leased numbers. */
  add(line: Dispenser): void {
    if (this.periods.holds(line)) this.lines.add(line);
  }

  /** To be called with a line that is removed. */
  remove(line: Dispenser): void {
    this.lines.delete(line);
  }

  /** Whether some line has leased numbers left, or may have: no more than LOOK_MAX are looked at. */
  look(): boolean {
    let looks = LOOK_MAX;
    for (const line of this.lines) {
      if (this.periods.available(line) > 0 || looks-- === 0) return true;
      if (!this.periods.holds(line)) this.lines.delete(line);
    }
    return false;
  }
}
