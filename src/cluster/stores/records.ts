/**
 * What the rows of the lease store contain, by their keys.
 *
 * | key | content |
 * | --- | --- |
 * | cluster | which cluster this is, which history of the store its nodes accept, and whether that is in doubt |
 * | roll | the last roll call: each member answers it in its own row |
 * | names | the id of the newest line; written with every change of a name, so that nodes notice the change by it |
 * | name/NAME | the line that has the name, and its definition; stays when the line is deleted |
 * | deleted/ID | a deleted line, by its id: the rows that can be removed once it is old enough |
 * | line/ID | how far the line is leased, and the ranges that nodes returned |
 * | node/NODE | a node: its last start and its last write |
 * | figure/ID/NODE | a node's usage of a line, as it last reported |
 */

import type { Range } from "../../dispenser/allocation.ts";
import { toText } from "../../dispenser/name.ts";
import { LeaseStoreUnavailable, type Row } from "./store.ts";

/**
 * What this program understands in the store. A node writes its level into its row, and nothing is
 * written that a member of a lower level does not know. Programs of level 1 wrote no level.
 */
export const LEVEL = 4;

export const CLUSTER = "cluster";
export const ROLL = "roll";
export const NAMES = "names";
export const NAME_PREFIX = "name/";
export const LINE_PREFIX = "line/";
export const NODE_PREFIX = "node/";
export const USAGE_PREFIX = "figure/";
export const DELETED_PREFIX = "deleted/";

export const nameKey = (name: string): string => NAME_PREFIX + toText(name);
export const lineKey = (line: number): string => LINE_PREFIX + line;
export const deletedKey = (line: number): string => DELETED_PREFIX + line;
export const nodeKey = (node: string): string => NODE_PREFIX + node;
export const usagePrefix = (line: number): string => `${USAGE_PREFIX}${line}/`;
export const usageKey = (line: number, node: string): string => usagePrefix(line) + node;

export interface ClusterRecord {
  readonly id: string;
  /** Rises when an operator accepts the store as it is (`cluster advance`). */
  readonly epoch: number;
  /** The store's identity and timeline when that was last confirmed. */
  readonly identity: string;
  readonly timeline: string;
  /** The term in which even nodes that the store may have forgotten had time to object. */
  readonly term?: string;
  /** The lowest level of a program that may enter; 1 by default. */
  readonly level?: number;
  /** The cluster is being founded: nodes that know of an older one can still object. */
  readonly isFounding?: boolean;
  /** Why the store is known to have gone back in time; only a higher epoch clears it. */
  readonly mark?: string;
}

export interface RollRecord {
  /** The number of the last roll call. */
  readonly call: number;
}

export interface NamesRecord {
  readonly lastLine: number;
  /**
   * Rows of deleted names last changed at or before this revision may be gone: a node that has not
   * read so far reads all names anew.
   */
  readonly purgedTo?: string;
  /**
   * A folder that last saw a revision below this may find its node's row gone: the node is no
   * member any more.
   */
  readonly nodesPurgedTo?: string;
  /**
   * The age of the cluster, in milliseconds, and the time of day when it was last raised. No node
   * raises it by more than it has run since it last did, so a wrong clock makes nothing old.
   */
  readonly ageMs?: number;
  readonly agedAtMs?: number;
  /** The age at which a node last looked for rows to remove. */
  readonly purgedAtAgeMs?: number;
}

export interface PeriodFloor {
  readonly period: number;
  readonly floor: bigint;
}

export interface NameRecord {
  readonly line: number;
  readonly isDeleted: boolean;
  /** The fields of HSET, all of them. */
  readonly fields: Readonly<Record<string, string>>;
  /** ADVANCE skipped the positions below; nodes learn of it by this row. */
  readonly floor: bigint;
  /** The same for the latest periods in which it did so, of a line with periods. */
  readonly floors?: readonly PeriodFloor[];
  /** Deleted lines that had the name before and whose numbers are in use; none by default. */
  readonly before?: readonly DeletedLineRecord[];
}

/** How far a line was leased when it was deleted. */
export interface DeletedLineRecord extends Counters {
  readonly line: number;
  readonly fields: Readonly<Record<string, string>>;
  readonly next: bigint;
}

export interface DeletedRecord {
  readonly name: string;
  /** The age of the cluster at the deletion. */
  readonly atAgeMs: number;
}

/** How far numbers were leased. */
export interface Counter {
  /** Where the next lease begins: everything below was leased. */
  readonly next: bigint;
  /** Ranges that nodes returned when they left. */
  readonly returned: readonly Range[];
  /** Nothing below it may be leased. */
  readonly floor: bigint;
}

export interface PeriodCounter extends Counter {
  readonly period: number;
}

/** What a line with periods has beside: a counter for each of them. */
export interface Counters {
  /** In their order, the latest alone. */
  readonly periods?: readonly PeriodCounter[];
  /** No earlier period is leased any more. */
  readonly since?: number;
  /**
   * `cluster advance` skipped so many numbers of each period that has no counter, and had begun at
   * this Unix time in milliseconds.
   */
  readonly margin?: { readonly count: bigint; readonly atMs: number };
}

export interface LineRecord extends Counter, Counters {
  readonly isDeleted: boolean;
}

export const NEW_LINE: LineRecord = { isDeleted: false, next: 0n, returned: [], floor: 0n };

/** Names one write of a node: each of its writes has another sequence and another nonce. */
export interface Stamp {
  readonly sequence: number;
  readonly nonce: string;
}

/**
 * A node's own row. The node writes it anew with everything it writes, so it shows the node's last
 * write.
 */
export interface NodeRecord extends Stamp {
  /** How often the node was started. */
  readonly generation: number;
  /** The last roll call that the node answered. */
  readonly answered: number;
  readonly host: string;
  readonly state: "member" | "left" | "written off";
  /** The age of the cluster when the node stopped being a member. */
  readonly goneAtAgeMs?: number;
  /** The version and the LEVEL of its program. */
  readonly version: string;
  readonly level: number;
  /** The addresses that it listens on; missing before it does, and from older programs. */
  readonly addresses?: readonly string[];
  /**
   * The Unix time of this write by the clock of the node's machine, in milliseconds; missing from
   * older programs.
   */
  readonly writtenAtMs?: number;
}

/**
 * A node's row as level 1 wrote it: each start had a token, and the leases since then were counted.
 */
interface NodeRecordLevel1 {
  readonly generation: number;
  readonly token: string;
  readonly isConfirmed: boolean;
  readonly sequence: number;
  readonly host: string;
  readonly state: NodeRecord["state"];
}

/** The nonce that a write of level 1 gets. */
export const nonceOfLevel1 = (token: string, sequence: number, isConfirmed: boolean): string =>
  [token, sequence, isConfirmed ? "confirmed" : "intended"].join(" ");

/** Leased numbers that are neither generated nor held are wasted; the lost ones are among them. */
export interface UsageRecord {
  readonly leased: bigint;
  /** Leased numbers that never reached the node, so that it never hands them out. */
  readonly lost: bigint;
  readonly generated: bigint;
  readonly held: bigint;
}

/** The name of UsageRecord.lost in the rows, where programs of level 1 read it as well. */
const STORED_LOST = "burnt";

/** Fields of type BigInt, which JSON lacks: the rows have them as text. */
const EXACT = ["floor", "next", "first", "count", "leased", STORED_LOST, "generated", "held"];

export function encode(record: object): string {
  return JSON.stringify(record, (_, value: unknown) =>
    typeof value === "bigint" ? value.toString() : value,
  );
}

function decode<T>(row: Row | undefined): T | undefined {
  if (row === undefined) return undefined;
  try {
    return JSON.parse(row.value, (key, value: unknown) =>
      EXACT.includes(key) ? BigInt(value as string) : value,
    ) as T;
  } catch {
    // A row of a name has the key of its codes.
    const shown = row.value.replace(/[0-9a-f]{8,}/gi, "...").slice(0, 100);
    throw new LeaseStoreUnavailable(`a row is damaged: ${shown}`);
  }
}

export const readCluster = (row?: Row) => decode<ClusterRecord>(row);
export const readNames = (row?: Row) => decode<NamesRecord>(row);
/** The record of the names' row among the rows that were read. */
export const namesIn = (rows: ReadonlyMap<string, Row>): NamesRecord =>
  readNames(rows.get(NAMES)) ?? { lastLine: 0 };

export const readName = (row?: Row) => decode<NameRecord>(row);
export const readDeleted = (row?: Row) => decode<DeletedRecord>(row);
export const readLine = (row?: Row) => decode<LineRecord>(row);
export const readRoll = (row?: Row) => decode<RollRecord>(row);

export function readNode(row?: Row): NodeRecord | undefined {
  const record = decode<NodeRecord | NodeRecordLevel1>(row);
  if (record === undefined || "nonce" in record) return record;
  const { token, isConfirmed, ...rest } = record;
  const nonce = nonceOfLevel1(token, rest.sequence, isConfirmed);
  return { ...rest, nonce, answered: 0, version: "", level: 1 };
}

export function readUsage(row?: Row): UsageRecord | undefined {
  const stored = decode<Readonly<Record<string, bigint>>>(row);
  if (stored === undefined) return undefined;
  const { leased, generated, held } = stored;
  return { leased, lost: stored[STORED_LOST], generated, held } as UsageRecord;
}

export function encodeUsage({ leased, lost, generated, held }: UsageRecord): string {
  return encode({ leased, [STORED_LOST]: lost, generated, held });
}
