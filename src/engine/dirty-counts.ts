/**
 * Dispensers whose counts, which INFO shows, may not be on disk yet. They are saved in the
 * background; uniqueness never depends on them.
 */

import { Queue } from "../base/queue.ts";
import type { Dispenser } from "../dispenser/dispenser.ts";
import type { CommitBatch } from "./commit.ts";

/** The most dispensers that one commit saves. */
const PER_COMMIT_MAX = 1000;
/**
 * The most that are looked through for that: many have nothing to save, such as lines in memory.
 */
const LOOKED_THROUGH_MAX = 10_000;

export class DirtyCounts {
  private readonly waiting = new Queue<Dispenser>();

  /** Queues a dispenser that is not yet queued, because numbers of it were taken. */
  add(dispenser: Dispenser): void {
    dispenser.isQueued = true;
    this.waiting.add(dispenser);
  }

  /** Stages the dispensers that have waited longest. */
  stage(pending: CommitBatch): void {
    for (let looked = 0, staged = 0; looked < LOOKED_THROUGH_MAX; looked++) {
      const dispenser = staged < PER_COMMIT_MAX ? this.waiting.take() : undefined;
      if (dispenser === undefined) return;
      dispenser.isQueued = false;
      if (!dispenser.hasDirtyCounts || dispenser.isRemoved) continue;
      pending.stage(dispenser);
      staged++;
    }
  }
}
