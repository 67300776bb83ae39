/** How a node hands back what it holds, and leaves its cluster. No server runs on its folder. */

import { Leased, type Range } from "../../dispenser/allocation.ts";
import type { Dispenser } from "../../dispenser/dispenser.ts";
import type { NodeState, StoredNodeState } from "../node/state.ts";
import type { FencedStore } from "../stores/fenced.ts";
import {
  encode,
  encodeUsage,
  type LineRecord,
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

/** So many stretches of a line that were handed back are kept; the smallest are wasted. */
const RETURNED_MAX = 64;

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
function heldBy({ allocation, position, hasPositions }: Dispenser): Range[] {
  if (!hasPositions || !(allocation instanceof Leased)) return [];
  return allocation.ranges.flatMap(({ local, first, count }) => {
    const used = position > local ? position - local : 0n;
    return used < count ? [{ first: first + used, count: count - used }] : [];
  });
}
