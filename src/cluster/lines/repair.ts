/** Tells a lease store that went back in time what it forgot, as far as this node knows. */

import { inBatches } from "../../base/batches.ts";
import { Leased } from "../../dispenser/allocation.ts";
import type { Dispenser } from "../../dispenser/dispenser.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Membership, NodeState } from "../node/state.ts";
import type { FencedStore } from "../stores/fenced.ts";
import {
  encode,
  type LineRecord,
  lineKey,
  NAMES,
  type NameRecord,
  NEW_LINE,
  nameKey,
  namesIn,
  readLine,
  readName,
} from "../stores/records.ts";
import { LINES_AT_ONCE, type Snapshot } from "../stores/store.ts";
import { counterOf, withCounter } from "./counters.ts";
import { fieldsIn } from "./deleted.ts";

/**
 * Writes the lines that this node knows, and how far they were leased. To be called after `cluster
 * advance`.
 */
export async function repair(
  store: FencedStore,
  engine: Engine,
  { membership }: NodeState,
): Promise<void> {
  for (const some of inBatches([...engine.all()], LINES_AT_ONCE)) {
    const keys = some.flatMap(({ name, id }) => [nameKey(name), lineKey(id)]);
    const work = (rows: Snapshot["rows"]) => {
      const puts = new Map<string, string>();
      for (const dispenser of some) repairLine(dispenser, membership, rows, puts);
      const lastLine = Math.max(namesIn(rows).lastLine, engine.lastId);
      if (lastLine > namesIn(rows).lastLine || puts.size > 0)
        puts.set(NAMES, encode({ ...namesIn(rows), lastLine }));
      return { puts, result: undefined };
    };
    await store.transact([NAMES, ...keys], work, true);
  }
}

function repairLine(
  { name, id, definition, allocation }: Dispenser,
  { namesRevision }: Membership,
  rows: Snapshot["rows"],
  puts: Map<string, string>,
): void {
  const known = readName(rows.get(nameKey(name)));
  const { purgedTo = "0" } = namesIn(rows);
  // The line was deleted, and its row removed, while this node was away.
  const isPurged = BigInt(namesRevision) < BigInt(purgedTo);
  if (known === undefined && isPurged) return;
  if (known === undefined) {
    const fields = fieldsIn(definition);
    puts.set(
      nameKey(name),
      encode({ line: id, isDeleted: false, fields, floor: 0n } satisfies NameRecord),
    );
  } else if (known.line !== id) return;
  const line = readLine(rows.get(lineKey(id)));
  const ends = allocation instanceof Leased ? allocation.ends : [];
  let repaired: LineRecord = line ?? NEW_LINE;
  for (const { period, end } of ends) {
    const counter = counterOf(repaired, definition, period);
    if (counter !== undefined && counter.next < end) {
      repaired = withCounter(repaired, definition, period, { ...counter, next: end });
    }
  }
  if (definition.hasPeriods && ends.length > 0 && repaired.margin === undefined) {
    // The store knew nothing of the line, so nobody knows what was leased of earlier periods.
    const since = Math.max(repaired.since ?? 0, allocation.period);
    if (since !== repaired.since) repaired = { ...repaired, since };
  }
  if (repaired !== line) puts.set(lineKey(id), encode(repaired));
}
