/**
 * A node's entry into its cluster: how it enters, and how it follows what changes there, also where
 * the store went back in time.
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

/** The highest revision seen is saved at most this often; a lease saves it as well. */
const SEEN_SAVED_EVERY_MS = 1000;

export interface EntryOptions {
  readonly leaseStore: LeaseStore;
  readonly engine: Engine;
  readonly store: Store;
  readonly log: Log;
  readonly clock: Clock;
  readonly identity: Identity;
  /** The membership in the folder; undefined if it belongs to no cluster. */
  readonly membership: Membership | undefined;
  /** Whether a cluster may be founded if there is none. */
  readonly mayFound: boolean;
}

export class Entry {
  nodeState!: NodeState;
  /** The lease store, guarded for this node. */
  fenced!: FencedStore;
  lines!: ClusterLines;
  /** The addresses that the node listens on, once it does. */
  addresses: readonly string[] | undefined;
  /** Called when the members have to confirm their rows before the store is written again. */
  onNewTerm: () => void = () => {};
  /** Called before a transaction that lost a race is tried again: other work may go first. */
  onRetry: () => Promise<void> = async () => {};
  private readonly options: EntryOptions;
  private seenSavedAtMs = Number.NEGATIVE_INFINITY;
  private isClosed = false;

  constructor(options: EntryOptions) {
    this.options = options;
  }

  get node(): string {
    return this.nodeState.membership.node;
  }

  /** From now on no answer of the store reaches the engine. */
  close(): void {
    this.isClosed = true;
    this.fenced?.close();
  }

  /**
   * Enters the cluster and makes the engine's dispensers like the cluster's. Throws
   * LeaseStoreUnavailable, after which it may be called again; CannotStart if the folder and the
   * store do not belong together.
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

  /** Whether the store still lacks what this node knows. */
  get needsRepair(): boolean {
    return this.nodeState.membership.needsRepair === true;
  }

  private openFencedStore(): void {
    const { leaseStore, clock } = this.options;
    // A reader that still compares with the history before would find that the store went back.
    this.fenced?.close();
    this.fenced = new FencedStore(leaseStore, this.nodeState, clock);
    this.fenced.addresses = this.addresses;
    this.fenced.onNewTerm = () => this.onNewTerm();
    this.fenced.onRetry = () => this.onRetry();
    if (this.isClosed) this.fenced.close();
  }

  /** Makes the folder that of a new node. The ranges that the old node held are lost. */
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

  /** Tells the store of the addresses with the next write. */
  listensOn(addresses: readonly string[]): void {
    this.addresses = addresses;
    this.fenced.addresses = addresses;
  }

  /** Follows what changed in the store. Throws LeaseStoreUnavailable, Fenced. */
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

  /** Accepts the store as it is if an operator did (`cluster advance`); answers whether one did. */
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
   * Stops all leasing, because the store went back in time: in this life, the next ones, and on
   * every other node, until an operator begins another epoch. Saved in this folder first, because
   * the store may be out of reach.
   */
  private async accuse({ reason }: StoreWentBack): Promise<void> {
    this.suspect(reason);
    await markCluster(this.options.leaseStore, this.nodeState.membership, reason);
  }

  /** The part of accuse() that needs no store. */
  suspect(reason: string): void {
    this.nodeState.suspect(reason);
  }

  /** Saves the revision seen, so that the next life notices a store that is behind it. */
  private saveSeen(): void {
    const { clock } = this.options;
    const revision = String(this.fenced.seen.revision);
    const isDue = clock.now() - this.seenSavedAtMs >= SEEN_SAVED_EVERY_MS;
    if (!isDue || revision === this.nodeState.membership.revision) return;
    this.seenSavedAtMs = clock.now();
    this.nodeState.save({ revision });
  }

  /**
   * Writes the node's row: as a sign of life, or to find out whether the store takes writes, which
   * leases need. Throws LeaseStoreUnavailable if it takes none.
   */
  async probe(): Promise<void> {
    await this.fenced.transact([], () => ({ puts: new Map(), result: undefined, own: {} }), true);
  }

  /**
   * Writes what this node knows into a store that lost data. Nothing is leased before that is done.
   */
  private async repair(): Promise<void> {
    const { fenced } = this;
    await repair(fenced, this.options.engine, this.nodeState);
    await this.lines.sync(fenced, true);
    const { revision } = fenced.seen;
    // The names just read reach the disk with the next commit: until then the folder knows none.
    this.nodeState.save({ needsRepair: false, revision: String(revision), namesRevision: "0" });
    const { log, leaseStore } = this.options;
    log.info("an operator accepted the store as it is", { store: leaseStore.title });
  }
}
