/**
 * The lines of a node that want a lease, and those who wait for it. A line that other nodes lease
 * of at the same time is contended: for a while it has transactions of its own, and does not hold
 * up the rest. Lines that clients wait for come before those that ask ahead of time; each in the
 * order in which they came.
 */

import type { Dispenser } from "../../dispenser/dispenser.ts";
import { LINES_AT_ONCE } from "../stores/store.ts";

/** A line is contended for so long after another node was quicker. */
const CONTENDED_MS = 30_000;

/** A line that wants a lease; `granted` resolves when it was leased some. */
export interface Want {
  readonly dispenser: Dispenser;
  /** How many numbers clients wait for; 0 where it asks ahead of time. */
  count: number;
  /** Whether it asks for the period to come alone. */
  isEarly: boolean;
  readonly granted: PromiseWithResolvers<void>;
}

export class Wants {
  private readonly now: () => number;
  private readonly awaited = new Map<Dispenser, Want>();
  private readonly ahead = new Map<Dispenser, Want>();
  private readonly contendedUntilMs = new WeakMap<Dispenser, number>();

  /** `now`: a clock that only goes forwards, in milliseconds. */
  constructor(now: () => number) {
    this.now = now;
  }

  get isEmpty(): boolean {
    return this.awaited.size + this.ahead.size === 0;
  }

  /**
   * A line needs so many numbers more; `isEarly`: of its next period. Resolves when it was leased
   * some, or has none.
   */
  add(dispenser: Dispenser, count: number, isEarly = false): Promise<void> {
    let want = this.awaited.get(dispenser) ?? this.ahead.get(dispenser);
    if (want === undefined) {
      want = { dispenser, count: 0, isEarly, granted: Promise.withResolvers() };
      // Nobody waits for a lease ahead of time, so a rejection may go unheard.
      want.granted.promise.catch(() => {});
    }
    want.count += count;
    want.isEarly &&= isEarly;
    this.place(want);
    return want.granted.promise;
  }

  /** Puts a want where it belongs; it keeps its place if it is there. */
  private place(want: Want): void {
    if (want.count > 0) this.ahead.delete(want.dispenser);
    (want.count > 0 ? this.awaited : this.ahead).set(want.dispenser, want);
  }

  /**
   * Takes the wants of the next transaction: those of lines that are not contended, or a contended
   * one alone.
   */
  take(): readonly Want[] {
    const first = this.first(LINES_AT_ONCE);
    const isAlone = first.length > 0 && this.isContended(first[0]!.dispenser);
    const taken = isAlone
      ? first.slice(0, 1)
      : first.filter(({ dispenser }) => !this.isContended(dispenser));
    for (const { dispenser } of taken) {
      this.awaited.delete(dispenser);
      this.ahead.delete(dispenser);
    }
    return taken;
  }

  /** The first wants of all. There may be very many: it looks at no others. */
  private first(count: number): Want[] {
    const found: Want[] = [];
    for (const wants of [this.awaited, this.ahead]) {
      for (const want of wants.values()) {
        if (found.length === count) return found;
        found.push(want);
      }
    }
    return found;
  }

  /** Puts back a want that was taken, for a later transaction. */
  putBack(want: Want): void {
    const newer = this.awaited.get(want.dispenser) ?? this.ahead.get(want.dispenser);
    if (newer !== undefined) {
      newer.count += want.count;
      newer.isEarly &&= want.isEarly;
      newer.granted.promise.then(want.granted.resolve, want.granted.reject);
    }
    this.place(newer ?? want);
  }

  /** None of them can be leased now. */
  rejectAll(error: unknown): void {
    const all = [...this.awaited.values(), ...this.ahead.values()];
    this.awaited.clear();
    this.ahead.clear();
    for (const { granted } of all) granted.reject(error);
  }

  /** Whether another node leased of a line while this one did, a moment ago. */
  isContended(dispenser: Dispenser): boolean {
    return (this.contendedUntilMs.get(dispenser) ?? 0) > this.now();
  }

  markContended(dispenser: Dispenser): void {
    this.contendedUntilMs.set(dispenser, this.now() + CONTENDED_MS);
  }
}
