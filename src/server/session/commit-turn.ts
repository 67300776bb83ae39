/**
 * The end of a turn of the event loop: commits once what all connections staged, and then sends the
 * replies that waited for it.
 */

import type { Log } from "../../base/log.ts";
import type { Engine } from "../../engine/engine.ts";
import type { DiskUnavailable } from "../../storage/store.ts";
import type { Counters } from "../counters.ts";

/** The objects that the end of a turn works on. */
export interface TurnOptions {
  readonly engine: Engine;
  readonly log: Log;
  readonly counters: Counters;
}

/** A session, or another owner of replies, that holds them until a commit is over. */
export interface Holder {
  /** Commit number `commit` has succeeded, or failed: releases the replies that waited for it. */
  commitEnded(commit: number, failure: DiskUnavailable | undefined): void;
  /** Sends the released replies; called once every holder knows that the commit ended. */
  drain(): void;
}

/** The holders of replies, and whether the last commit failed. */
export class CommitTurn {
  /** Why the last commit failed; undefined while storage works. */
  storageTrouble: string | undefined;
  private readonly options: TurnOptions;
  private holding: Holder[] = [];

  constructor(options: TurnOptions) {
    this.options = options;
  }

  /** Adds a holder to be told of the next commit. A holder calls this once until commitEnded(). */
  hold(holder: Holder): void {
    this.holding.push(holder);
  }

  /** Commits if something is staged. If it throws DiskBroken, no reply may leave any more. */
  end(): void {
    const { engine, log, counters } = this.options;
    const commit = engine.nextCommit;
    const failure = engine.commit();
    if (engine.nextCommit === commit) return;
    if (failure === undefined) counters.commits++;
    this.noteTrouble(failure?.message);
    const { holding } = this;
    this.holding = [];
    for (const holder of holding) holder.commitEnded(commit, failure);
    // Only now: drain() may run the next requests, which must find the commit over for every
    // holder.
    for (const holder of holding) holder.drain();
    const unmoved = engine.maintain();
    if (unmoved !== undefined) log.warning("storage not tidied", { reason: unmoved.message });
  }

  private noteTrouble(trouble: string | undefined): void {
    const { log } = this.options;
    if (trouble !== undefined && this.storageTrouble === undefined) {
      log.error("storage unavailable", { reason: trouble });
    }
    if (trouble === undefined && this.storageTrouble !== undefined) {
      log.info("storage available again");
    }
    this.storageTrouble = trouble;
  }
}
