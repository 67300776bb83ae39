/**
 * The lines of a node that want a lease, and those who wait for it. A line that other nodes lease
 * of at the same time is contended: for a while it has transactions of its own, and does not hold
 * up the rest.
 */

import type { Dispenser } from "../../dispenser/dispenser.ts";
import { LINES_AT_ONCE } from "../stores/store.ts";

/** A line is contended for so long after another node was quicker. */
const CONTENDED_MS = 30_000;

/** A line, and how many numbers it needs; `granted` resolves when it was leased some. */
export interface Want {
  readonly dispenser: Dispenser;
  count: number;
  readonly granted: PromiseWithResolvers<void>;
}

export class Wants {
  private readonly now: () => number;
  private readonly waiting = new Map<Dispenser, Want>();
  private readonly contendedUntilMs = new WeakMap<Dispenser, number>();

  /** `now`: a clock that only goes forwards, in milliseconds. */
  constructor(now: () => number) {
    this.now = now;
  }

  get isEmpty(): boolean {
    return this.waiting.size === 0;
  }

  /** A line needs so many numbers more. Resolves when it was leased some, or has none. */
  add(dispenser: Dispenser, count: number): Promise<void> {
    let want = this.waiting.get(dispenser);
    if (want === undefined) {
      want = { dispenser, count: 0, granted: Promise.withResolvers() };
      // Nobody waits for a lease ahead of time, so a rejection may go unheard.
      want.granted.promise.catch(() => {});
      this.waiting.set(dispenser, want);
    }
    want.count += count;
    return want.granted.promise;
  }

  /**
   * Takes the wants of the next transaction: those of lines that are not contended, or a contended
   * one alone.
   */
  take(): readonly Want[] {
    const all = [...this.waiting.values()];
    const isAlone = all.length > 0 && this.isContended(all[0]!.dispenser);
    const taken = isAlone
      ? all.slice(0, 1)
      : all.filter(({ dispenser }) => !this.isContended(dispenser)).slice(0, LINES_AT_ONCE);
    for (const { dispenser } of taken) this.waiting.delete(dispenser);
    return taken;
  }

  /** Puts back a want that was taken, for a later transaction. */
  putBack(want: Want): void {
    const newer = this.waiting.get(want.dispenser);
    if (newer === undefined) {
      this.waiting.set(want.dispenser, want);
      return;
    }
    newer.count += want.count;
    newer.granted.promise.then(want.granted.resolve, want.granted.reject);
  }

  /** None of them can be leased now. */
  rejectAll(error: unknown): void {
    const all = [...this.waiting.values()];
    this.waiting.clear();
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
