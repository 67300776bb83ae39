/**
 * The fast path of one session: GETs that are recognised in the bytes and answered without the table
 * of commands. They are most of all requests, so they are prefetched where many names need it, and
 * timed by samples.
 */

import type { Engine } from "../../engine/engine.ts";
import type { Decoder } from "../../resp/decode.ts";
import type { Replies } from "../../resp/encode.ts";
import { PrefetchNames } from "../../resp/fast-get.ts";
import type { ServerForCommands } from "../commands/command.ts";
import { takeOne } from "../commands/dispensers.ts";
import type { CallStats } from "../counters.ts";

/** The answer of take() for a GET that has to go through the table of commands. */
export const NOT_TAKEN = -1;
/** One in so many runs is timed. */
const TIMED_RUN = 64;

/** How many runs there were, of any session. */
let runs = 0;
/** One for all sessions, because nothing stays in it between two calls. */
const ahead = new PrefetchNames();

export class FastGets {
  private readonly server: ServerForCommands;
  private readonly engine: Engine;
  private readonly decoder: Decoder;
  private readonly replies: Replies;
  private readonly stats: CallStats;
  /** How many of the coming GETs are prefetched. */
  private prefetched = 0;
  /** Commands that were no GETs when the run that is timed began. */
  private others = 0;

  constructor(server: ServerForCommands, engine: Engine, decoder: Decoder, replies: Replies) {
    this.server = server;
    this.engine = engine;
    this.decoder = decoder;
    this.replies = replies;
    this.stats = server.commandStats.of("get");
  }

  /** A run of requests begins. Answers the time, to be given to end(); 0 if it is not timed. */
  begin(): number {
    this.prefetched = 0;
    if (++runs % TIMED_RUN > 0) return 0;
    this.others = this.server.counters.commands - this.stats.calls;
    return this.server.now();
  }

  /** The run has ended; its time counts if it was of GETs alone. */
  end(beganMs: number): void {
    if (beganMs === 0) return;
    const { server, stats, others } = this;
    if (server.counters.commands - stats.calls !== others) return;
    stats.microseconds += (server.now() - beganMs) * 1000 * TIMED_RUN;
  }

  /**
   * Runs the GET that the decoder has found. Answers the commit that the reply waits for, 0 for none,
   * or NOT_TAKEN.
   */
  take(): number {
    const { engine, decoder, server, stats } = this;
    if (!decoder.isRepeat && --this.prefetched < 0 && engine.prefetches) this.prefetch();
    // A name becomes a text only when it repeats: the engine keeps the last dispenser found by
    // text.
    const dispenser = decoder.isRepeat
      ? engine.find(decoder.name)
      : engine.findBytes(decoder.lastGet, decoder.nameFrom, decoder.nameTo);
    const isThere = dispenser !== undefined && engine.nextBytes(dispenser) > 0;
    if (!isThere && server.catalog.isShared) return NOT_TAKEN;
    server.counters.commands++;
    stats.calls++;
    if (!isThere) {
      stats.failed++;
      server.commandStats.countError("ERR");
    }
    const name = dispenser === undefined ? decoder.name : dispenser.name;
    return takeOne(engine, this.replies, dispenser, name);
  }

  /** Tells the engine which names the coming GETs ask for. */
  private prefetch(): void {
    this.decoder.prefetch(ahead);
    this.engine.prefetch(ahead);
    this.prefetched = ahead.count;
    ahead.letGo();
  }
}
