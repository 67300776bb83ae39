/**
 * One life of a line in simulated time: the real engine over a store in memory, turn by turn.
 *
 * A turn takes every request that has arrived, and ends with a commit if something is staged. While
 * that runs, requests wait for the next turn; a turn without a commit takes no time.
 *
 * `handedOut` counts what clients have: a number whose reply waits for the commit is under way,
 * and neither handed out nor wasted if the server dies before the reply leaves.
 */

import { strict as assert } from "node:assert";
import { openEngine } from "../../src/cluster/open-node.ts";
import type { Dispenser } from "../../src/dispenser/dispenser.ts";
import type { StrategyName } from "../../src/dispenser/strategy.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { LocalCatalog } from "../../src/engine/local-catalog.ts";
import type { Arrivals } from "./arrivals.ts";
import { LifeStore } from "./store.ts";

/** About the time of one commit with its sync on a local disk. */
const COMMIT_MS = 0.2;
const NAME = "line";

export class Life {
  nowMs = 0;
  handedOut = 0;
  /** How many replies wait for the commit under way. */
  underWay = 0;
  /** How many GETs had to wait for a commit in this life. */
  held = 0;
  private readonly store: LifeStore;
  private readonly engine: Engine;
  private readonly dispenser: Dispenser;
  private readonly arrivals: Arrivals;
  /** The position at which this life began. */
  private readonly positionAtStart: bigint;
  private readonly commitsAtStart: number;
  private nextArrivalMs: number;
  private hasStaged = false;
  private readonly into = Buffer.alloc(20);

  /** Begins with a new line; if `store` is given, with the next life of the line in it. */
  constructor(strategy: StrategyName, arrivals: Arrivals, store = new LifeStore()) {
    this.store = store;
    this.engine = engineOver(
      store,
      () => this.nowMs,
      () => {
        this.hasStaged = true;
      },
    );
    if (this.engine.find(NAME) === undefined) {
      new LocalCatalog(this.engine).define(
        NAME,
        new Map(Object.entries({ type: "3", auto_disk: strategy })),
      );
    }
    if (store.crashed) this.engine.skippedByCrash();
    this.engine.commit();
    this.hasStaged = false;
    this.dispenser = this.engine.find(NAME)!;
    this.positionAtStart = this.dispenser.position;
    this.commitsAtStart = store.commits;
    this.arrivals = arrivals;
    this.nextArrivalMs = arrivals();
  }

  /** How many numbers of the line earlier lives handed out or wasted. */
  get startedAt(): number {
    return Number(this.positionAtStart);
  }

  get commits(): number {
    return this.store.commits - this.commitsAtStart;
  }

  /** How many numbers a crash at this instant would waste, as the engine sees it. */
  get wastedByCrash(): number {
    return Math.max(0, this.dispenser.reserved - this.dispenser.taken);
  }

  /**
   * Runs the next turn, of `requestsMax` requests at most. Calls `instant` at each moment of a
   * possible crash after a change: before the commit, before its replies leave, and after they
   * left.
   */
  turn(requestsMax: number, instant: () => void): void {
    this.nowMs = Math.max(this.nowMs, this.nextArrivalMs);
    for (let taken = 0; taken < requestsMax && this.nextArrivalMs <= this.nowMs; taken++) {
      this.engine.take(this.dispenser, this.into, 0);
      this.nextArrivalMs = this.arrivals();
      if (this.engine.dependsOn(NAME, this.dispenser) === 0) this.handedOut++;
      else this.underWay++;
    }
    instant();
    if (!this.hasStaged) return;
    this.hasStaged = false;
    assert.equal(this.engine.commit(), undefined);
    instant();
    this.nowMs += COMMIT_MS;
    this.handedOut += this.underWay;
    this.held += this.underWay;
    this.underWay = 0;
    instant();
  }

  /** Kills the server at this instant, recovers with the real engine, and counts the waste. */
  wastedByRecovery(): number {
    const next = engineOver(this.store.reopen(), () => this.nowMs).find(NAME)!;
    const skipped = Number(next.position - this.positionAtStart) - this.handedOut;
    // If the commit succeeded, the numbers under way are below the reservation.
    return Math.max(0, skipped - this.underWay);
  }

  /** Closes cleanly. Answers the store as the next life finds it. */
  close(): LifeStore {
    this.engine.close();
    return this.store.reopen();
  }

  /** Closes cleanly. Answers the waste that the next life finds. */
  wastedByClose(): number {
    const next = engineOver(this.close(), () => this.nowMs).find(NAME)!;
    return Number(next.position - this.positionAtStart) - this.handedOut;
  }
}

function engineOver(store: LifeStore, now: () => number, onStaged = () => {}): Engine {
  return openEngine(store, { now, savesCounts: false, onStaged }).engine;
}
