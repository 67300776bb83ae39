/**
 * How a node becomes who it was: each start is a write of the node's own row that only this process knows, so
 * that of two that hold the same identity one knows that it is not alone. A folder that was copied, restored or
 * is older than it should be becomes a new node, which goes on with nothing of the old one's.
 *
 * Invariant: no run found in the folder is served before enter() answered that it may be.
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
  /** A new name that nothing else has. */
  readonly unique: () => string;
  readonly host: string;
  readonly folderFingerprint: FolderFingerprint;
}

/** A cluster that is being founded can be objected to for so long: living nodes look more often. */
export const FOUNDING_MS = 3000;
/** So often a node that founds, or waits for another to found, looks. */
const FOUNDING_LOOK_MS = 300;

export interface Founding {
  /** Whether a cluster may be founded where there is none. */
  readonly isAllowed: boolean;
  readonly unique: () => string;
  readonly clock: Clock;
}

/**
 * The cluster's own row. Founds a cluster where there is none and the folder belongs to none, in two steps, so
 * that living nodes whose store was emptied can object in between. Throws CannotStart, LeaseStoreUnavailable.
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
    // Nobody objected in this run of the store.
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

/** Rows without that of a cluster: it was lost, or another cluster's prefix lies inside this one's. */
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

/** What a folder that belongs to no cluster yet is to become. */
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
 * Starts the node: writes its row, by a stamp that no other process has. Answers undefined, or why the folder
 * cannot go on as the node it was: it has to become a new one first. A copy of the folder from between the
 * intent and the next write would still know the row; the roll call that follows makes that write. Throws
 * LeaseStoreUnavailable, and is to be tried again then.
 */
export async function enter(
  memory: NodeState,
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
  if (record !== undefined) memory.wrote(record);
  const stamp = memory.intend();
  const generation = Math.max(record?.generation ?? 0, membership.generation) + 1;
  const started: NodeRecord = {
    ...stamp,
    generation,
    answered: record?.answered ?? 0,
    host: identity.host,
    state: "member",
    version,
    level: LEVEL,
  };
  const guards = new Map([
    [CLUSTER, rows.get(CLUSTER)!.revision],
    [key, row?.revision ?? 0n],
  ]);
  const written = await store.write({ guards, puts: new Map([[key, encode(started)]]) });
  // Somebody else wrote one of the two since: they are looked at again.
  if (written === undefined) return enter(memory, store, identity);
  memory.wrote(stamp);
  const { folderFingerprint } = identity;
  memory.save({ generation, folderFingerprint, revision: String(store.seen.revision) });
  return undefined;
}

/** Why a folder cannot be that of the node whose name stands in it. */
function doubtAbout(
  membership: Membership,
  record: NodeRecord | undefined,
  whereabouts: FolderFingerprint,
  purgedTo: bigint,
): string | undefined {
  const { node, generation, written, intended } = membership;
  if (!isSameFolder(membership.folderFingerprint, whereabouts)) {
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
 * Takes the store's present history for good, as an operator did since this node last looked. The node's own row
 * is written anew where the store forgot it; what else it forgot is to be told it next (isMending).
 */
export async function acceptEpoch(
  store: LeaseStore,
  memory: NodeState,
  cluster: ClusterRecord,
  { host, folderFingerprint: here }: Identity,
  clock: Clock,
): Promise<void> {
  const { generation, node, written, intended, folderFingerprint } = memory.membership;
  const { identity, epoch } = cluster;
  const key = nodeKey(node);
  const { rows, version: storeVersion } = await store.read([CLUSTER, key]);
  requireWhole(storeVersion);
  const known = readNode(rows.get(key));
  const isKnown = [written, ...intended].some(({ nonce }) => nonce === known?.nonce);
  const isForgotten = !isKnown && (known?.sequence ?? -1) < written.sequence;
  // A copy of the folder has no say in what the node is.
  if (isForgotten && generation > 0 && isSameFolder(folderFingerprint, here)) {
    const record: NodeRecord = {
      ...written,
      generation,
      answered: known?.answered ?? 0,
      host,
      state: known?.state ?? "member",
      version,
      level: LEVEL,
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
  memory.save({ identity, epoch, revision, doubt: undefined, needsRepair: true });
}

/**
 * Tells all nodes that the store went back in time: puts a mark into the row of the cluster, also where the
 * store was emptied or is being founded anew. Only `cluster advance` clears it. Where the mark is there already,
 * or was cleared since, or the store is another cluster's by now, nothing is written.
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
