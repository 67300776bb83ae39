/**
 * A node's standing in its cluster: how it enters, and how it goes along with what changes there, a store
 * that went back in time included.
 */

import type { Engine } from "../engine.ts";
import type { Log } from "../log.ts";
import type { SharedStore } from "../store/shared.ts";
import type { Store } from "../store/store.ts";
import { type Clock, type History, StoreWentBack, wentBack } from "./history.ts";
import { Lines } from "./lines.ts";
import {
  acceptHistory,
  checkOurs,
  enter,
  findCluster,
  historyOf,
  type Identity,
  newMembership,
} from "./membership.ts";
import { type Membership, Memory } from "./memory.ts";
import { CLUSTER, type ClusterRecord, NAMES, nodeKey, readCluster, readNode } from "./records.ts";

export interface StandingOptions {
  readonly shared: SharedStore;
  readonly engine: Engine;
  readonly store: Store;
  readonly log: Log;
  readonly clock: Clock;
  readonly identity: Identity;
  /** What the folder remembers; undefined in one that belongs to no cluster. */
  readonly membership: Membership | undefined;
}

export class Standing {
  memory!: Memory;
  /** The store, as it may be asked. */
  history!: History;
  lines!: Lines;
  private readonly options: StandingOptions;
  private isClosed = false;

  constructor(options: StandingOptions) {
    this.options = options;
  }

  get node(): string {
    return this.memory.membership.node;
  }

  /** Whatever the store still answers reaches the engine no more. */
  close(): void {
    this.isClosed = true;
    this.history?.close();
  }

  /**
   * Enters the cluster, and makes the engine's dispensers what they are there. Throws StoreUnavailable, and
   * is to be tried again then; CannotStart where the folder and the store do not belong together.
   */
  async enter(): Promise<void> {
    const { shared, engine, store, identity, log, clock } = this.options;
    const { unique } = identity;
    const own = this.memory?.membership ?? this.options.membership;
    const cluster = await findCluster(shared, own, unique);
    this.memory ??= new Memory(store, own ?? newMembership(cluster, identity));
    const { memory } = this;
    const isBehind = cluster.epoch > memory.membership.epoch;
    requireNoOlder(cluster, memory.membership);
    let accepted: Partial<Membership> = {};
    if (isBehind) {
      const taken = await acceptHistory(shared, memory.membership, cluster, identity, clock);
      this.history = taken.history;
      accepted = taken.accepted;
    } else this.history = historyOf(shared, memory.membership, clock);
    const doubt = await enter(memory, this.history, identity);
    if (doubt !== undefined) {
      log.warning("this folder goes on as a new node", { reason: doubt, ...this.burn(cluster) });
      await enter(memory, this.history, identity);
    }
    this.lines = new Lines(engine, memory);
    if (isBehind) await this.mend(accepted);
    else await this.lines.sync(this.history);
  }

  /** Makes the folder another node's, without what the one had: its runs are lost. */
  private burn(cluster: ClusterRecord): { runs_of_lines_lost: number; numbers_lost: bigint } {
    const { engine, identity } = this.options;
    let [lines, numbers] = [0, 0n];
    for (const dispenser of [...engine.all()]) {
      const { id, name, definition, share, position } = dispenser;
      if (!share.isLeased || !dispenser.isLine) continue;
      const held = share.size(0n) - position;
      if (held > 0n) lines++;
      numbers += held;
      engine.remove(name);
      engine.create(id, name, definition);
    }
    const { membership } = this.memory;
    const { identity: storeIdentity, timeline, revision, namesRevision, epoch } = membership;
    const fresh = { ...newMembership(cluster, identity), revision, namesRevision, epoch };
    engine.remember(this.memory.change({ ...fresh, identity: storeIdentity, timeline }));
    const failure = engine.commit();
    if (failure !== undefined) throw failure;
    return { runs_of_lines_lost: lines, numbers_lost: numbers };
  }

  /** Goes along with what changed in the store. Throws StoreUnavailable, Fenced. */
  async look(): Promise<void> {
    const { shared, identity } = this.options;
    const node = nodeKey(this.node);
    try {
      const { rows } = await this.history.read([CLUSTER, NAMES, node]);
      const cluster = readCluster(rows.get(CLUSTER));
      if (cluster?.id !== this.memory.membership.cluster) throw wentBack("it is another cluster's");
      requireNoOlder(cluster, this.memory.membership);
      if (cluster.epoch === this.memory.membership.epoch) {
        checkOurs(readNode(rows.get(node)), this.memory.membership);
        return await this.lines.syncTo(this.history, rows.get(NAMES));
      }
    } catch (error) {
      if (!(error instanceof StoreWentBack)) throw error;
      const cluster = readCluster((await shared.read([CLUSTER])).rows.get(CLUSTER));
      const isAccepted = (cluster?.epoch ?? 0) > this.memory.membership.epoch;
      if (cluster?.id !== this.memory.membership.cluster || !isAccepted) throw error;
    }
    const { rows } = await shared.read([CLUSTER]);
    const taken = await acceptHistory(
      shared,
      this.memory.membership,
      readCluster(rows.get(CLUSTER))!,
      identity,
      this.options.clock,
    );
    this.history = taken.history;
    if (this.isClosed) this.history.close();
    await this.mend(taken.accepted);
  }

  /** Throws StoreUnavailable where the store takes no writes: leases are some. */
  async probe(): Promise<void> {
    const key = nodeKey(this.node);
    await this.history.transact([key], (rows) => ({
      puts: new Map([[key, rows.get(key)!.value]]),
      result: undefined,
    }));
  }

  /** Tells a store that forgot what this node knows, and only then takes its history for good. */
  private async mend(accepted: Partial<Membership>): Promise<void> {
    await this.lines.mend(this.history);
    await this.lines.sync(this.history, true);
    const { revision } = this.history.seen;
    // The names that were looked at are on disk with the next commit only: until then all are new.
    this.memory.save({ ...accepted, revision: String(revision), namesRevision: "0" });
    const { log, shared } = this.options;
    log.info("an operator took the store as it is for good", { store: shared.title });
  }
}

/** A store that knows an earlier epoch than the node forgot the one that an operator began since. */
function requireNoOlder(cluster: ClusterRecord, { epoch }: Membership): void {
  if (cluster.epoch < epoch) throw wentBack(`its epoch was ${epoch}, and is ${cluster.epoch} now`);
}
