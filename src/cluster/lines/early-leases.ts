/**
 * Leases of the next period, asked for before that begins: so a node goes on when it begins, even
 * while the store is away, and not all nodes ask for all their lines at midnight. Each line of each
 * node has an instant of its own.
 */

import { Leased } from "../../dispenser/allocation.ts";
import type { Dispenser } from "../../dispenser/dispenser.ts";
import type { Engine } from "../../engine/engine.ts";

/** So many lines are looked at in one turn: that takes less than a millisecond. */
const LOOKS_MAX = 500;
/** The part of the lead time in which no line asks any more: a lease has to arrive in time. */
const LAST_PART = 0.05;
/** Spreads the ids of lines evenly over the words of 32 bits (Knuth, the golden ratio). */
const SPREAD = 2_654_435_769;

export class EarlyLeases {
  private readonly engine: Engine;
  private readonly want: (dispenser: Dispenser) => void;
  private readonly salt: number;
  private lines: Iterator<Dispenser> | undefined;

  /** `random`: a number from 0 to 1, without 1; other nodes have another one. */
  constructor(engine: Engine, want: (dispenser: Dispenser) => void, random: number) {
    this.engine = engine;
    this.want = want;
    this.salt = Math.floor(random * 2 ** 32);
  }

  /** To be called now and then: asks for lines whose instant has come, some lines at a time. */
  look(nowMs: number): void {
    this.lines ??= this.engine.dated.lines[Symbol.iterator]();
    for (let looks = 0; looks < LOOKS_MAX; looks++) {
      const { value: line, done } = this.lines.next();
      if (done === true) {
        this.lines = undefined;
        return;
      }
      if (this.isDue(line, nowMs)) this.want(line);
    }
  }

  private isDue(line: Dispenser, nowMs: number): boolean {
    const { definition, allocation, id } = line;
    const { format } = definition;
    if (format?.periods === undefined || !(allocation instanceof Leased)) return false;
    const { period, ahead } = allocation;
    if (ahead !== undefined || period !== this.engine.periods.present(line)) return false;
    const word = (Math.imul(id, SPREAD) ^ this.salt) >>> 0;
    const part = LAST_PART + (1 - LAST_PART) * (word / 2 ** 32);
    return nowMs >= format.periods.endMs(period, nowMs) - format.periods.period.leadMs * part;
  }
}
