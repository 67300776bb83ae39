/**
 * A node's standing in its cluster: how it enters, and how it goes along with what changes there, a store
 * that went back in time included.
 */

import type { Log } from "../base/log.ts";
import type { Engine } from "../engine/engine.ts";
import type { Store } from "../storage/store.ts";
import { ClusterLines } from "./lines/catalog.ts";
import { repair } from "./lines/repair.ts";
import {
  acceptEpoch,
  enter,
  findCluster,
  type Identity,
  markCluster,
  newMembership,
} from "./node/membership.ts";
import { answerCall } from "./node/roll-call.ts";
import { type Membership, NodeState } from "./node/state.ts";
import { FencedStore, NewEpoch } from "./stores/fenced.ts";
import { type Clock, StoreWentBack } from "./stores/monotonic.ts";
import {
  CLUSTER,
  type ClusterRecord,
  NAMES,
  nodeKey,
  ROLL,
  readCluster,
  readRoll,
} from "./stores/records.ts";
import type { LeaseStore } from "./stores/store.ts";

/** The highest revision that was seen is saved at most so often, beside what leases save of it. */
const SEEN_SAVED_EVERY_MS = 1000;

export interface EntryOptions {
  readonly leaseStore: LeaseStore;
  readonly engine: Engine;
  readonly store: Store;
  readonly log: Log;
  readonly clock: Clock;
  readonly identity: Identity;
  /** What the folder remembers; undefined in one that belongs to no cluster. */
  readonly membership: Membership | undefined;
  /** Whether a cluster may be founded where there is none. */
  readonly mayFound: boolean;
}

export class Entry {
  nodeState!: NodeState;
  /** The store, as it may be asked. */
  fenced!: FencedStore;
  lines!: ClusterLines;
  /** The store has to be confirmed by the members before it is written again. */
  onNewTerm: () => void = () => {};
  private readonly options: EntryOptions;
  private seenSavedAtMs = Number.NEGATIVE_INFINITY;
  private isClosed = false;

  constructor(options: EntryOptions) {
    this.options = options;
  }

  get node(): string {
    return this.nodeState.membership.node;
  }

  /** Whatever the store still answers reaches the engine no more. */
  close(): void {
    this.isClosed = true;
    this.fenced?.close();
  }

  /**
   * Enters the cluster, and makes the engine's dispensers what they are there. Throws LeaseStoreUnavailable, and
   * is to be tried again then; CannotStart where the folder and the store do not belong together.
   */
  async enter(): Promise<void> {
    const { leaseStore, engine, store, identity, log, clock, mayFound } = this.options;
    const { unique } = identity;
    const own = this.nodeState?.membership ?? this.options.membership;
    const founding = { isAllowed: mayFound, unique, clock };
    const cluster = await findCluster(leaseStore, own, founding);
    this.nodeState ??= new NodeState(store, own ?? newMembership(cluster, identity), unique);
    try {
      if (cluster.epoch > this.nodeState.membership.epoch)
        await acceptEpoch(leaseStore, this.nodeState, cluster, identity, clock);
      this.openFencedStore();
      const doubt = await enter(this.nodeState, this.fenced, identity);
      if (doubt !== undefined) {
        log.warning("this folder goes on as a new node", {
          reason: doubt,
          ...this.becomeNewNode(cluster),
        });
        this.openFencedStore();
        await enter(this.nodeState, this.fenced, identity);
      }
      this.lines = new ClusterLines(engine, this.nodeState);
      if (this.needsRepair) await this.repair();
      else await this.lines.sync(this.fenced);
    } catch (error) {
      if (error instanceof StoreWentBack) await this.accuse(error);
      throw error;
    }
  }

  /** Whether the store has yet to be told what this node knows. */
  get needsRepair(): boolean {
    return this.nodeState.membership.needsRepair === true;
  }

  private openFencedStore(): void {
    const { leaseStore, clock } = this.options;
    // Whoever still asks by the history before would take the present one for a store that went back.
    this.fenced?.close();
    this.fenced = new FencedStore(leaseStore, this.nodeState, clock);
    this.fenced.onNewTerm = () => this.onNewTerm();
    if (this.isClosed) this.fenced.close();
  }

  /** Makes the folder another node's, without what the one had: its runs are lost. */
  private becomeNewNode(cluster: ClusterRecord): {
    runs_of_lines_lost: number;
    numbers_lost: bigint;
  } {
    const { engine, identity, store } = this.options;
    let [lines, numbers] = [0, 0n];
    for (const dispenser of [...engine.all()]) {
      const { id, name, definition, allocation, position } = dispenser;
      if (!allocation.isLeased || !dispenser.hasPositions) continue;
      const held = allocation.size(0n) - position;
      if (held > 0n) lines++;
      numbers += held;
      engine.remove(dispenser);
      engine.create(id, name, definition);
    }
    const { revision, namesRevision, epoch, needsRepair = false } = this.nodeState.membership;
    const kept = { identity: this.nodeState.membership.identity, revision, namesRevision, epoch };
    const fresh: Membership = { ...newMembership(cluster, identity), ...kept, needsRepair };
    this.nodeState = new NodeState(store, fresh, identity.unique);
    engine.writeNodeState(this.nodeState);
    const failure = engine.commit();
    if (failure !== undefined) throw failure;
    return { runs_of_lines_lost: lines, numbers_lost: numbers };
  }

  /** Goes along with what changed in the store. Throws LeaseStoreUnavailable, Fenced. */
  async look(): Promise<void> {
    const { fenced } = this;
    try {
      const { rows } = await fenced.read([CLUSTER, NAMES, ROLL, nodeKey(this.node)]);
      const { answered } = fenced.checkFence(rows);
      const call = readRoll(rows.get(ROLL))?.call ?? 0;
      if (this.needsRepair) await this.repair();
      if (answered < call) await this.answer();
      await this.lines.syncTo(fenced, rows.get(NAMES));
      this.saveSeen();
    } catch (error) {
      if (!(error instanceof StoreWentBack || error instanceof NewEpoch)) throw error;
      if (await this.acceptEpoch()) return;
      if (error instanceof StoreWentBack) await this.accuse(error);
      throw error;
    }
  }

  /** Goes along with an operator that took the store for good; answers whether one did. */
  private async acceptEpoch(): Promise<boolean> {
    const { leaseStore, identity, clock } = this.options;
    const { membership } = this.nodeState;
    const cluster = readCluster((await leaseStore.read([CLUSTER])).rows.get(CLUSTER));
    if (cluster?.id !== membership.cluster || cluster.epoch <= membership.epoch) return false;
    await acceptEpoch(leaseStore, this.nodeState, cluster, identity, clock);
    this.openFencedStore();
    await this.repair();
    return true;
  }

  private async answer(): Promise<void> {
    await answerCall(this.fenced);
    this.nodeState.flush();
  }

  /**
   * The store went back in time: neither this process, nor its next life, nor any other node leases anything
   * until an operator begins another epoch. First here, as the store may not hear it.
   */
  private async accuse({ reason }: StoreWentBack): Promise<void> {
    this.suspect(reason);
    await markCluster(this.options.leaseStore, this.nodeState.membership, reason);
  }

  /** The part of that which needs no store. */
  suspect(reason: string): void {
    this.nodeState.suspect(reason);
  }

  /** A store that is behind what was seen went back, also in the eyes of the next life. */
  private saveSeen(): void {
    const { clock } = this.options;
    const revision = String(this.fenced.seen.revision);
    const isDue = clock.now() - this.seenSavedAtMs >= SEEN_SAVED_EVERY_MS;
    if (!isDue || revision === this.nodeState.membership.revision) return;
    this.seenSavedAtMs = clock.now();
    this.nodeState.save({ revision });
  }

  /** Throws LeaseStoreUnavailable where the store takes no writes: leases are some. */
  async probe(): Promise<void> {
    await this.fenced.transact([], () => ({ puts: new Map(), result: undefined, own: {} }), true);
  }

  /** Tells a store that forgot what this node knows; until that is done nothing is leased. */
  private async repair(): Promise<void> {
    const { fenced } = this;
    await repair(fenced, this.options.engine, this.nodeState);
    await this.lines.sync(fenced, true);
    const { revision } = fenced.seen;
    // The names that were looked at are on disk with the next commit only: until then all are new.
    this.nodeState.save({ needsRepair: false, revision: String(revision), namesRevision: "0" });
    const { log, leaseStore } = this.options;
    log.info("an operator took the store as it is for good", { store: leaseStore.title });
  }
}
