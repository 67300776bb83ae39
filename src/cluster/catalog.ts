/**
 * The dispensers of a node whose lines are leased: a change of one is written to the lease store,
 * and a command that takes more than the node has of a line waits for a lease.
 */

import type { Refusal } from "../base/errors.ts";
import type { Fields } from "../dispenser/definition.ts";
import type { Dispenser } from "../dispenser/dispenser.ts";
import { isName } from "../dispenser/name.ts";
import type { Catalog, Demand, InfoFields, Sharing } from "../engine/catalog.ts";
import type { Engine } from "../engine/engine.ts";
import type { ClusterLines } from "./lines/catalog.ts";
import type { Leasing } from "./lines/leasing.ts";
import type { Usage } from "./lines/usage.ts";
import type { FencedStore } from "./stores/fenced.ts";
import type { Clock } from "./stores/monotonic.ts";
import { LeaseStoreUnavailable } from "./stores/store.ts";

/** The node asks the store for unknown names at most so often. */
const MISS_MS = 10;

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
  askToWrite<T>(work: () => Promise<T>, isUrgent?: boolean): Promise<T>;
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
  prepare(demand: Demand, isKnown: boolean): Promise<unknown> | undefined {
    const { engine, leasing, trouble } = this.host;
    const isMissing = (name: string) => !engine.has(name) && isName(name);
    if (!isKnown && [...demand.keys()].some(isMissing)) return this.lookForNames();
    const waits: Promise<void>[] = [];
    for (const [name, count] of demand) {
      const dispenser = count === 0 ? undefined : engine.find(name);
      if (dispenser === undefined || count <= dispenser.remaining) continue;
      if (leasing.isExhausted(dispenser)) continue;
      if (trouble !== undefined) return Promise.reject(new LeaseStoreUnavailable(trouble));
      waits.push(this.want(dispenser, count));
    }
    return waits.length === 0 ? undefined : Promise.all(waits);
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
   * Asks for a lease of at least `count` numbers. Resolves once it is granted, or the line has none
   * left.
   */
  want(dispenser: Dispenser, count: number): Promise<void> {
    const granted = this.host.leasing.want(dispenser, count);
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
        }, true);
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

  /** On all nodes. Rejects with LeaseStoreUnavailable. */
  async remove(names: readonly string[]): Promise<number> {
    const removed = names.map((name) =>
      this.host.askToWrite(() => this.lines.remove(this.host.fenced, name)),
    );
    return (await Promise.all(removed)).filter(Boolean).length;
  }

  /** On all nodes. Rejects with LeaseStoreUnavailable. */
  advance(dispenser: Dispenser, number: string): Promise<string | Refusal> {
    return this.host.askToWrite(() => this.lines.advance(this.host.fenced, dispenser, number));
  }

  /** What all nodes did with a line, as they last reported. Rejects with LeaseStoreUnavailable. */
  async describe(dispenser: Dispenser): Promise<InfoFields> {
    const { trouble, usage, fenced } = this.host;
    if (trouble !== undefined) throw new LeaseStoreUnavailable(trouble);
    const { nodes, leased, generated, wasted } = await usage.ofAll(fenced, dispenser);
    return {
      cluster_nodes: nodes,
      cluster_leased: leased,
      cluster_generated: generated,
      cluster_wasted: wasted,
    };
  }

  private get lines(): ClusterLines {
    return this.host.lines;
  }
}
