/**
 * `cluster leave`: a node returns the ranges it holds and leaves its cluster. No server runs on its
 * folder.
 */

import { type LeaseAhead, Leased, type Range } from "../../dispenser/allocation.ts";
import type { Dispenser } from "../../dispenser/dispenser.ts";
import { counterOf, withCounter } from "../lines/counters.ts";
import type { NodeState, StoredNodeState } from "../node/state.ts";
import type { FencedStore } from "../stores/fenced.ts";
import {
  encode,
  encodeUsage,
  lineKey,
  NAMES,
  readLine,
  readNames,
  readUsage,
  type UsageRecord,
  usageKey,
} from "../stores/records.ts";
import type { Row } from "../stores/store.ts";
import type { Folder } from "./join.ts";

/** The most returned ranges that a line keeps; the smallest of more are wasted. */
const RETURNED_MAX = 64;

/**
 * Returns the ranges that a node holds and takes the node out of the cluster; its folder is empty
 * then. Answers how many numbers were returned. The node must just have entered the cluster.
 */
export async function returnLeases(
  { engine, store, replaced }: Folder,
  fenced: FencedStore,
  nodeState: NodeState,
): Promise<bigint> {
  const { node } = nodeState.membership;
  const left = [...engine.all()];
  // Removed from the folder first: otherwise this node and the next holder could both hand them
  // out.
  const held = left.flatMap(heldBy);
  for (const { id } of left) store.stage({ kind: "remove", id });
  store.stage({ kind: "node", state: JSON.stringify({} satisfies StoredNodeState) });
  replaced();
  nodeState.detach();
  let numbers = 0n;
  for (const each of held) numbers += await returnRanges(each, fenced, node);
  const leave = (rows: ReadonlyMap<string, Row>) => {
    const goneAtAgeMs = readNames(rows.get(NAMES))?.ageMs ?? 0;
    const own = { state: "left", goneAtAgeMs } as const;
    return { puts: new Map<string, string>(), result: undefined, own };
  };
  await fenced.transact([], leave, true);
  return numbers;
}

/** What a node holds of a line, in one period of it. */
interface Held {
  readonly dispenser: Dispenser;
  readonly period: number;
  readonly ranges: readonly Range[];
}

async function returnRanges(
  { dispenser: { id, definition }, period, ranges }: Held,
  fenced: FencedStore,
  node: string,
): Promise<bigint> {
  const [key, ofNode] = [lineKey(id), usageKey(id, node)];
  const work = (rows: ReadonlyMap<string, Row>) => {
    const line = readLine(rows.get(key));
    const before = readUsage(rows.get(ofNode));
    const counter = line && counterOf(line, definition, period);
    if (counter === undefined || line?.isDeleted !== false || before === undefined) {
      return { puts: new Map<string, string>(), result: 0n };
    }
    // The node may not know of an ADVANCE: ranges below the floor must not be leased again.
    const given = ranges.filter(({ first }) => first >= counter.floor);
    const bySize = [...counter.returned, ...given].sort((one, other) =>
      one.count < other.count ? 1 : -1,
    );
    const returned = bySize
      .slice(0, RETURNED_MAX)
      .sort((one, other) => (one.first < other.first ? -1 : 1));
    const numbers = given.reduce((sum, { count }) => sum + count, 0n);
    const after: UsageRecord = { ...before, leased: before.leased - numbers, held: 0n };
    const puts = new Map([
      [key, encode(withCounter(line, definition, period, { ...counter, returned }))],
      [ofNode, encodeUsage(after)],
    ]);
    return { puts, result: numbers };
  };
  return fenced.transact([key, ofNode], work, true);
}

/** What a dispenser holds and has not handed out. */
function heldBy(dispenser: Dispenser): Held[] {
  const { allocation, position, hasPositions } = dispenser;
  if (!hasPositions || !(allocation instanceof Leased)) return [];
  const { period, ahead } = allocation;
  const ranges = allocation.ranges.flatMap(({ local, first, count }) => {
    const used = position > local ? position - local : 0n;
    return used < count ? [{ first: first + used, count: count - used }] : [];
  });
  const present = { dispenser, period, ranges };
  const later =
    ahead === undefined ? [] : [{ dispenser, period: ahead.period, ranges: left(ahead) }];
  return [present, ...later].filter((each) => each.ranges.length > 0);
}

/** What is left of a lease ahead. */
function left({ first, count, from }: LeaseAhead): readonly Range[] {
  return from < first + count ? [{ first: from, count: first + count - from }] : [];
}
