/**
 * The store as one node has seen it, from which it must not go back: a store that forgot a lease would
 * lease it again. Everything a node asks the store goes through here.
 *
 * Invariant: an answer that is older than one before, or of another history, reaches nobody; nor does any
 * after close().
 */

import {
  type LeaseStore,
  LeaseStoreUnavailable,
  type Snapshot,
  type StoreVersion,
  type Write,
} from "./store.ts";

/** So often what was worked out from rows is worked out again because they changed meanwhile. */
const TRIES_MAX = 60;
/** Who lost a race waits a random part of this, and of twice as much each time. */
const RETRY_MS = 10;
const RETRY_MS_MAX = 200;

/** The store answers, but it forgot something, or is not the one it was. */
export class StoreWentBack extends LeaseStoreUnavailable {
  /** What shows it, in a few words. */
  readonly reason: string;

  constructor(reason: string) {
    super(
      `the store went back in time (${reason}): nothing is leased until 'number-dispenser cluster advance'`,
    );
    this.reason = reason;
  }
}

/** Time and chance, as the simulation has its own. */
export interface Clock {
  /** Only goes forwards, in milliseconds. */
  readonly now: () => number;
  readonly sleep: (milliseconds: number) => Promise<void>;
  /** The Unix time in milliseconds, which may go anywhere. */
  readonly wallMs: () => number;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
}

export const realClock: Clock = {
  now: () => performance.now(),
  sleep: (milliseconds) => Bun.sleep(milliseconds),
  wallMs: () => Date.now(),
  random: Math.random,
};

/** What transact() works out from rows. */
export interface Outcome<T> {
  /** Rows to write, and to remove; none of both: nothing is to be done. */
  readonly puts: ReadonlyMap<string, string>;
  readonly removes?: readonly string[];
  /** Those of the keys that matter to it; all of them by default. */
  readonly keys?: readonly string[];
  readonly result: T;
}

export class MonotonicStore {
  /** The latest answer. */
  seen: StoreVersion;
  protected readonly store: LeaseStore;
  protected readonly clock: Clock;
  /** An operator takes rows that were put back for good. */
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

  /** As the store's; what it answers may be used, for it is checked as well. */
  async write(write: Write): Promise<StoreVersion | undefined> {
    const least = this.seen.revision;
    this.requireOpen();
    const version = await this.store.write({ ...write, accepts: this.accepts });
    this.requireOpen();
    if (version !== undefined) this.check(version, least);
    return version;
  }

  /** Nothing is asked any more, and what was asked is answered nobody. */
  close(): void {
    this.isClosed = true;
  }

  private requireOpen(): void {
    if (this.isClosed)
      throw new LeaseStoreUnavailable("the node is being stopped, or began anew with it");
  }

  /**
   * Reads rows, works out what to write, and writes it if they are unchanged by then; else again. Throws
   * LeaseStoreUnavailable, after which it may have been written.
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
    }
    throw new LeaseStoreUnavailable(`other nodes were quicker ${TRIES_MAX} times`);
  }

  private async checked(ask: () => Promise<Snapshot>): Promise<Snapshot> {
    const least = this.seen.revision;
    this.requireOpen();
    const reading = await ask();
    this.requireOpen();
    this.check(reading.version, least);
    return reading;
  }

  /** `least`: the revision that was known before it was asked. */
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
