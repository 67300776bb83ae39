/**
 * Dispensers whose counts, which INFO shows, may not be on disk yet, nor known to the other nodes of
 * a cluster. They are saved and reported in the background; uniqueness never depends on them.
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
  private readonly isSaved: boolean;

  /** `isSaved`: whether the counts are to be staged. */
  constructor(isSaved: boolean) {
    this.isSaved = isSaved;
  }

  /** Queues a dispenser that is not yet queued, because numbers of it were taken. */
  add(dispenser: Dispenser): void {
    dispenser.isQueued = true;
    this.waiting.add(dispenser);
  }

  /**
   * Stages the dispensers that have waited longest, and calls `onTaken` with each: numbers of it were
   * taken since the last time.
   */
  stage(pending: CommitBatch, onTaken: (dispenser: Dispenser) => void): void {
    for (let looked = 0, staged = 0; looked < LOOKED_THROUGH_MAX; looked++) {
      const dispenser = staged < PER_COMMIT_MAX ? this.waiting.take() : undefined;
      if (dispenser === undefined) return;
      dispenser.isQueued = false;
      onTaken(dispenser);
      if (!this.isSaved || !dispenser.hasDirtyCounts || dispenser.isRemoved) continue;
      pending.stage(dispenser);
      staged++;
    }
  }
}
