/**
 * What programs of several versions know: nothing is written that a member does not know, and once
 * it is written no program that does not know it may enter (cluster/stores/records.ts, LEVEL).
 */

import { CLUSTER, encode, NODE_PREFIX, readCluster, readNode } from "../stores/records.ts";
import type { Row, Snapshot } from "../stores/store.ts";

/** The part of a store in which members are looked up. */
interface MemberRows {
  list(prefix: string): Promise<Pick<Snapshot, "rows">>;
}

/** A member whose program is of a lower level; undefined if there is none. */
export async function olderMember(store: MemberRows, level: number): Promise<string | undefined> {
  const { rows } = await store.list(NODE_PREFIX);
  const older = [...rows].find(([, row]) => {
    const record = readNode(row)!;
    return record.state === "member" && record.level < level;
  });
  return older?.[0].slice(NODE_PREFIX.length);
}

/**
 * From now on programs of a lower level may not enter the cluster, whose row is among `rows`. Every
 * program knows level 1.
 */
export function requireLevel(
  level: number,
  rows: ReadonlyMap<string, Row>,
  puts: Map<string, string>,
): void {
  const cluster = readCluster(rows.get(CLUSTER))!;
  if ((cluster.level ?? 1) < level) puts.set(CLUSTER, encode({ ...cluster, level }));
}
