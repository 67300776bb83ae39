/**
 * The end of a turn of the event loop: what all connections staged is committed once, and then the
 * replies that waited for it are sent.
 */

import type { Log } from "../../base/log.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Counters } from "../commands/command.ts";
import type { Connection } from "./connection.ts";

/** What the end of a turn works on. */
export interface TurnOptions {
  readonly engine: Engine;
  readonly log: Log;
  readonly counters: Counters;
}

/** The connections that hold replies, and what became of the last commit. */
export class CommitTurn {
  /** Why the last commit failed; undefined while storage works. */
  storageTrouble: string | undefined;
  private readonly options: TurnOptions;
  private holding: Connection[] = [];

  constructor(options: TurnOptions) {
    this.options = options;
  }

  /** A connection holds replies that wait for the commit. */
  hold(connection: Connection): void {
    this.holding.push(connection);
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
    for (const connection of holding) connection.commitEnded(commit, failure);
    // Only now: a connection that goes on with its next requests must find all of them settled.
    for (const connection of holding) connection.drain();
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
