/**
 * How a node enters its cluster again. Each start writes the node's own row with a stamp that only
 * this process knows, so that of two processes with the same identity one notices the other. A
 * folder that was copied, restored or is older than it should be becomes a new node, which takes
 * over nothing from the old one.
 *
 * Invariant: no range found in the folder is served before enter() has answered that it may be.
 */

import { CannotStart } from "../../base/errors.ts";
import { version } from "../../base/version.ts";
import { expelled, type FencedStore, forgot, longGone } from "../stores/fenced.ts";
import { type Clock, MonotonicStore, StoreWentBack } from "../stores/monotonic.ts";
import {
  CLUSTER,
  type ClusterRecord,
  DELETED_PREFIX,
  encode,
  LEVEL,
  LINE_PREFIX,
  NAME_PREFIX,
  NAMES,
  NODE_PREFIX,
  type NodeRecord,
  nodeKey,
  readCluster,
  readNames,
  readNode,
  USAGE_PREFIX,
} from "../stores/records.ts";
import type { LeaseStore, StoreVersion } from "../stores/store.ts";
import { type FolderFingerprint, isSameFolder, type Membership, type NodeState } from "./state.ts";

export interface Identity {
  /** Makes a name that nothing else has. */
  readonly unique: () => string;
  readonly host: string;
  readonly folderFingerprint: FolderFingerprint;
}

/** How long nodes may object to a cluster that is being founded; living nodes poll more often. */
export const FOUNDING_MS = 3000;
/** How often a node that founds, or waits for another to found, polls. */
const FOUNDING_LOOK_MS = 300;

export interface Founding {
  /** Whether a cluster may be founded if there is none. */
  readonly isAllowed: boolean;
  readonly unique: () => string;
  readonly clock: Clock;
}

/**
 * Reads the cluster's own row. If there is none and the folder belongs to no cluster, founds one in
 * two steps, so that living nodes whose store was emptied can object in between. Throws
 * CannotStart, LeaseStoreUnavailable.
 */
export async function findCluster(
  store: LeaseStore,
  own: Pick<Membership, "cluster"> | undefined,
  { isAllowed, unique, clock }: Founding,
): Promise<ClusterRecord> {
  let since: { readonly revision: bigint; readonly atMs: number } | undefined;
  for (;;) {
    const { rows, version } = await store.read([CLUSTER]);
    const row = rows.get(CLUSTER);
    const found = readCluster(row);
    if (own !== undefined && found?.id !== own.cluster) {
      const what = found === undefined ? "is empty" : `is that of cluster ${found.id}`;
      throw new CannotStart(
        `the store ${store.title} ${what}, and the data folder belongs to cluster ${own.cluster}`,
      );
    }
    if ((found?.level ?? 1) > LEVEL) {
      throw new CannotStart(
        `cluster ${found!.id} uses what this version does not know: its level is ${found!.level}, and this is ` +
          `${LEVEL}. Start the version that the other nodes have`,
      );
    }
    if (found !== undefined && found.isFounding !== true) return found;
    if (!isAllowed) {
      throw new CannotStart(
        `the store ${store.title} has no cluster, and storage.create is false: it may have been emptied`,
      );
    }
    requireWhole(version);
    if (row === undefined || found === undefined) {
      await requireEmpty(store);
      const { identity, timeline } = version;
      const begun: ClusterRecord = { id: unique(), epoch: 0, identity, timeline, isFounding: true };
      await store.write({
        guards: new Map([[CLUSTER, 0n]]),
        puts: new Map([[CLUSTER, encode(begun)]]),
      });
      continue;
    }
    if (since?.revision !== row.revision) since = { revision: row.revision, atMs: clock.now() };
    if (clock.now() - since.atMs < FOUNDING_MS) {
      await clock.sleep(FOUNDING_LOOK_MS);
      continue;
    }
    // Nobody objected in this term of the store.
    const { isFounding, ...founded } = found;
    const cluster: ClusterRecord = { ...founded, term: version.term };
    const guards = new Map([
      [CLUSTER, row.revision],
      [NAMES, 0n],
    ]);
    const puts = new Map([
      [CLUSTER, encode(cluster)],
      [NAMES, encode({ lastLine: 0 })],
    ]);
    await store.write({ guards, puts });
  }
}

function requireWhole({ isRestored }: StoreVersion): void {
  if (isRestored) throw new StoreWentBack("its rows were put back from a dump or snapshot");
}

const ROW_PREFIXES = [NAME_PREFIX, LINE_PREFIX, NODE_PREFIX, USAGE_PREFIX, DELETED_PREFIX];

/**
 * Rows without a cluster's row: that was lost, or another cluster's prefix lies inside this one's.
 */
async function requireEmpty(store: LeaseStore): Promise<void> {
  for (const prefix of ROW_PREFIXES) {
    const [key] = (await store.list(prefix)).rows.keys();
    if (key === undefined) continue;
    throw new CannotStart(
      `the store ${store.title} has the row ${key} but none of a cluster: either rows were lost, or the prefix of ` +
        "another cluster lies inside this one's; nothing is founded there",
    );
  }
}

/** The membership of a folder that belongs to no cluster yet. */
export function newMembership(cluster: ClusterRecord, identity: Identity): Membership {
  return {
    cluster: cluster.id,
    node: identity.unique(),
    generation: 0,
    written: { sequence: 0, nonce: "" },
    intended: [],
    folderFingerprint: identity.folderFingerprint,
    identity: cluster.identity,
    revision: "0",
    epoch: cluster.epoch,
    namesRevision: "0",
  };
}

/**
 * Starts the node: writes its row with a stamp that no other process has. Answers undefined, or why
 * the folder cannot go on as the node it was and has to become a new one first. A copy made between
 * intend() and the next write would still know the row's stamp; the roll call that follows makes
 * that write. Throws LeaseStoreUnavailable, after which it may be called again.
 */
export async function enter(
  nodeState: NodeState,
  store: FencedStore,
  identity: Identity,
): Promise<string | undefined> {
  const { membership } = store;
  const key = nodeKey(membership.node);
  const { rows } = await store.read([CLUSTER, NAMES, key]);
  store.checkCluster(rows);
  const row = rows.get(key);
  const record = readNode(row);
  const purgedTo = BigInt(readNames(rows.get(NAMES))?.nodesPurgedTo ?? "0");
  const doubt = doubtAbout(membership, record, identity.folderFingerprint, purgedTo);
  if (doubt !== undefined) return doubt;
  if (record !== undefined) nodeState.wrote(record);
  const stamp = nodeState.intend();
  const generation = Math.max(record?.generation ?? 0, membership.generation) + 1;
  const started: NodeRecord = {
    ...stamp,
    generation,
    answered: record?.answered ?? 0,
    host: identity.host,
    state: "member",
    version,
    level: LEVEL,
    ...store.signOfLife,
  };
  const guards = new Map([
    [CLUSTER, rows.get(CLUSTER)!.revision],
    [key, row?.revision ?? 0n],
  ]);
  const written = await store.write({ guards, puts: new Map([[key, encode(started)]]) });
  // Another node or process wrote one of the two rows meanwhile.
  if (written === undefined) return enter(nodeState, store, identity);
  nodeState.wrote(stamp);
  const { folderFingerprint } = identity;
  nodeState.save({ generation, folderFingerprint, revision: String(store.seen.revision) });
  return undefined;
}

/** Why a folder cannot go on as the node it names; undefined if it can. */
function doubtAbout(
  membership: Membership,
  record: NodeRecord | undefined,
  here: FolderFingerprint,
  purgedTo: bigint,
): string | undefined {
  const { node, generation, written, intended } = membership;
  if (!isSameFolder(membership.folderFingerprint, here)) {
    return "its data folder is not where the node was last started: it is a copy, or was restored";
  }
  if (record === undefined) {
    if (generation === 0) return undefined;
    if (BigInt(membership.revision) < purgedTo) return longGone(node);
    throw new StoreWentBack(`it does not know node ${node}`);
  }
  if (record.state !== "member") return expelled(node, record);
  if ([written, ...intended].some(({ nonce }) => nonce === record.nonce)) return undefined;
  if (record.sequence < written.sequence) throw new StoreWentBack(forgot(node, written, record));
  return "the node wrote more than its data folder knows, or was started from another: this one is an older copy";
}

/**
 * Accepts the store's present history, because an operator did (`cluster advance`). Writes the
 * node's own row again if the store forgot it; whatever else it forgot is written next
 * (needsRepair).
 */
export async function acceptEpoch(
  store: LeaseStore,
  nodeState: NodeState,
  cluster: ClusterRecord,
  { host, folderFingerprint: here }: Identity,
  clock: Clock,
): Promise<void> {
  const { generation, node, written, intended, folderFingerprint } = nodeState.membership;
  const { identity, epoch } = cluster;
  const key = nodeKey(node);
  const { rows, version: storeVersion } = await store.read([CLUSTER, key]);
  requireWhole(storeVersion);
  const known = readNode(rows.get(key));
  const isKnown = [written, ...intended].some(({ nonce }) => nonce === known?.nonce);
  const isForgotten = !isKnown && (known?.sequence ?? -1) < written.sequence;
  // A copy of the folder must not write the node's row.
  if (isForgotten && generation > 0 && isSameFolder(folderFingerprint, here)) {
    const record: NodeRecord = {
      ...written,
      generation,
      answered: known?.answered ?? 0,
      host,
      state: known?.state ?? "member",
      version,
      level: LEVEL,
      writtenAtMs: clock.wallMs(),
    };
    const history = new MonotonicStore(store, storeVersion, clock);
    await history.write({
      guards: new Map([
        [CLUSTER, rows.get(CLUSTER)?.revision ?? 0n],
        [key, rows.get(key)?.revision ?? 0n],
      ]),
      puts: new Map([[key, encode(record)]]),
    });
  }
  const revision = String(storeVersion.revision);
  nodeState.save({ identity, epoch, revision, doubt: undefined, needsRepair: true });
}

/**
 * Tells all nodes that the store went back in time: puts a mark into the cluster's row, even if the
 * store was emptied or is being founded anew. Only `cluster advance` clears the mark. Writes
 * nothing if the mark is there already or was cleared since, or if the store is another cluster's
 * by now.
 */
export async function markCluster(
  store: LeaseStore,
  { cluster: id, epoch, identity, node }: Membership,
  reason: string,
): Promise<void> {
  const { rows, version } = await store.read([CLUSTER]);
  const row = rows.get(CLUSTER);
  const found = readCluster(row);
  const isOurs = found?.id === id;
  if (isOurs && (found.mark !== undefined || found.epoch > epoch)) return;
  if (!isOurs && found !== undefined && found.isFounding !== true) return;
  const mark = `${reason}, says node ${node}`;
  const own: ClusterRecord = isOurs ? found : { id, epoch, identity, timeline: version.timeline };
  await store.write({
    guards: new Map([[CLUSTER, row?.revision ?? 0n]]),
    puts: new Map([[CLUSTER, encode({ ...own, mark } satisfies ClusterRecord)]]),
  });
}
