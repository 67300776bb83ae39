/**
 * The nodes of a cluster as an operator sees them (`cluster nodes`, `cluster forget`), and whether
 * they are alive: by a roll call, which each living member answers in its own row as soon as it hears
 * of it. No clock of another machine takes part in that.
 */

import { ANSWERS_FROM_LEVEL, CONFIRM_MS, LOOK_MS } from "../node/roll-call.ts";
import type { Clock } from "../stores/monotonic.ts";
import {
  CLUSTER,
  encode,
  NODE_PREFIX,
  type NodeRecord,
  nodeKey,
  ROLL,
  type RollRecord,
  readCluster,
  readNode,
  readRoll,
  readUsage,
  USAGE_PREFIX,
} from "../stores/records.ts";
import { type LeaseStore, LeaseStoreUnavailable, type Row } from "../stores/store.ts";

/** How often the call is tried, if nodes call at the same time. */
const CALLS_MAX = 5;

/** What is known of whether a node is alive. */
export type Life =
  /** It answered the roll call. */
  | { readonly is: "alive"; readonly afterMs: number }
  /** It did not within CONFIRM_MS. */
  | { readonly is: "silent" }
  /** It could not be asked, for this reason. */
  | { readonly is: "unknown"; readonly reason: string }
  /** It is no member any more. */
  | { readonly is: "gone" };

/** A node, as it last wrote of itself. */
export interface Node {
  readonly name: string;
  readonly record: NodeRecord;
  readonly life: Life;
  /**
   * How many milliseconds ago it wrote its row, by the clock of its machine and that of this one;
   * undefined if its program is too old to write that. 0 for a clock that is ahead.
   */
  readonly wroteBeforeMs: number | undefined;
}

/** What a node holds of all lines, as it last reported. */
export interface Holdings {
  /** Leased numbers that it has not handed out. */
  readonly numbers: bigint;
  /** How many lines these are of. */
  readonly lines: number;
}

/** All nodes, by name; asks the members whether they are alive. Throws LeaseStoreUnavailable. */
export function nodesOf(store: LeaseStore, clock: Clock): Promise<readonly Node[]> {
  return asked(store, clock, async () => (await store.list(NODE_PREFIX)).rows);
}

/** One node; undefined if there is none of this name. Throws LeaseStoreUnavailable. */
export async function nodeOf(
  store: LeaseStore,
  clock: Clock,
  name: string,
): Promise<Node | undefined> {
  const read = async () => (await store.read([nodeKey(name)])).rows;
  return (await asked(store, clock, read))[0];
}

async function asked(
  store: LeaseStore,
  clock: Clock,
  read: () => Promise<ReadonlyMap<string, Row>>,
): Promise<readonly Node[]> {
  const members = [...recordsIn(await read()).values()].filter(isAsked);
  const call = members.length === 0 ? 0 : await callAll(store);
  const beganMs = clock.now();
  const answeredAfterMs = new Map<string, number>();
  for (;;) {
    const rows = recordsIn(await read());
    const sinceMs = clock.now() - beganMs;
    for (const [name, { answered }] of rows) {
      const isNews = typeof call === "number" && answered >= call && !answeredAfterMs.has(name);
      if (isNews) answeredAfterMs.set(name, sinceMs);
    }
    const isOver =
      typeof call === "string" ||
      sinceMs >= CONFIRM_MS ||
      [...rows].every(([name, record]) => !isAsked(record) || answeredAfterMs.has(name));
    if (!isOver) await clock.sleep(LOOK_MS);
    else
      return [...rows].map(([name, record]) => nodeIn(name, record, call, answeredAfterMs, clock));
  }
}

function nodeIn(
  name: string,
  record: NodeRecord,
  call: number | string,
  answeredAfterMs: ReadonlyMap<string, number>,
  clock: Clock,
): Node {
  const { writtenAtMs } = record;
  const wroteBeforeMs =
    writtenAtMs === undefined ? undefined : Math.max(0, clock.wallMs() - writtenAtMs);
  const life = lifeOf(record, call, answeredAfterMs.get(name));
  return { name, record, life, wroteBeforeMs };
}

function lifeOf(record: NodeRecord, call: number | string, afterMs: number | undefined): Life {
  if (record.state !== "member") return { is: "gone" };
  if (typeof call === "string") return { is: "unknown", reason: call };
  if (!isAsked(record)) return { is: "unknown", reason: "its version answers no roll call" };
  return afterMs === undefined ? { is: "silent" } : { is: "alive", afterMs };
}

const isAsked = ({ state, level }: NodeRecord) => state === "member" && level >= ANSWERS_FROM_LEVEL;

const recordsIn = (rows: ReadonlyMap<string, Row>) =>
  new Map([...rows].map(([key, row]) => [key.slice(NODE_PREFIX.length), readNode(row)!]));

/** Calls the roll. Answers the number of the call, or why no member can answer one. */
async function callAll(store: LeaseStore): Promise<number | string> {
  try {
    for (let tries = 0; tries < CALLS_MAX; tries++) {
      const { rows } = await store.read([CLUSTER, ROLL]);
      const { mark } = readCluster(rows.get(CLUSTER)) ?? {};
      if (mark !== undefined) return "the store went back in time, so no node writes";
      const call = (readRoll(rows.get(ROLL))?.call ?? 0) + 1;
      const guards = new Map([CLUSTER, ROLL].map((key) => [key, rows.get(key)?.revision ?? 0n]));
      const puts = new Map([[ROLL, encode({ call } satisfies RollRecord)]]);
      if ((await store.write({ guards, puts })) !== undefined) return call;
    }
    return "the store takes no writes";
  } catch (error) {
    if (!(error instanceof LeaseStoreUnavailable)) throw error;
    return `the store takes no writes: ${error.message}`;
  }
}

/** What all nodes hold, by their names. Throws LeaseStoreUnavailable. */
export async function holdingsOf(store: LeaseStore): Promise<ReadonlyMap<string, Holdings>> {
  const all = new Map<string, Holdings>();
  for (const [key, row] of (await store.list(USAGE_PREFIX)).rows) {
    const { held } = readUsage(row)!;
    const node = key.slice(key.lastIndexOf("/") + 1);
    const { numbers, lines } = all.get(node) ?? { numbers: 0n, lines: 0 };
    if (held > 0n) all.set(node, { numbers: numbers + held, lines: lines + 1 });
  }
  return all;
}
