/**
 * A node of a cluster. It asks the lease store one thing after the other, so that a later answer is
 * never older than an earlier one, and puts each answer into the engine before it asks again.
 *
 * While the store cannot be reached, the node serves the numbers it holds and refuses at once what
 * needs the store.
 */

import { SerialQueue } from "../base/serial-queue.ts";
import type { Dispenser } from "../dispenser/dispenser.ts";
import { toText } from "../dispenser/name.ts";
import type { Sharing } from "../engine/catalog.ts";
import type { Engine } from "../engine/engine.ts";
import { DiskUnavailable } from "../storage/store.ts";
import { type CatalogHost, ClusterCatalog } from "./catalog.ts";
import { Entry, type EntryOptions } from "./entry.ts";
import type { ClusterLines } from "./lines/catalog.ts";
import { EarlyLeases } from "./lines/early-leases.ts";
import { Leasing } from "./lines/leasing.ts";
import { purge } from "./lines/purge.ts";
import { REPORT_MS, Usage } from "./lines/usage.ts";
import { callRoll, Unconfirmed } from "./node/roll-call.ts";
import { type FencedStore, NotConfirmed } from "./stores/fenced.ts";
import { type Clock, StoreWentBack } from "./stores/monotonic.ts";
import { NAMES, ROLL } from "./stores/records.ts";
import { LeaseStoreUnavailable } from "./stores/store.ts";

/** How often a node asks what changed, in case the store did not tell it. */
export const POLL_MS = 400;
/**
 * A node writes its row at least so often, so that `cluster nodes` can tell since when one that does
 * not answer is gone.
 */
export const LIFE_MS = 30_000;
/** How often a node checks whether rows are to be removed. */
const PURGE_LOOK_MS = 600_000;
/**
 * Who asks the store, the most important first: what fences and confirms the node goes before what
 * clients cause. A client has one piece of work here at a time, so each of them waits for one piece
 * of every other client.
 */
const LANES = ["roll call", "watch", "leases", "commands"] as const;
type Lane = (typeof LANES)[number];
/** How often a node compares its clock with the store's, and by how much they may differ. */
const CLOCK_LOOK_MS = 60_000;
const CLOCK_OFF_MS_MAX = 60_000;
/** The log names at most so many nodes that did not answer a roll call. */
const MISSING_SHOWN_MAX = 10;

export interface ClusterOptions extends EntryOptions {
  /** The process must not go on as this node: no number may leave any more. */
  readonly onFatal: (error: unknown) => void;
}

export class Cluster implements CatalogHost {
  /** The dispensers, as commands use them. */
  readonly catalog: ClusterCatalog = new ClusterCatalog(this);
  /** Why the store cannot be used now; undefined if it can. */
  trouble: string | undefined;
  /** Whether it cannot be used because it went back in time, which only an operator can resolve. */
  private hasForgotten = false;
  private readonly options: ClusterOptions;
  private readonly entry: Entry;
  usage!: Usage;
  leasing!: Leasing;
  private early!: EarlyLeases;
  private readonly storeQueue = new SerialQueue<Lane>(LANES);
  private nextPoll: Promise<void> | undefined;
  /** The roll call under way. */
  private rollCall: Promise<void> | undefined;
  private wasConfirmed = false;
  /** The store has another timeline, which not all members have confirmed. */
  private unconfirmed: Unconfirmed | undefined;
  private isClosed = false;
  /** Whether the store was told of the node's addresses. */
  private isAnnounced = false;
  private warned: string | undefined;
  private lookedToPurgeAtMs: number;
  private isClockOff = false;

  constructor(options: ClusterOptions) {
    this.options = options;
    this.lookedToPurgeAtMs = options.clock.now();
    this.entry = new Entry(options);
    this.entry.onNewTerm = () => this.beginRollCall();
    this.entry.onRetry = () => this.storeQueue.letPass();
  }

  get node(): string {
    return this.entry.node;
  }

  /** Whether the folder says that the store went back in time. */
  get isSuspicious(): boolean {
    return this.entry.nodeState.membership.doubt !== undefined;
  }

  /** Whether it has not found its cluster yet, and so is no node yet. */
  get isOutside(): boolean {
    return this.entry.nodeState === undefined;
  }

  get engine(): Engine {
    return this.options.engine;
  }

  get clock(): Clock {
    return this.options.clock;
  }

  get lines(): ClusterLines {
    return this.entry.lines;
  }

  get fenced(): FencedStore {
    return this.entry.fenced;
  }

  get sharing(): Sharing {
    const { node, title: store, trouble, warning } = this;
    return { node, store, trouble, warning };
  }

  get title(): string {
    return this.options.leaseStore.title;
  }

  /**
   * Enters the cluster and makes the engine's dispensers like the cluster's; nothing may be served
   * before. Waits for a store that cannot be reached, until close(). Throws CannotStart.
   */
  async join(): Promise<void> {
    while (!this.isClosed) {
      try {
        await this.entry.enter();
        this.noteTrouble(undefined);
        return this.beginLeasing();
      } catch (error) {
        if (!(error instanceof LeaseStoreUnavailable)) throw error;
        const isFirst = this.trouble === undefined;
        this.noteTrouble(error);
        if (isFirst) this.options.log.warning("waits for its store, and takes no clients yet");
      }
      await this.options.clock.sleep(POLL_MS);
    }
  }

  private beginLeasing(): void {
    const { engine, log, clock, leaseStore } = this.options;
    const { nodeState } = this.entry;
    this.usage = new Usage(this.node, clock.now);
    engine.onTaken = (dispenser) => this.usage.noteTaken(dispenser);
    const onLost = ({ name }: Dispenser, numbers: bigint) =>
      log.warning("a lease was not heard of, and is lost", { dispenser: toText(name), numbers });
    this.leasing = new Leasing({
      engine,
      nodeState,
      usage: this.usage,
      now: clock.now,
      onLost,
    });
    engine.onLeaseLow = (dispenser) => {
      if (this.trouble === undefined && this.leasing.isLow(dispenser))
        void this.catalog.want(dispenser, 0);
    };
    const wantEarly = (dispenser: Dispenser) => void this.catalog.want(dispenser, 0, true);
    this.early = new EarlyLeases(engine, wantEarly, clock.random());
    log.info("in the cluster", { store: leaseStore.title, node: this.node });
    this.beginRollCall();
  }

  private beginRollCall(): void {
    this.confirmed()?.catch(() => {});
  }

  /**
   * Resolves once the store may be written; undefined if it may be now. Rejects with
   * LeaseStoreUnavailable.
   */
  private confirmed(): Promise<void> | undefined {
    if (this.fenced.isConfirmed) return undefined;
    this.rollCall ??= this.callRoll().finally(() => {
      this.rollCall = undefined;
    });
    return this.rollCall;
  }

  private async callRoll(): Promise<void> {
    const { clock, log } = this.options;
    const inTurn = <T>(work: () => Promise<T>) => this.storeQueue.take("roll call", work);
    const onMissing = (nodes: readonly string[]) =>
      log.warning("went on without what these nodes know of the store", {
        nodes: nodes.slice(0, MISSING_SHOWN_MAX).join(","),
        count: nodes.length,
      });
    const { fenced, node } = this;
    try {
      if (this.entry.needsRepair)
        throw new LeaseStoreUnavailable("this node is still writing back what it forgot");
      await callRoll({ store: fenced, node, clock, inTurn, onMissing }, !this.wasConfirmed);
      this.wasConfirmed = true;
      if (this.unconfirmed === undefined) return;
      this.unconfirmed = undefined;
      this.noteTrouble(undefined);
    } catch (error) {
      if (error instanceof Unconfirmed) {
        this.unconfirmed = error;
        this.noteTrouble(error);
      } else this.note(error);
      throw error;
    }
  }

  /**
   * Begins to follow what other nodes change, and to tell them of this one, which listens on these
   * addresses.
   */
  follow(addresses: readonly string[]): void {
    this.entry.listensOn(addresses);
    for (const key of [NAMES, ROLL]) this.options.leaseStore.watch(key, () => void this.poll());
    void this.keepPolling();
  }

  private async keepPolling(): Promise<void> {
    const { clock } = this.options;
    let purgeAtMs = clock.now() + clock.random() * PURGE_LOOK_MS;
    let reportAtMs = clock.now();
    let clockAtMs = clock.now();
    while (!this.isClosed) {
      await this.poll();
      if (clock.now() >= reportAtMs && this.trouble === undefined && !this.isClosed) {
        reportAtMs = clock.now() + REPORT_MS;
        // Whatever it failed by was noted.
        void this.report().catch(() => {});
      }
      if (this.trouble === undefined) this.early.look(clock.wallMs());
      if (clock.now() >= clockAtMs && this.trouble === undefined) {
        clockAtMs = clock.now() + CLOCK_LOOK_MS;
        void this.compareClocks().catch(() => {});
      }
      if (clock.now() >= purgeAtMs && this.trouble === undefined) {
        purgeAtMs = clock.now() + PURGE_LOOK_MS;
        void this.purge().catch(({ message }: Error) =>
          this.options.log.warning("rows that nobody needs stay in the store", { reason: message }),
        );
      }
      await clock.sleep(POLL_MS);
    }
  }

  /** Tells the store how lines were used, and that this node lives. Throws what ask() throws. */
  private async report(): Promise<void> {
    const { engine, clock } = this.options;
    engine.stageCounts();
    await this.ask(async () => {
      if (this.fenced.isConfirmed) await this.usage.reportTaken(this.fenced);
      const isQuiet = clock.now() - this.fenced.wroteAtMs >= LIFE_MS;
      if (isQuiet || !this.isAnnounced) await this.entry.probe();
      this.isAnnounced = true;
    });
  }

  /** Tells of a clock that is not that of the store, and that it is again. */
  private async compareClocks(): Promise<void> {
    const { clock, leaseStore, log } = this.options;
    if (leaseStore.clockMs === undefined) return;
    const before = clock.wallMs();
    const storeMs = await this.ask(() => leaseStore.clockMs!());
    const aheadMs = (before + clock.wallMs()) / 2 - storeMs;
    const isOff = Math.abs(aheadMs) > CLOCK_OFF_MS_MAX;
    if (isOff === this.isClockOff) return;
    this.isClockOff = isOff;
    const told = { ahead_seconds: Math.round(aheadMs / 1000) };
    if (isOff)
      log.warning("the clock is not the store's: lines with periods begin them by this one", told);
    else log.info("the clock is the store's again", told);
  }

  /** Removes rows that nobody needs any more, if that is due. */
  async purge(): Promise<void> {
    const { engine, clock, log } = this.options;
    // A failure here, such as a missing right to delete, says nothing about the store: it is not
    // noted.
    const inTurn = async <T>(work: () => Promise<T>) => {
      await this.confirmed();
      return this.storeQueue.take("commands", work);
    };
    const store = () => this.fenced;
    const ranMs = clock.now() - this.lookedToPurgeAtMs;
    this.lookedToPurgeAtMs = clock.now();
    const removed = await purge({ engine, store, wallMs: clock.wallMs, ranMs, inTurn });
    if (removed.lines + removed.nodes > 0)
      log.info("removed from the store what was deleted long ago", removed);
  }

  /** Takes over what changed in the store, and checks whether it can be used. Never rejects. */
  poll(): Promise<void> {
    // A poll that waits for its turn will see everything written until then: no other is needed.
    this.nextPoll ??= this.storeQueue
      .take("watch", async () => {
        this.nextPoll = undefined;
        await this.entry.look();
        if (this.trouble !== undefined) await this.entry.probe();
      })
      .then(() => {
        // A member did not confirm; it may be back by now.
        if (this.unconfirmed === undefined) this.noteTrouble(undefined);
        else this.beginRollCall();
        this.noteWarning();
      })
      .catch((error: unknown) => this.note(error));
    return this.nextPoll;
  }

  /** Ends the node: reports its usage if the store can be reached. Never rejects. */
  async close(): Promise<void> {
    this.isClosed = true;
    try {
      if (this.trouble === undefined)
        await this.storeQueue.take("roll call", () =>
          this.usage.report(this.fenced, this.options.engine),
        );
    } catch (error) {
      this.options.log.warning("usage not reported", { reason: (error as Error).message });
    }
    this.abandon();
    await this.options.leaseStore.close();
  }

  /** From now on no answer of the store reaches the engine, which may be closed after this. */
  abandon(): void {
    this.isClosed = true;
    this.entry.close();
  }

  /** Runs work that writes the store, once the members have confirmed their rows. */
  async askToWrite<T>(work: () => Promise<T>, lane: Lane = "commands"): Promise<T> {
    for (;;) {
      if (this.trouble === undefined) await this.confirmed();
      try {
        return await this.ask(work, lane);
      } catch (error) {
        if (!(error instanceof NotConfirmed) || error.wasWritten) throw error;
      }
    }
  }

  /** Runs work on the store in its turn, and notes a failure. */
  async ask<T>(work: () => Promise<T>, lane: Lane = "commands"): Promise<T> {
    try {
      return await this.storeQueue.take(lane, () => {
        if (this.trouble !== undefined) throw new LeaseStoreUnavailable(this.trouble);
        return work();
      });
    } catch (error) {
      this.note(error);
      throw error;
    }
  }

  private note(error: unknown): void {
    if (this.isClosed) return;
    // A roll call is under way: it will end this.
    if (error instanceof NotConfirmed) return;
    if (error instanceof LeaseStoreUnavailable) {
      if (error instanceof StoreWentBack) this.entry.suspect(error.reason);
      this.noteTrouble(error);
    }
    // DiskUnavailable: the node's own disk is full, which passes by itself.
    else if (!(error instanceof DiskUnavailable)) this.options.onFatal(error);
  }

  /** What an operator should do about the store before it fails. */
  get warning(): string | undefined {
    return this.options.leaseStore.warning;
  }

  /** Logs a warning once, when it begins. */
  private noteWarning(): void {
    const { warning } = this;
    if (warning !== undefined && this.warned === undefined)
      this.options.log.warning("the store needs care", { store: this.title, reason: warning });
    this.warned = warning;
  }

  /**
   * Logs a trouble once when it begins, when only an operator can resolve it, and when it is over.
   */
  private noteTrouble(error: LeaseStoreUnavailable | undefined): void {
    const { log } = this.options;
    if (this.isClosed) return;
    const store = this.title;
    const hasForgotten = error instanceof StoreWentBack;
    const isNews = this.trouble === undefined || (hasForgotten && !this.hasForgotten);
    if (error !== undefined && isNews) {
      log.error("store unavailable", { store, reason: error.message });
    }
    const isBack = error === undefined && this.trouble !== undefined;
    if (isBack) log.info("store available again", { store });
    this.trouble = error?.message;
    this.hasForgotten = hasForgotten;
    if (isBack) this.beginRollCall();
  }
}
