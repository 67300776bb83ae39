/**
 * What an operator does with a cluster's store and no data folder: writes off a lost node (`cluster
 * forget`), accepts a store that went back in time as it is (`cluster advance`).
 */

import { inBatches } from "../../base/batches.ts";
import { CannotStart } from "../../base/errors.ts";
import { countersIn, movedAhead } from "../lines/counters.ts";
import { MonotonicStore, realClock } from "../stores/monotonic.ts";
import {
  CLUSTER,
  type ClusterRecord,
  encode,
  encodeUsage,
  LINE_PREFIX,
  NAME_PREFIX,
  NAMES,
  type NameRecord,
  NEW_LINE,
  type NodeRecord,
  nodeKey,
  readCluster,
  readLine,
  readName,
  readNames,
  readNode,
  readUsage,
  USAGE_PREFIX,
} from "../stores/records.ts";
import { type LeaseStore, LINES_AT_ONCE, type Row } from "../stores/store.ts";

/** The most new lines that a store that went back can have forgotten. */
const IDS_SKIPPED = 1_000_000;

/**
 * Writes off a node: what it holds is wasted, and the node may not come back. Throws CannotStart.
 */
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
  const { rows } = await history.list(USAGE_PREFIX);
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
 * Moves all lines ahead by `margin` and accepts the store as it is. Answers how many lines there
 * are. The epoch is the time of day, `wallClockMs`, so that a later epoch is higher even if the
 * store forgot the one before.
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
  const { rows } = await history.list(LINE_PREFIX);
  await rewrite([...rows.keys()], history, (row) => {
    const line = readLine(row)!;
    // A returned range may have been leased again in a write that the store forgot.
    return movedAhead(line, margin, wallClockMs);
  });
  await moveDeletedAhead(history, margin, wallClockMs);
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
  return rows.size;
}

/**
 * Moves deleted lines ahead as well: they may have handed out numbers in writes that the store
 * forgot.
 */
async function moveDeletedAhead(
  history: MonotonicStore,
  margin: bigint,
  wallClockMs: number,
): Promise<void> {
  const { rows } = await history.list(NAME_PREFIX);
  const keys = [...rows].flatMap(([key, row]) => (readName(row)!.before?.length ? [key] : []));
  await rewrite(keys, history, (row) => {
    const record = readName(row)!;
    const before = record.before!.map(({ line, fields, ...leased }) => {
      const moved = movedAhead({ ...NEW_LINE, ...leased }, margin, wallClockMs);
      return { line, fields, next: moved.next, ...countersIn(moved) };
    });
    return { ...record, before } satisfies NameRecord;
  });
}

/** Changes each of these rows, a batch at a time. */
async function rewrite(
  keys: readonly string[],
  history: MonotonicStore,
  change: (row: Row | undefined) => object,
): Promise<void> {
  for (const some of inBatches(keys, LINES_AT_ONCE)) {
    await history.transact(some, (rows) => {
      const puts = new Map(some.map((key) => [key, encode(change(rows.get(key)))]));
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
