/**
 * What an operator does with a cluster: takes a node out of it, writes off one that is lost, takes a store
 * that went back in time for good. How a node's own lines come into it is in moving-in.ts. No server runs
 * on the folders that this works on.
 */

import { inBatches } from "../../base/batches.ts";
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
import { type LeaseStore, LINES_AT_ONCE, type Row } from "../stores/store.ts";

/** A data folder whose server is stopped. */
export interface Folder {
  readonly engine: Engine;
  readonly store: Store;
  /** All that the engine knows was written anew: commits that, and lets go of the folder. */
  readonly replaced: () => void;
}

/** So many stretches of a line that were handed back are kept; the smallest are wasted. */
const RETURNED_MAX = 64;
/** A store that went back forgot at most so many new lines. */
const IDS_SKIPPED = 1_000_000;

/**
 * Hands what a node holds back and takes it out of the cluster: the folder is empty then. Answers how many
 * numbers went back. The node has entered the cluster just now.
 */
export async function handBack(
  { engine, store, replaced }: Folder,
  fenced: FencedStore,
  memory: NodeState,
): Promise<bigint> {
  const { node } = memory.membership;
  const left = [...engine.all()].map((dispenser) => ({
    dispenser,
    stretches: heldBy(dispenser),
  }));
  // First here: a folder that still had them could hand them out as well as who gets them.
  for (const { dispenser } of left) store.stage({ kind: "remove", id: dispenser.id });
  store.stage({ kind: "node", state: JSON.stringify({} satisfies StoredNodeState) });
  replaced();
  memory.detach();
  const held = left.filter(({ stretches }) => stretches.length > 0);
  let numbers = 0n;
  for (const { dispenser, stretches } of held) {
    numbers += await handBackLine(dispenser, stretches, fenced, node);
  }
  const leave = (rows: ReadonlyMap<string, Row>) => {
    const goneAtAgeMs = readNames(rows.get(NAMES))?.ageMs ?? 0;
    const own = { state: "left", goneAtAgeMs } as const;
    return { puts: new Map<string, string>(), result: undefined, own };
  };
  await fenced.transact([], leave, true);
  return numbers;
}

async function handBackLine(
  { id }: Dispenser,
  stretches: readonly Range[],
  fenced: FencedStore,
  node: string,
): Promise<bigint> {
  const [key, figure] = [lineKey(id), usageKey(id, node)];
  const work = (rows: ReadonlyMap<string, Row>) => {
    const line = readLine(rows.get(key));
    const before = readUsage(rows.get(figure));
    if (line === undefined || line.isDeleted || before === undefined) {
      return { puts: new Map<string, string>(), result: 0n };
    }
    // The node may not have heard that the line was moved on: what lies below is lost.
    const given = stretches.filter(({ first }) => first >= line.floor);
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
      [figure, encodeUsage(after)],
    ]);
    return { puts, result: numbers };
  };
  return fenced.transact([key, figure], work, true);
}

/** What a dispenser has of its line and has not handed out. */
function heldBy({ allocation, position, isLine }: Dispenser): Range[] {
  if (!isLine || !(allocation instanceof Leased)) return [];
  return allocation.ranges.flatMap(({ local, first, count }) => {
    const used = position > local ? position - local : 0n;
    return used < count ? [{ first: first + used, count: count - used }] : [];
  });
}

/** Writes off what a node holds: it is wasted, and the node may not come back. Throws CannotStart. */
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
  for (const figure of rows.keys()) {
    if (!figure.endsWith(`/${node}`)) continue;
    numbers += await history.transact([figure], (found) => {
      const record = readUsage(found.get(figure))!;
      const puts = new Map([[figure, encodeUsage({ ...record, held: 0n })]]);
      return { puts, result: record.held };
    });
  }
  return numbers;
}

/**
 * Moves all lines ahead and takes the store, as it is, for good. Answers how many lines there are.
 * `wallClockMs` is the time of day: a later epoch is higher, even if the store forgot the one before.
 */
export async function advanceHistory(
  store: LeaseStore,
  margin: bigint,
  wallClockMs: number,
): Promise<number> {
  const { version } = await store.read([]);
  const history = new MonotonicStore(store, version, realClock, true);
  // Nothing is leased any more from here on, until the epoch begins.
  await changeCluster(store, history, (cluster) => ({
    ...cluster,
    mark: cluster.mark ?? "'number-dispenser cluster advance' did not end: run it again",
  }));
  const { rows } = await history.list("line/");
  const keys = [...rows.keys()];
  for (const some of inBatches(keys, LINES_AT_ONCE)) {
    await history.transact(some, (found) => {
      const puts = new Map<string, string>();
      for (const key of some) {
        const line = readLine(found.get(key))!;
        // What was handed back may have been leased in what the store forgot.
        const ahead: LineRecord = { ...line, next: line.next + margin, returned: [] };
        puts.set(key, encode(ahead));
      }
      return { puts, result: undefined };
    });
  }
  await moveDeletedAhead(history, margin);
  await history.transact([CLUSTER, NAMES], (found) => {
    // Nodes may have lines that the store forgot: no other gets their ids.
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

/** Lines that were deleted may have gone on in what the store forgot. */
async function moveDeletedAhead(history: MonotonicStore, margin: bigint): Promise<void> {
  const { rows } = await history.list(NAME_PREFIX);
  const keys = [...rows].flatMap(([key, row]) => (readName(row)!.before?.length ? [key] : []));
  for (const some of inBatches(keys, LINES_AT_ONCE)) {
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
