/**
 * Dispensers whose counts, which INFO shows, the disk may not know: they are saved in the background. Uniqueness never
 * depends on it.
 */

import { Queue } from "../base/queue.ts";
import type { Dispenser } from "../dispenser/dispenser.ts";
import type { CommitBatch } from "./commit.ts";

/** At most so many are saved in one commit. */
const PER_COMMIT_MAX = 1000;
/** And so many are looked through for it: most have nothing to save, as those of lines in memory. */
const LOOKED_THROUGH_MAX = 10_000;

export class DirtyCounts {
  private readonly waiting = new Queue<Dispenser>();

  /** Numbers of one that is not `active` were taken: it is now. */
  add(dispenser: Dispenser): void {
    dispenser.isQueued = true;
    this.waiting.add(dispenser);
  }

  /** Stages those that waited longest. */
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
