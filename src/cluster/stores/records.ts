/**
 * What stands in the rows of the shared store, by their keys.
 *
 * | key | what |
 * | --- | --- |
 * | cluster | which cluster this is, which history of the store its nodes go by, and whether that is in doubt |
 * | roll | the last roll call: each member answers it in its own row |
 * | names | the last id a line got; written with every change of a name, so that nodes see one by it |
 * | name/NAME | the line that has the name, and its definition; stays when it is deleted |
 * | deleted/ID | a line that was deleted, by its id: the rows of it that may be removed one day |
 * | line/ID | how far the line is leased, and what was handed back of it |
 * | node/NODE | a node: its last start, and the last write it made |
 * | figure/ID/NODE | what a node did with a line, as it last said |
 */

import type { Range } from "../../dispenser/allocation.ts";
import { toText } from "../../dispenser/name.ts";
import { LeaseStoreUnavailable, type Row } from "./store.ts";

/**
 * What a program of this level understands in the store. A node writes its level into its row, and nothing is
 * written that a member of a lower one does not know. Level 1 wrote none.
 */
export const LEVEL = 2;

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
  /** Rises when an operator takes a changed history for good (`cluster advance`). */
  readonly epoch: number;
  /** The store's own, as it was then. */
  readonly identity: string;
  readonly timeline: string;
  /** The run of the store in which even nodes that it may have forgotten had time to object. */
  readonly term?: string;
  /** The least level of the programs that may enter; 1 by default. */
  readonly level?: number;
  /** It is being founded: whoever knows better can still object. */
  readonly isFounding?: boolean;
  /** Why the store is known to have gone back in time; only a higher epoch clears it. */
  readonly mark?: string;
}

export interface RollRecord {
  /** Counts the roll calls. */
  readonly call: number;
}

export interface NamesRecord {
  readonly lastLine: number;
  /**
   * Deleted names whose last change was up to this revision may be removed: a node that knows less than it looks
   * at all names that there are.
   */
  readonly purgedTo?: string;
  /** Nodes that were written off, and that no folder before this revision can know of, may be removed. */
  readonly nodesPurgedTo?: string;
  /**
   * How old the cluster is, in milliseconds. No node moves it further than it ran itself since it last did, so a
   * wrong clock makes nothing old; and the time of day when that was last done.
   */
  readonly ageMs?: number;
  readonly agedAtMs?: number;
  /** At which age it was last looked for rows to remove. */
  readonly purgedAtAgeMs?: number;
}

export interface NameRecord {
  readonly line: number;
  readonly isDeleted: boolean;
  /** The fields of HSET, all of them. */
  readonly fields: Readonly<Record<string, string>>;
  /** Positions below it are skipped, by ADVANCE: nodes hear of it here. */
  readonly floor: bigint;
  /** Lines that had the name before, and whose numbers are in use; none by default. */
  readonly before?: readonly DeletedLineRecord[];
}

/** How far a line was leased when it was deleted. */
export interface DeletedLineRecord {
  readonly line: number;
  readonly fields: Readonly<Record<string, string>>;
  readonly next: bigint;
}

export interface DeletedRecord {
  readonly name: string;
  /** How old the cluster was then. */
  readonly atAgeMs: number;
}

export interface LineRecord {
  readonly isDeleted: boolean;
  /** Where the next lease begins: everything below was leased. */
  readonly next: bigint;
  /** Handed back by nodes that left. */
  readonly returned: readonly Range[];
  /** Nothing below it may be leased. */
  readonly floor: bigint;
}

export const NEW_LINE: LineRecord = { isDeleted: false, next: 0n, returned: [], floor: 0n };

/** One write of a node: no other of its writes has either. */
export interface Stamp {
  readonly sequence: number;
  readonly nonce: string;
}

/** A node's own row, written anew with everything that the node writes: it shows the last of it. */
export interface NodeRecord extends Stamp {
  /** How often the node was started. */
  readonly generation: number;
  /** The last roll call it answered. */
  readonly answered: number;
  readonly host: string;
  readonly state: "member" | "left" | "written off";
  /** How old the cluster was when it stopped being a member. */
  readonly goneAtAgeMs?: number;
  /** The version of its program, and that program's LEVEL. */
  readonly version: string;
  readonly level: number;
}

/** A row as nodes of level 1 wrote it: a start had a token, and the leases since it were counted. */
interface NodeRecordLevel1 {
  readonly generation: number;
  readonly token: string;
  readonly isConfirmed: boolean;
  readonly sequence: number;
  readonly host: string;
  readonly state: NodeRecord["state"];
}

/** What stands for the nonce of a write of level 1. */
export const nonceOfLevel1 = (token: string, sequence: number, isConfirmed: boolean): string =>
  [token, sequence, isConfirmed ? "confirmed" : "intended"].join(" ");

/** Of the numbers leased, those neither generated nor held are wasted, the lost ones among them. */
export interface UsageRecord {
  readonly leased: bigint;
  /** Leased, but the node did not hear of it, and never hands them out. */
  readonly lost: bigint;
  readonly generated: bigint;
  readonly held: bigint;
}

/** What UsageRecord.lost is called in the rows, where programs of level 1 read it, too. */
const STORED_LOST = "burnt";

/** Fields that are BigInt, which JSON has not: they stand as text. */
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
    throw new LeaseStoreUnavailable(`a row is damaged: ${row.value.slice(0, 100)}`);
  }
}

export const readCluster = (row?: Row) => decode<ClusterRecord>(row);
export const readNames = (row?: Row) => decode<NamesRecord>(row);
/** The record of all names, among the rows that were read. */
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
