/**
 * The lease store as a member of the cluster writes it. Two more rows guard each of its writes: the
 * cluster's, so that nothing is written once any node found that the store went back in time; and
 * the node's own, which each write writes anew, so that the node notices by that row when the store
 * forgets one of its writes.
 *
 * Invariant: nothing that could give anybody a number is written before the members have confirmed
 * their rows in the present term of the store.
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

/** By the store's rows this process must not go on as this node. */
export class Fenced extends Error {
  override readonly name = "Fenced";
}

/** The members have to confirm their rows before anything else is written. */
export class NotConfirmed extends LeaseStoreUnavailable {
  /**
   * Whether it was written all the same, and perhaps forgotten since; if not, it can be tried
   * again.
   */
  readonly wasWritten: boolean;

  constructor(wasWritten: boolean) {
    super("it was started anew, and its nodes have not yet confirmed what they wrote");
    this.wasWritten = wasWritten;
  }
}

/** An operator began another epoch: the node has to accept the store as it is. */
export class NewEpoch extends LeaseStoreUnavailable {}

/** The outcome of a member's work. */
export interface MemberOutcome<T> extends Outcome<T> {
  /** Changes to the node's own row, which is written with all other rows anyway. */
  readonly own?: Partial<NodeRecord>;
}

/** Within one term the store cannot go back in time unnoticed. */
type Term = Pick<StoreVersion, "timeline" | "term">;

export class FencedStore extends MonotonicStore {
  /** How often doubt() was called. */
  doubts = 0;
  /** The addresses that the node listens on, once it does. */
  addresses: readonly string[] | undefined;
  /** When the node last wrote its row in this life, by the clock that only goes forwards. */
  wroteAtMs = Number.NEGATIVE_INFINITY;
  private readonly nodeState: NodeState;
  /** The term in which the members confirmed their rows; undefined before that. */
  private confirmed: Term | undefined;
  /** Called when the store answers in another term: then all writes wait for the members. */
  onNewTerm: () => void = () => {};

  constructor(store: LeaseStore, nodeState: NodeState, clock: Clock = realClock) {
    super(store, seenBy(nodeState.membership), clock);
    this.nodeState = nodeState;
  }

  get membership(): Membership {
    return this.nodeState.membership;
  }

  get isConfirmed(): boolean {
    return this.confirmed !== undefined;
  }

  /** The members have confirmed their rows in this term of the store. */
  confirm({ timeline, term }: StoreVersion): void {
    this.confirmed = { timeline, term };
  }

  /** The store may have gone back in time: the members have to confirm their rows again. */
  doubt(): void {
    this.confirmed = undefined;
    this.doubts++;
  }

  /**
   * As MonotonicStore.transact(), guarded by the fence. Also throws StoreWentBack and Fenced.
   * `isUnconfirmed`: the work may run before the members have confirmed their rows, because it
   * gives nobody a number.
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
      const written: NodeRecord = { ...record, ...changes, ...this.signOfLife, ...stamp };
      const puts = new Map([...outcome.puts, [own, encode(written)]]);
      return { ...outcome, puts, keys: [...fence, ...(outcome.keys ?? keys)] };
    });
    if (stamp !== undefined) {
      nodeState.wrote(stamp);
      this.wroteAtMs = this.clock.now();
    }
    // The term changed meanwhile: the store may have forgotten this write already.
    if (!isUnconfirmed && !this.isConfirmed) throw new NotConfirmed(stamp !== undefined);
    return result;
  }

  /** The part of the node's row that tells operators where the node is, and when it wrote. */
  get signOfLife(): Pick<NodeRecord, "addresses" | "writtenAtMs"> {
    const { addresses, clock } = this;
    return { ...(addresses && { addresses }), writtenAtMs: clock.wallMs() };
  }

  /**
   * Answers the node's own row. Throws StoreWentBack and Fenced if by these rows the node may not
   * write.
   */
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

  /** Throws StoreWentBack or NewEpoch if the cluster's row is not as the node knows it. */
  checkCluster(rows: ReadonlyMap<string, Row>): void {
    checkCluster(readCluster(rows.get(CLUSTER)), this.membership);
  }

  /** While it could not be reached, it may have gone back in time. */
  protected override onFailed(): void {
    this.doubt();
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

/** The store version that the folder last saw. */
function seenBy({ identity, revision, namesRevision, needsRepair }: Membership): StoreVersion {
  // namesRevision is saved more often than revision; during a repair it is of another history.
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
  // A lower epoch: the store forgot that an operator began this one.
  if (cluster.epoch < epoch) {
    throw new StoreWentBack(`its epoch was ${epoch}, and is ${cluster.epoch} now`);
  }
  if (cluster.epoch > epoch) throw new NewEpoch("an operator accepted it as it is just now");
  const why = doubt ?? cluster.mark;
  if (why !== undefined) throw new StoreWentBack(why);
}

/** Answers the node's row. Throws if it is not as the node left it. */
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

/** Says how many writes of a node a store forgot. */
export const forgot = (
  node: string,
  written: { readonly sequence: number },
  record: { readonly sequence: number },
): string => `node ${node} wrote ${written.sequence} times, and it knows of ${record.sequence} now`;

/** Says that a node's row was purged: it has not been a member for long. */
export const longGone = (node: string): string => `node ${node} was written off long ago`;

export function expelled(node: string, { state }: NodeRecord): string {
  return state === "left"
    ? `node ${node} has left the cluster`
    : `node ${node} was written off (cluster forget)`;
}
