/**
 * The store as a member of the cluster writes it. Whatever it writes is guarded by two rows beside those that it
 * is about: the cluster's, so that nothing is written where somebody found that the store went back in time;
 * and the node's own, which is written anew with it, so that the node notices by that row when the store forgets
 * any of its writes.
 *
 * Invariant: nothing is written that could give anybody a number while the members have not confirmed the history that the
 * store is in now.
 */

import type { Membership, NodeState } from "../node/state.ts";
import { type Clock, MonotonicStore, type Outcome, realClock, StoreWentBack } from "./monotonic.ts";
import {
  CLUSTER,
  type ClusterRecord,
  encode,
  NAMES,
  type NodeRecord,
  nodeKey,
  readCluster,
  readNames,
  readNode,
} from "./records.ts";
import { type LeaseStore, LeaseStoreUnavailable, type Row, type StoreVersion } from "./store.ts";

/** The node was told by the store that it is not the one it takes itself for. */
export class Fenced extends Error {
  override readonly name = "Fenced";
}

/** The members have to confirm what they wrote before anything else is written. */
export class NotConfirmed extends LeaseStoreUnavailable {
  /** Whether it was written all the same, and may be forgotten already; else it can be done again. */
  readonly wasWritten: boolean;

  constructor(wasWritten: boolean) {
    super("it was started anew, and its nodes have not yet confirmed what they wrote");
    this.wasWritten = wasWritten;
  }
}

/** An operator began another epoch: what the store says is to be taken for good. */
export class NewEpoch extends LeaseStoreUnavailable {}

/** What work() of a member answers. */
export interface MemberOutcome<T> extends Outcome<T> {
  /** What changes in the node's own row; that is written with all other rows anyway. */
  readonly own?: Partial<NodeRecord>;
}

/** Which run of the store answers: one without a gap, in which it cannot have gone back unnoticed. */
type Term = Pick<StoreVersion, "timeline" | "term">;

export class FencedStore extends MonotonicStore {
  /** How often it was doubted that the store remembers everything. */
  doubts = 0;
  private readonly nodeState: NodeState;
  /** In which the members confirmed their rows; undefined before. */
  private confirmed: Term | undefined;
  /** Where the store answers out of another one, and all that is written waits for the members. */
  onNewTerm: () => void = () => {};

  constructor(store: LeaseStore, memory: NodeState, clock: Clock = realClock) {
    super(store, seenBy(memory.membership), clock);
    this.nodeState = memory;
  }

  get membership(): Membership {
    return this.nodeState.membership;
  }

  get isConfirmed(): boolean {
    return this.confirmed !== undefined;
  }

  /** The members confirmed their rows in this run of the store. */
  confirm({ timeline, term }: StoreVersion): void {
    this.confirmed = { timeline, term };
  }

  /** They have to do so anew. */
  doubt(): void {
    this.confirmed = undefined;
    this.doubts++;
  }

  /**
   * As History's, with the rows that fence the node. Throws StoreWentBack and Fenced, too. `isUnconfirmed`: it
   * may be done before the members have confirmed, because it gives nobody a number.
   */
  override async transact<T>(
    keys: readonly string[],
    work: (rows: ReadonlyMap<string, Row>) => MemberOutcome<T>,
    isUnconfirmed = false,
  ): Promise<T> {
    const { nodeState } = this;
    const own = nodeKey(nodeState.membership.node);
    const fence = [CLUSTER, own];
    const read = [...new Set([...fence, NAMES, ...keys])];
    let stamp: ReturnType<NodeState["intend"]> | undefined;
    const result = await super.transact(read, (rows) => {
      const record = this.checkFence(rows);
      if (!isUnconfirmed && !this.isConfirmed) throw new NotConfirmed(false);
      const { own: changes, ...outcome } = work(rows);
      const isWritten = outcome.puts.size + (outcome.removes?.length ?? 0) > 0;
      stamp = isWritten || changes !== undefined ? nodeState.intend() : undefined;
      if (stamp === undefined) return { ...outcome, keys: [] };
      const written: NodeRecord = { ...record, ...changes, ...stamp };
      const puts = new Map([...outcome.puts, [own, encode(written)]]);
      return { ...outcome, puts, keys: [...fence, ...(outcome.keys ?? keys)] };
    });
    if (stamp !== undefined) nodeState.wrote(stamp);
    // It was written, and may be forgotten again already.
    if (!isUnconfirmed && !this.isConfirmed) throw new NotConfirmed(stamp !== undefined);
    return result;
  }

  /** Whether the rows show that the node may write; answers its own one. Throws StoreWentBack and Fenced. */
  checkFence(rows: ReadonlyMap<string, Row>): NodeRecord {
    const { nodeState, membership } = this;
    this.checkCluster(rows);
    const record = checkOurs(
      readNode(rows.get(nodeKey(membership.node))),
      membership,
      BigInt(readNames(rows.get(NAMES))?.nodesPurgedTo ?? "0"),
    );
    nodeState.wrote(record);
    return record;
  }

  /** Throws StoreWentBack and NewEpoch where the row of the cluster is not as the node knows it. */
  checkCluster(rows: ReadonlyMap<string, Row>): void {
    checkCluster(readCluster(rows.get(CLUSTER)), this.membership);
  }

  protected override check(version: StoreVersion, least: bigint): void {
    super.check(version, least);
    const { confirmed } = this;
    if (confirmed === undefined) return;
    if (version.timeline === confirmed.timeline && version.term === confirmed.term) return;
    this.doubt();
    this.onNewTerm();
  }
}

/** The store as the folder last saw it. */
function seenBy({ identity, revision, namesRevision, needsRepair }: Membership): StoreVersion {
  // Names are looked at more often than the other is written down; while it mends, they are of another history.
  const [seen, seenOfNames] = [BigInt(revision), needsRepair ? 0n : BigInt(namesRevision)];
  const last = seen > seenOfNames ? seen : seenOfNames;
  return { identity, timeline: "", term: "", revision: last, isRestored: false };
}

function checkCluster(
  cluster: ClusterRecord | undefined,
  { cluster: id, epoch, doubt }: Membership,
): asserts cluster is ClusterRecord {
  if (cluster?.id !== id) {
    throw new StoreWentBack(cluster === undefined ? "it is empty" : "it is another cluster's");
  }
  // A store that knows an earlier epoch forgot the one that an operator began since.
  if (cluster.epoch < epoch) {
    throw new StoreWentBack(`its epoch was ${epoch}, and is ${cluster.epoch} now`);
  }
  if (cluster.epoch > epoch) throw new NewEpoch("an operator took it for good just now");
  const why = doubt ?? cluster.mark;
  if (why !== undefined) throw new StoreWentBack(why);
}

/** Throws where the store's row of a node is not as the node left it; else answers it. */
function checkOurs(
  record: NodeRecord | undefined,
  { node, written, intended, revision }: Membership,
  purgedTo: bigint,
): NodeRecord {
  if (record === undefined && BigInt(revision) < purgedTo) throw new Fenced(longGone(node));
  if (record === undefined) throw new StoreWentBack(`it does not know node ${node}`);
  if (record.state !== "member") throw new Fenced(expelled(node, record));
  if ([written, ...intended].some(({ nonce }) => nonce === record.nonce)) return record;
  if (record.sequence < written.sequence) throw new StoreWentBack(forgot(node, written, record));
  throw new Fenced(`node ${node} was started elsewhere`);
}

/** What a store forgot of a node. */
export const forgot = (
  node: string,
  written: { readonly sequence: number },
  record: { readonly sequence: number },
): string => `node ${node} wrote ${written.sequence} times, and it knows of ${record.sequence} now`;

/** What is said to a node whose row was removed, as it is no member any more. */
export const longGone = (node: string): string => `node ${node} was written off long ago`;

export function expelled(node: string, { state }: NodeRecord): string {
  return state === "left"
    ? `node ${node} has left the cluster`
    : `node ${node} was written off (cluster forget)`;
}
