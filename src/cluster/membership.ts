/**
 * How a node becomes who it was: each start raises its generation in the store, so that of two that
 * hold the same identity one knows that it is not alone. A folder that was copied, restored or is older
 * than it should be becomes a new node, which goes on with nothing of the old one's.
 *
 * Invariant: no run found in the folder is served before enter() answered that it may be.
 */

import { CannotStart } from "../refusal.ts";
import { type SharedStore, StoreUnavailable } from "../store/shared.ts";
import { type Clock, History, realClock, wentBack } from "./history.ts";
import {
  isSamePlace,
  type Membership,
  type Memory,
  type Start,
  type Whereabouts,
} from "./memory.ts";
import {
  CLUSTER,
  type ClusterRecord,
  encode,
  NAMES,
  type NodeRecord,
  nodeKey,
  readCluster,
  readNode,
} from "./records.ts";

export interface Identity {
  /** A new name that nothing else has. */
  readonly unique: () => string;
  readonly host: string;
  readonly whereabouts: Whereabouts;
}

/** So many starts may be under way, as the store may answer one late. */
const INTENDED_MAX = 64;

const NO_START: Start = { generation: 0, token: "" };

/** The cluster's own row; makes the cluster where there is none and the folder belongs to none. */
export async function findCluster(
  store: SharedStore,
  own: Pick<Membership, "cluster"> | undefined,
  unique: () => string,
): Promise<ClusterRecord> {
  for (;;) {
    const { rows, moment } = await store.read([CLUSTER]);
    const found = readCluster(rows.get(CLUSTER));
    if (own !== undefined && found?.id !== own.cluster) {
      const what = found === undefined ? "is empty" : `is that of cluster ${found.id}`;
      throw new CannotStart(
        `the store ${store.title} ${what}, and the data folder belongs to cluster ${own.cluster}`,
      );
    }
    if (found !== undefined) return found;
    const { identity, timeline } = moment;
    const cluster: ClusterRecord = { id: unique(), epoch: 0, identity, timeline };
    const puts = new Map([
      [CLUSTER, encode(cluster)],
      [NAMES, encode({ lastLine: 0 })],
    ]);
    await store.write({ guards: new Map([[CLUSTER, 0n]]), puts });
  }
}

/** What a folder that belongs to no cluster yet is to become. */
export function newMembership(cluster: ClusterRecord, identity: Identity): Membership {
  return {
    cluster: cluster.id,
    node: identity.unique(),
    start: NO_START,
    intended: [],
    whereabouts: identity.whereabouts,
    sequence: 0,
    intendedSequence: 0,
    identity: cluster.identity,
    timeline: cluster.timeline,
    revision: "0",
    epoch: cluster.epoch,
    namesRevision: "0",
  };
}

/** The store's history as the folder knows it. */
export function historyOf(store: SharedStore, membership: Membership, clock = realClock): History {
  const { identity, timeline } = membership;
  let revision = BigInt(membership.revision);
  // Names are looked at more often than the other is written down.
  const namesRevision = BigInt(membership.namesRevision);
  if (namesRevision > revision) revision = namesRevision;
  return new History(store, { identity, timeline, revision }, clock);
}

/**
 * Raises the node's generation. Answers undefined, or why the folder cannot go on as the node it was: it
 * has to become a new one first. Throws StoreUnavailable, and is to be tried again then.
 */
export async function enter(
  memory: Memory,
  history: History,
  identity: Identity,
): Promise<string | undefined> {
  const { membership } = memory;
  const key = nodeKey(membership.node);
  const { rows } = await history.read([key]);
  const row = rows.get(key);
  const record = readNode(row);
  const doubt = doubtAbout(membership, record, identity.whereabouts);
  if (doubt !== undefined) return doubt;
  const next: Start = {
    generation: Math.max(record?.generation ?? 0, membership.start.generation) + 1,
    token: identity.unique(),
  };
  // First here: if the store has it and this process does not live to know, the next one does.
  const intended = [...membership.intended, next].slice(-INTENDED_MAX);
  memory.save({ intended, whereabouts: identity.whereabouts });
  const sequence = Math.max(record?.sequence ?? 0, membership.sequence);
  const { host } = identity;
  const raised: NodeRecord = { ...next, isConfirmed: false, sequence, host, state: "member" };
  const guards = new Map([[key, row?.revision ?? 0n]]);
  const moment = await history.write({ guards, puts: new Map([[key, encode(raised)]]) });
  // Somebody else wrote it since: it is looked at again.
  if (moment === undefined) return enter(memory, history, identity);
  memory.save({ start: next, intended: [], sequence, revision: String(history.seen.revision) });
  // A copy of the folder from before this line may have the intent, and would know no better.
  await history.transact([key], (found) => {
    const now = readNode(found.get(key));
    if (now?.token !== next.token) throw new StoreUnavailable("the node was started elsewhere");
    const puts = new Map([[key, encode({ ...now, isConfirmed: true } satisfies NodeRecord)]]);
    return { puts, result: undefined };
  });
  return undefined;
}

/** Why a folder cannot be that of the node whose name stands in it. */
function doubtAbout(
  membership: Membership,
  record: NodeRecord | undefined,
  whereabouts: Whereabouts,
): string | undefined {
  const { start, intended, sequence, intendedSequence } = membership;
  const isFirst = start.generation === 0;
  if (!isSamePlace(membership.whereabouts, whereabouts)) {
    return "its data folder is not where the node was last started: it is a copy, or was restored";
  }
  if (record === undefined) {
    if (isFirst) return undefined;
    throw wentBack(`it does not know node ${membership.node}`);
  }
  if (record.state !== "member") return expelled(membership.node, record);
  const isKnown = [start, ...(record.isConfirmed ? [] : intended)].some(
    ({ generation, token }) => generation === record.generation && token === record.token,
  );
  if (!isKnown && record.generation < start.generation) {
    throw wentBack(
      `node ${membership.node} was at start ${start.generation}, and is at ${record.generation} now`,
    );
  }
  if (!isKnown) return "the node was started from another folder since: this one is an older copy";
  if (record.sequence < sequence) {
    throw wentBack(
      `node ${membership.node} had ${sequence} leases, and has ${record.sequence} now`,
    );
  }
  if (record.sequence > intendedSequence) {
    return "the node leased more than its data folder knows: this one is an older copy";
  }
  return undefined;
}

/**
 * The store's present history, which an operator took for good since this node last looked. The node's own
 * row is written anew, as the store may have forgotten it. What it answers to remember is for when the rest
 * is mended, too.
 */
export async function acceptHistory(
  store: SharedStore,
  { start, intended, node, sequence, whereabouts }: Membership,
  cluster: ClusterRecord,
  { host, whereabouts: here }: Identity,
  clock: Clock,
): Promise<{ readonly history: History; readonly accepted: Partial<Membership> }> {
  const { identity, timeline, epoch } = cluster;
  const key = nodeKey(node);
  const { rows, moment } = await store.read([key]);
  const history = new History(store, { ...moment, identity, timeline }, clock);
  const known = readNode(rows.get(key));
  const isForgotten = start.generation > 0 && (known?.generation ?? 0) < start.generation;
  const leases = Math.max(sequence, known?.sequence ?? 0);
  // A copy of the folder has no say in what the node is.
  const isInPlace = isSamePlace(whereabouts, here);
  if (isInPlace && (isForgotten || leases > (known?.sequence ?? 0))) {
    const record: NodeRecord = {
      ...(intended.find(({ token }) => token === known?.token) ?? start),
      isConfirmed: known?.isConfirmed ?? true,
      sequence: leases,
      host,
      state: known?.state ?? "member",
    };
    await history.write({
      guards: new Map([[key, rows.get(key)?.revision ?? 0n]]),
      puts: new Map([[key, encode(record)]]),
    });
  }
  const revision = String(moment.revision);
  return { history, accepted: { identity, timeline, epoch, revision } };
}

/** The node was told by the store that it is not the one it takes itself for. */
export class Fenced extends Error {
  override readonly name = "Fenced";
}

/** Throws where the store's row of a node is not as the node left it. */
export function checkOurs(
  record: NodeRecord | undefined,
  { node, start, sequence }: Membership,
): asserts record is NodeRecord {
  if (record === undefined) throw wentBack(`it does not know node ${node}`);
  if (record.state !== "member") throw new Fenced(expelled(node, record));
  if (record.generation < start.generation || record.sequence < sequence) {
    throw wentBack(`it forgot leases of node ${node}`);
  }
  if (record.token !== start.token) throw new Fenced(`node ${node} was started elsewhere`);
}

function expelled(node: string, { state }: NodeRecord): string {
  return state === "left"
    ? `node ${node} has left the cluster`
    : `node ${node} was written off (cluster forget)`;
}
