/**
 * The lines of a node that want a lease, and who waits for it. A line of which other nodes lease at the
 * same time is leased alone for a while, so that it does not hold up the rest.
 */

import type { Dispenser } from "../../dispenser/dispenser.ts";
import { LINES_AT_ONCE } from "../stores/store.ts";

/** Where another node was quicker, a line is leased alone for so long. */
const CONTENDED_MS = 30_000;

/** A line, how many numbers it needs, and what resolves when it was leased some. */
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
      // Nobody may wait for it: a lease ahead of time.
      want.granted.promise.catch(() => {});
      this.waiting.set(dispenser, want);
    }
    want.count += count;
    return want.granted.promise;
  }

  /** Takes what goes into the next transaction: lines that nobody else leases now, or one that others do. */
  take(): readonly Want[] {
    const all = [...this.waiting.values()];
    const isAlone = all.length > 0 && this.isContended(all[0]!.dispenser);
    const taken = isAlone
      ? all.slice(0, 1)
      : all.filter(({ dispenser }) => !this.isContended(dispenser)).slice(0, LINES_AT_ONCE);
    for (const { dispenser } of taken) this.waiting.delete(dispenser);
    return taken;
  }

  /** Puts one that was taken back: it goes into a later transaction. */
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
