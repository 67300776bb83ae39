/**
 * The end of a turn of the event loop: what all connections staged is committed once, and then the
 * replies that waited for it are sent.
 */

import type { Log } from "../../base/log.ts";
import type { Engine } from "../../engine/engine.ts";
import type { DiskUnavailable } from "../../storage/store.ts";
import type { Counters } from "../commands/command.ts";

/** What the end of a turn works on. */
export interface TurnOptions {
  readonly engine: Engine;
  readonly log: Log;
  readonly counters: Counters;
}

/** Who holds replies until a commit is over. */
export interface Holder {
  /** Commit number `commit` is done, or has failed: what waited for it waits no more. */
  commitEnded(commit: number, failure: DiskUnavailable | undefined): void;
  /** Sends what was released, once every holder knows that the commit ended. */
  drain(): void;
}

/** Who holds replies, and what became of the last commit. */
export class CommitTurn {
  /** Why the last commit failed; undefined while storage works. */
  storageTrouble: string | undefined;
  private readonly options: TurnOptions;
  private holding: Holder[] = [];

  constructor(options: TurnOptions) {
    this.options = options;
  }

  /** `holder` holds replies that wait for the commit; to be called once until commitEnded(). */
  hold(holder: Holder): void {
    this.holding.push(holder);
  }

  /** Commits, if something is staged. Throws DiskBroken, after which no reply may leave. */
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
    // Only now: who goes on with its next requests must find that the commit is over for everybody.
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
