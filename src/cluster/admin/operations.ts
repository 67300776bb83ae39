/**
 * What an operator does with a cluster: a node leaves (`cluster leave`), a lost node is written off (`cluster
 * forget`), a store that went back in time is accepted as it is (`cluster advance`). join.ts has `cluster join`. No
 * server runs on the folders that these work on.
 */

import { CannotStart } from "../../base/errors.ts";
import { Leased } from "../../dispenser/allocation.ts";
import type { Dispenser } from "../../dispenser/dispenser.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Store } from "../../storage/store.ts";
import type { NodeState, StoredNodeState } from "../node/state.ts";
import type { FencedStore } from "../stores/fenced.ts";
import { MonotonicStore, realClock } from "../stores/monotonic.ts";
import {
  CLUSTER,
  type ClusterRecord,
  encode,
  encodeUsage,
  type LineRecord,
  lineKey,
  NAME_PREFIX,
  NAMES,
  type NameRecord,
  NODE_PREFIX,
  type NodeRecord,
  nodeKey,
  type Range,
  readCluster,
  readLine,
  readName,
  readNames,
  readNode,
  readUsage,
  type UsageRecord,
  usageKey,
} from "../stores/records.ts";
import type { LeaseStore, Row } from "../stores/store.ts";

/** A data folder whose server is stopped. */
export interface Folder {
  readonly engine: Engine;
  readonly store: Store;
  /** Commits what was staged in place of all that the engine knows, and closes the folder. */
  readonly replaced: () => void;
}

/** etcd allows 128 operations in a transaction, and a line takes three. */
const LINES_AT_ONCE = 40;
/** The most returned ranges that a line keeps; the smallest of more are wasted. */
const RETURNED_MAX = 64;
/** The most new lines that a store that went back can have forgotten. */
const IDS_SKIPPED = 1_000_000;

/**
 * Returns the ranges that a node holds and takes the node out of the cluster; its folder is empty then. Answers how
 * many numbers were returned. The node must just have entered the cluster.
 */
export async function handBack(
  { engine, store, replaced }: Folder,
  fenced: FencedStore,
  nodeState: NodeState,
): Promise<bigint> {
  const { node } = nodeState.membership;
  const left = [...engine.all()].map((dispenser) => ({
    dispenser,
    ranges: heldBy(dispenser),
  }));
  // Removed from the folder first: otherwise this node and the next holder could both hand them out.
  for (const { dispenser } of left) store.stage({ kind: "remove", id: dispenser.id });
  store.stage({ kind: "node", state: JSON.stringify({} satisfies StoredNodeState) });
  replaced();
  nodeState.detach();
  const held = left.filter(({ ranges }) => ranges.length > 0);
  let numbers = 0n;
  for (const { dispenser, ranges } of held) {
    numbers += await returnRanges(dispenser, ranges, fenced, node);
  }
  const leave = (rows: ReadonlyMap<string, Row>) => {
    const goneAtAgeMs = readNames(rows.get(NAMES))?.ageMs ?? 0;
    const own = { state: "left", goneAtAgeMs } as const;
    return { puts: new Map<string, string>(), result: undefined, own };
  };
  await fenced.transact([], leave, true);
  return numbers;
}

async function returnRanges(
  { id }: Dispenser,
  ranges: readonly Range[],
  fenced: FencedStore,
  node: string,
): Promise<bigint> {
  const [key, ofNode] = [lineKey(id), usageKey(id, node)];
  const work = (rows: ReadonlyMap<string, Row>) => {
    const line = readLine(rows.get(key));
    const before = readUsage(rows.get(ofNode));
    if (line === undefined || line.isDeleted || before === undefined) {
      return { puts: new Map<string, string>(), result: 0n };
    }
    // The node may not know of an ADVANCE: ranges below the floor must not be leased again.
    const given = ranges.filter(({ first }) => first >= line.floor);
    const bySize = [...line.returned, ...given].sort((one, other) =>
      one.count < other.count ? 1 : -1,
    );
    const returned = bySize
      .slice(0, RETURNED_MAX)
      .sort((one, other) => (one.first < other.first ? -1 : 1));
    const numbers = given.reduce((sum, { count }) => sum + count, 0n);
    const after: UsageRecord = { ...before, leased: before.leased - numbers, held: 0n };
    const puts = new Map([
      [key, encode({ ...line, returned } satisfies LineRecord)],
      [ofNode, encodeUsage(after)],
    ]);
    return { puts, result: numbers };
  };
  return fenced.transact([key, ofNode], work, true);
}

/** The ranges that a dispenser holds and has not handed out. */
function heldBy({ allocation, position, isLine }: Dispenser): Range[] {
  if (!isLine || !(allocation instanceof Leased)) return [];
  return allocation.ranges.flatMap(({ local, first, count }) => {
    const used = position > local ? position - local : 0n;
    return used < count ? [{ first: first + used, count: count - used }] : [];
  });
}

/** Writes off a node: what it holds is wasted, and the node may not come back. Throws CannotStart. */
export async function forgetNode(store: LeaseStore, node: string): Promise<bigint> {
  const { version } = await store.read([]);
  const history = new MonotonicStore(store, version);
  const key = nodeKey(node);
  await history.transact([CLUSTER, NAMES, key], (rows) => {
    const record = readNode(rows.get(key));
    const goneAtAgeMs = readNames(rows.get(NAMES))?.ageMs ?? 0;
    if (record === undefined) throw new CannotStart(`the cluster has no node ${node}`);
    if (record.state === "left") throw new CannotStart(`node ${node} has left the cluster`);
    const off: NodeRecord = { ...record, state: "written off", goneAtAgeMs };
    const puts = new Map([[key, encode(off)]]);
    return { puts, result: undefined };
  });
  let numbers = 0n;
  const { rows } = await history.list("figure/");
  for (const usage of rows.keys()) {
    if (!usage.endsWith(`/${node}`)) continue;
    numbers += await history.transact([usage], (found) => {
      const record = readUsage(found.get(usage))!;
      const puts = new Map([[usage, encodeUsage({ ...record, held: 0n })]]);
      return { puts, result: record.held };
    });
  }
  return numbers;
}

/**
 * Moves all lines ahead by `margin` and accepts the store as it is. Answers how many lines there are. The epoch is
 * the time of day, `wallClockMs`, so that a later epoch is higher even if the store forgot the one before.
 */
export async function advanceHistory(
  store: LeaseStore,
  margin: bigint,
  wallClockMs: number,
): Promise<number> {
  const { version } = await store.read([]);
  const history = new MonotonicStore(store, version, realClock, true);
  // The mark stops all leasing until the epoch begins.
  await changeCluster(store, history, (cluster) => ({
    ...cluster,
    mark: cluster.mark ?? "'number-dispenser cluster advance' did not end: run it again",
  }));
  const { rows } = await history.list("line/");
  const keys = [...rows.keys()];
  for (let from = 0; from < keys.length; from += LINES_AT_ONCE) {
    const some = keys.slice(from, from + LINES_AT_ONCE);
    await history.transact(some, (found) => {
      const puts = new Map<string, string>();
      for (const key of some) {
        const line = readLine(found.get(key))!;
        // A returned range may have been leased again in a write that the store forgot.
        const ahead: LineRecord = { ...line, next: line.next + margin, returned: [] };
        puts.set(key, encode(ahead));
      }
      return { puts, result: undefined };
    });
  }
  await moveDeletedAhead(history, margin);
  await history.transact([CLUSTER, NAMES], (found) => {
    // Nodes may have lines that the store forgot: no other line may get their ids.
    const names = readNames(found.get(NAMES));
    const lastLine = (names?.lastLine ?? 0) + IDS_SKIPPED;
    return { puts: new Map([[NAMES, encode({ ...names, lastLine })]]), result: undefined };
  });
  await changeCluster(store, history, ({ mark, isFounding, ...cluster }) => ({
    ...cluster,
    epoch: Math.max(cluster.epoch + 1, wallClockMs),
    identity: version.identity,
    timeline: version.timeline,
    term: version.term,
  }));
  return keys.length;
}

/** Moves deleted lines ahead as well: they may have handed out numbers in writes that the store forgot. */
async function moveDeletedAhead(history: MonotonicStore, margin: bigint): Promise<void> {
  const { rows } = await history.list(NAME_PREFIX);
  const keys = [...rows].flatMap(([key, row]) => (readName(row)!.before?.length ? [key] : []));
  for (let from = 0; from < keys.length; from += LINES_AT_ONCE) {
    const some = keys.slice(from, from + LINES_AT_ONCE);
    await history.transact(some, (found) => {
      const puts = new Map<string, string>();
      for (const key of some) {
        const record = readName(found.get(key))!;
        const before = record.before!.map((line) => ({ ...line, next: line.next + margin }));
        puts.set(key, encode({ ...record, before } satisfies NameRecord));
      }
      return { puts, result: undefined };
    });
  }
}

async function changeCluster(
  { title }: LeaseStore,
  history: MonotonicStore,
  change: (cluster: ClusterRecord) => ClusterRecord,
): Promise<void> {
  await history.transact([CLUSTER], (rows) => {
    const cluster = readCluster(rows.get(CLUSTER));
    if (cluster === undefined) throw new CannotStart(`the store ${title} has no cluster`);
    return { puts: new Map([[CLUSTER, encode(change(cluster))]]), result: undefined };
  });
}

/** The cluster's nodes, by name. */
export async function nodesOf(store: LeaseStore): Promise<ReadonlyMap<string, NodeRecord>> {
  const { rows } = await store.list(NODE_PREFIX);
  return new Map([...rows].map(([key, row]) => [key.slice(NODE_PREFIX.length), readNode(row)!]));
}
