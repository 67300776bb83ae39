/**
 * The lease store with the version that one node last saw, behind which it must not go: a store
 * that forgot a lease would lease those numbers again. All requests of a node to the store go
 * through here.
 *
 * Invariant: no caller gets an answer that is older than an earlier one or of another history, nor
 * one after close().
 */

import { bootClock } from "../../platform/libc.ts";
import {
  type LeaseStore,
  LeaseStoreUnavailable,
  type Snapshot,
  type StoreVersion,
  type Write,
} from "./store.ts";

/** How often transact() tries again because other nodes changed the rows meanwhile. */
const TRIES_MAX = 60;
/** A node that lost a race waits a random part of this, doubled with each try. */
const RETRY_MS = 10;
const RETRY_MS_MAX = 200;

/** The store answers, but it lost writes, or is another store. */
export class StoreWentBack extends LeaseStoreUnavailable {
  /** The evidence, in a few words. */
  readonly reason: string;

  constructor(reason: string) {
    super(
      `the store went back in time (${reason}): nothing is leased until 'number-dispenser cluster advance'`,
    );
    this.reason = reason;
  }
}

/** Time and randomness, passed in so that the simulation can replace them. */
export interface Clock {
  /** A clock that only goes forwards, in milliseconds. */
  readonly now: () => number;
  readonly sleep: (milliseconds: number) => Promise<void>;
  /** The Unix time in milliseconds, which may jump in either direction. */
  readonly wallMs: () => number;
  /** As `now`, but going on while the machine sleeps. */
  readonly bootMs: () => number;
  /** A number from 0 to 1, without 1. */
  readonly random: () => number;
}

export const realClock: Clock = {
  now: () => performance.now(),
  sleep: (milliseconds) => Bun.sleep(milliseconds),
  wallMs: () => Date.now(),
  bootMs: bootClock(),
  random: Math.random,
};

/** What the work of a transact() answers. */
export interface Outcome<T> {
  /** Rows to write, and rows to remove; nothing is written if there are none of both. */
  readonly puts: ReadonlyMap<string, string>;
  readonly removes?: readonly string[];
  /** The keys that must be unchanged; all keys that were read by default. */
  readonly keys?: readonly string[];
  readonly result: T;
}

export class MonotonicStore {
  /** The latest version seen. */
  seen: StoreVersion;
  /** Called before a transaction that lost a race is tried again: other work may go first. */
  onRetry: () => Promise<void> = async () => {};
  protected readonly store: LeaseStore;
  protected readonly clock: Clock;
  /** Whether rows that were put back are accepted, because an operator asked for that. */
  private readonly accepts: boolean;
  private isClosed = false;

  constructor(store: LeaseStore, seen: StoreVersion, clock: Clock = realClock, accepts = false) {
    this.store = store;
    this.seen = seen;
    this.clock = clock;
    this.accepts = accepts;
  }

  read(keys: readonly string[]): Promise<Snapshot> {
    return this.checked(() => this.store.read(keys));
  }

  list(prefix: string, after?: bigint): Promise<Snapshot> {
    return this.checked(() => this.store.list(prefix, after));
  }

  /** As LeaseStore.write(), with the version checked. */
  async write(write: Write): Promise<StoreVersion | undefined> {
    const least = this.seen.revision;
    this.requireOpen();
    const version = await this.ask(() => this.store.write({ ...write, accepts: this.accepts }));
    this.requireOpen();
    if (version !== undefined) this.check(version, least);
    return version;
  }

  /** From now on every call throws, those under way included. */
  close(): void {
    this.isClosed = true;
  }

  private requireOpen(): void {
    if (this.isClosed)
      throw new LeaseStoreUnavailable("the node is being stopped, or began anew with it");
  }

  /**
   * Reads rows, works out what to write, and writes that if the rows are still unchanged; if not,
   * tries again. Throws LeaseStoreUnavailable, after which it may have been written.
   */
  async transact<T>(
    keys: readonly string[],
    work: (rows: Snapshot["rows"]) => Outcome<T>,
  ): Promise<T> {
    for (let tries = 1; tries <= TRIES_MAX; tries++) {
      const { rows } = await this.read(keys);
      const { puts, removes = [], keys: guarded = keys, result } = work(rows);
      if (puts.size + removes.length === 0) return result;
      const guards = new Map(guarded.map((key) => [key, rows.get(key)?.revision ?? 0n]));
      if ((await this.write({ guards, puts, removes })) !== undefined) return result;
      const { random, sleep } = this.clock;
      await sleep(random() * Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** (tries - 1)));
      await this.onRetry();
    }
    throw new LeaseStoreUnavailable(`other nodes were quicker ${TRIES_MAX} times`);
  }

  private async ask<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.onFailed();
      throw error;
    }
  }

  /** The store did not answer, whoever asked: until it answers again anything may happen to it. */
  protected onFailed(): void {}

  private async checked(ask: () => Promise<Snapshot>): Promise<Snapshot> {
    const least = this.seen.revision;
    this.requireOpen();
    const reading = await this.ask(ask);
    this.requireOpen();
    this.check(reading.version, least);
    return reading;
  }

  /** `least`: the revision seen before the request. */
  protected check(version: StoreVersion, least: bigint): void {
    const { seen } = this;
    if (version.identity !== seen.identity) {
      throw new StoreWentBack(`it was ${seen.identity}, and is ${version.identity} now`);
    }
    if (version.isRestored && !this.accepts)
      throw new StoreWentBack("its rows were put back from a dump or snapshot");
    if (version.revision < least) {
      throw new StoreWentBack(`its revision was ${least}, and is ${version.revision} now`);
    }
    if (version.revision > seen.revision) this.seen = version;
  }
}
