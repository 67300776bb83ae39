/**
 * The dispensers of a node whose lines are leased: a change of one is written to the lease store,
 * and a command that takes more than the node has of a line waits for a lease.
 *
 * A command may have tens of thousands of names. Invariant: it has one piece of work at a time with
 * the store, which is as small as that of a command with few names, and looks through its names
 * some at a time.
 */

import { quoted, Refusal } from "../base/errors.ts";
import type { Dispenser } from "../dispenser/dispenser.ts";
import type { Fields } from "../dispenser/fields.ts";
import { isName } from "../dispenser/name.ts";
import type { Asking, Catalog, Demand, InfoFields, Sharing } from "../engine/catalog.ts";
import type { Engine } from "../engine/engine.ts";
import type { ClusterLines } from "./lines/catalog.ts";
import type { Leasing } from "./lines/leasing.ts";
import type { Usage } from "./lines/usage.ts";
import type { FencedStore } from "./stores/fenced.ts";
import type { Clock } from "./stores/monotonic.ts";
import { LeaseStoreUnavailable, LINES_AT_ONCE } from "./stores/store.ts";

/** The node asks the store for unknown names at most so often. */
const MISS_MS = 10;
/** So many names are looked through at a time, which takes a millisecond. */
const NAMES_AT_ONCE = 2000;

/** What the catalog needs of its node, once the node is in its cluster. */
export interface CatalogHost {
  readonly engine: Engine;
  readonly clock: Clock;
  /** Why the store cannot be used now; undefined if it can. */
  readonly trouble: string | undefined;
  readonly sharing: Sharing;
  readonly fenced: FencedStore;
  readonly lines: ClusterLines;
  readonly leasing: Leasing;
  readonly usage: Usage;
  /** Runs work on the store in its turn, and notes a failure. */
  ask<T>(work: () => Promise<T>): Promise<T>;
  /**
   * As ask(), for work that writes the store: runs it once the members have confirmed their rows.
   */
  askToWrite<T>(work: () => Promise<T>, lane?: "leases"): Promise<T>;
}

export class ClusterCatalog implements Catalog {
  readonly isShared = true;
  private readonly host: CatalogHost;
  private isLeasing = false;
  private missedAtMs = Number.NEGATIVE_INFINITY;
  private nextLook: Promise<void> | undefined;

  constructor(host: CatalogHost) {
    this.host = host;
  }

  get sharing(): Sharing {
    return this.host.sharing;
  }

  /** Rejects with LeaseStoreUnavailable. */
  prepare(demand: Demand, isKnown: boolean, client: Asking): Promise<unknown> | undefined {
    if (!isKnown) {
      if (isLong(demand)) return this.lookThrough(demand, client);
      if (demand.some(({ names }) => names.some((name) => this.isMissing(name))))
        return this.lookForNames();
    }
    const wanted = this.wanted(demand);
    for (const [dispenser, count] of wanted) {
      if (this.lacks(dispenser, count)) return this.leaseEach(wanted, client);
    }
    return undefined;
  }

  private isMissing(name: string): boolean {
    return !this.host.engine.has(name) && isName(name);
  }

  /** As lookForNames(), if one of many names is missing. */
  private async lookThrough(demand: Demand, client: Asking): Promise<void> {
    let looked = 0;
    for (const { names } of demand) {
      for (const name of names) {
        if (this.isMissing(name)) return this.lookForNames();
        if (++looked % NAMES_AT_ONCE === 0) await this.pause(client);
      }
    }
  }

  /** How many numbers of each dispenser are wanted. */
  private wanted(demand: Demand): Map<Dispenser, number> {
    const { engine } = this.host;
    const wanted = new Map<Dispenser, number>();
    for (const { names, takes } of demand) {
      if (!takes) continue;
      for (const name of names) {
        const dispenser = engine.find(name);
        // The command will take none.
        if (dispenser === undefined) break;
        wanted.set(dispenser, (wanted.get(dispenser) ?? 0) + 1);
      }
    }
    return wanted;
  }

  private lacks(dispenser: Dispenser, count: number): boolean {
    const { engine, leasing } = this.host;
    return count > engine.periods.available(dispenser) && !leasing.isExhausted(dispenser);
  }

  /** Waits for leases of the lines that have too few numbers, those of one transaction at a time. */
  private async leaseEach(wanted: ReadonlyMap<Dispenser, number>, client: Asking): Promise<void> {
    let waits: Promise<void>[] = [];
    let looked = 0;
    for (const [dispenser, count] of wanted) {
      if (++looked % NAMES_AT_ONCE === 0) await this.pause(client);
      if (!this.lacks(dispenser, count)) continue;
      const { trouble } = this.host;
      if (trouble !== undefined) throw new LeaseStoreUnavailable(trouble);
      waits.push(this.want(dispenser, count));
      if (waits.length < LINES_AT_ONCE) continue;
      await Promise.all(waits);
      requireAsked(client);
      waits = [];
    }
    await Promise.all(waits);
  }

  /** Lets others go on with this thread. */
  private async pause(client: Asking): Promise<void> {
    await this.host.clock.sleep(0);
    requireAsked(client);
  }

  /**
   * Commands that miss names at one time ask the store once, and not more often than MISS_MS
   * allows.
   */
  private lookForNames(): Promise<void> {
    const { trouble } = this.host;
    if (trouble !== undefined) return Promise.reject(new LeaseStoreUnavailable(trouble));
    this.nextLook ??= this.lookSoon();
    return this.nextLook;
  }

  private async lookSoon(): Promise<void> {
    const { clock } = this.host;
    // A command that misses a name once the look has begun needs the next one.
    const begin = () => {
      this.nextLook = undefined;
      this.missedAtMs = clock.now();
    };
    const waitMs = this.missedAtMs + MISS_MS - clock.now();
    if (waitMs > 0) await clock.sleep(waitMs);
    let hasBegun = false;
    try {
      await this.host.ask(async () => {
        hasBegun = true;
        begin();
        // The store that there is by now: an operator may have begun another epoch meanwhile.
        const { lines, fenced } = this.host;
        await lines.sync(fenced);
      });
    } finally {
      if (!hasBegun) begin();
    }
  }

  /**
   * Asks for a lease of at least `count` numbers; `isEarly`: of the next period. Resolves once it is
   * granted, or the line has none left.
   */
  want(dispenser: Dispenser, count: number, isEarly = false): Promise<void> {
    const granted = this.host.leasing.want(dispenser, count, isEarly);
    if (!this.isLeasing) void this.keepLeasing();
    return granted;
  }

  private async keepLeasing(): Promise<void> {
    const { leasing } = this.host;
    this.isLeasing = true;
    try {
      while (leasing.isWanted) {
        await this.host.askToWrite(() => {
          const { fenced, lines } = this.host;
          return leasing.lease(fenced, () => lines.sync(fenced));
        }, "leases");
      }
    } catch (error) {
      leasing.refuse(error);
    } finally {
      this.isLeasing = false;
    }
  }

  /** On all nodes. Rejects with LeaseStoreUnavailable. */
  define(name: string, fields: Fields, reuse = false): Promise<number | Refusal> {
    return this.host.askToWrite(() => this.lines.define(this.host.fenced, name, fields, reuse));
  }

  /** On all nodes, one name after the other. Rejects with LeaseStoreUnavailable. */
  async remove(names: readonly string[], client: Asking): Promise<readonly Dispenser[]> {
    const { engine } = this.host;
    // After it the node knows all names that there are.
    await this.host.ask(() => this.lines.sync(this.host.fenced));
    const removed: Dispenser[] = [];
    for (const [index, name] of names.entries()) {
      if (index % NAMES_AT_ONCE === NAMES_AT_ONCE - 1) await this.pause(client);
      const dispenser = engine.find(name);
      if (dispenser === undefined) continue;
      requireAsked(client);
      const work = () => this.lines.remove(this.host.fenced, dispenser);
      if (await this.host.askToWrite(work)) removed.push(dispenser);
    }
    return removed;
  }

  /** On all nodes. Rejects with LeaseStoreUnavailable. */
  advance(dispenser: Dispenser, number: string): Promise<string | Refusal> {
    return this.host.askToWrite(() => this.lines.advance(this.host.fenced, dispenser, number));
  }

  /** Nodes of a cluster take no line back. */
  goBack({ name }: Dispenser): Refusal {
    return new Refusal(`ERR PERIOD is for a server alone, and ${quoted(name)} is shared by nodes`);
  }

  /** One read of the store. Rejects with LeaseStoreUnavailable. */
  verify(dispenser: Dispenser, position: bigint, period: number): Promise<boolean | Refusal> {
    const { fenced } = this.host;
    return this.host.ask(() => this.lines.isLeased(fenced, dispenser, position, period));
  }

  /**
   * What all nodes did with a line, as they last reported; while the store is away, what this node
   * knows.
   */
  async describe(dispenser: Dispenser): Promise<InfoFields> {
    const { usage, fenced } = this.host;
    let { trouble } = this.host;
    try {
      if (trouble === undefined) {
        const { nodes, leased, generated, wasted } = await usage.ofAll(fenced, dispenser);
        return {
          ...{ ...this.describeAtOnce(dispenser), cluster_figures: "all" },
          cluster_nodes: nodes,
          cluster_leased: leased,
          cluster_generated: generated,
          cluster_wasted: wasted,
        };
      }
    } catch (error) {
      if (!(error instanceof LeaseStoreUnavailable)) throw error;
      trouble = error.message;
    }
    const store = { cluster_store_status: "unavailable", cluster_store_error: trouble };
    return { ...this.describeAtOnce(dispenser), ...store };
  }

  describeAtOnce(dispenser: Dispenser): InfoFields {
    const left = dispenser.hasPositions ? this.host.engine.periods.available(dispenser) : 0;
    return { cluster_figures: "local", cluster_lease_left: left };
  }

  private get lines(): ClusterLines {
    return this.host.lines;
  }
}

/** Whether a demand has so many names that looking through them takes more than a moment. */
function isLong(demand: Demand): boolean {
  let names = demand.length;
  for (const need of demand) names += need.names.length;
  return names > NAMES_AT_ONCE;
}

/** Throws once the client has left: nobody hears the message. */
function requireAsked({ isOver }: Asking): void {
  if (isOver) throw new LeaseStoreUnavailable("the client has left");
}
