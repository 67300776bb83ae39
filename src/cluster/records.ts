/**
 * What stands in the rows of the shared store, by their keys.
 *
 * | key | what |
 * | --- | --- |
 * | cluster | which cluster this is, and which history of the store its nodes go by |
 * | names | the last id a line got; written with every change of a name, so that nodes see one by it |
 * | name/NAME | the line that has the name, and its definition; stays when it is deleted |
 * | line/ID | how far the line is leased, and what was handed back of it |
 * | node/NODE | a node: its generation, and how often it leased |
 * | figure/ID/NODE | what a node did with a line, as it last said |
 */

import { toText } from "../dispenser/name.ts";
import { type Row, StoreUnavailable } from "../store/shared.ts";

export const CLUSTER = "cluster";
export const NAMES = "names";
export const NAME_PREFIX = "name/";
export const NODE_PREFIX = "node/";

export const nameKey = (name: string): string => NAME_PREFIX + toText(name);
export const lineKey = (line: number): string => `line/${line}`;
export const nodeKey = (node: string): string => NODE_PREFIX + node;
export const figurePrefix = (line: number): string => `figure/${line}/`;
export const figureKey = (line: number, node: string): string => figurePrefix(line) + node;

export interface ClusterRecord {
  readonly id: string;
  /** Rises when an operator takes a changed history for good (`cluster advance`). */
  readonly epoch: number;
  /** The store's own, as it was then. */
  readonly identity: string;
  readonly timeline: string;
}

export interface NamesRecord {
  readonly lastLine: number;
}

export interface NameRecord {
  readonly line: number;
  readonly isDeleted: boolean;
  /** The fields of HSET, all of them. */
  readonly fields: Readonly<Record<string, string>>;
  /** Positions below it are skipped, by ADVANCE: nodes hear of it here. */
  readonly floor: bigint;
}

/** A part of a line. */
export interface Stretch {
  readonly first: bigint;
  readonly count: bigint;
}

export interface LineRecord {
  readonly isDeleted: boolean;
  /** Where the next lease begins: everything below was leased. */
  readonly next: bigint;
  /** Handed back by nodes that left. */
  readonly returned: readonly Stretch[];
  /** Nothing below it may be leased. */
  readonly floor: bigint;
}

export interface NodeRecord {
  /** How often it was started. */
  readonly generation: number;
  /** Of the last start: who made it is who knows it. */
  readonly token: string;
  /** Whether the node wrote that start down: a folder that does not know of it is an older copy. */
  readonly isConfirmed: boolean;
  /** How many leases it wrote. */
  readonly sequence: number;
  readonly host: string;
  readonly state: "member" | "left" | "written off";
}

/** Of the numbers leased, those neither generated nor held are wasted, the burnt ones among them. */
export interface FigureRecord {
  readonly leased: bigint;
  /** Leased, but the node did not hear of it, and never hands them out. */
  readonly burnt: bigint;
  readonly generated: bigint;
  readonly held: bigint;
}

/** Fields that are BigInt, which JSON has not: they stand as text. */
const EXACT = ["floor", "next", "first", "count", "leased", "burnt", "generated", "held"];

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
    throw new StoreUnavailable(`a row is damaged: ${row.value.slice(0, 100)}`);
  }
}

export const readCluster = (row?: Row) => decode<ClusterRecord>(row);
export const readNames = (row?: Row) => decode<NamesRecord>(row);
export const readName = (row?: Row) => decode<NameRecord>(row);
export const readLine = (row?: Row) => decode<LineRecord>(row);
export const readNode = (row?: Row) => decode<NodeRecord>(row);
export const readFigure = (row?: Row) => decode<FigureRecord>(row);
