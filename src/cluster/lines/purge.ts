/**
 * Removes rows that nobody needs any more: those of lines that were deleted long ago, or of too many deleted
 * ones; those of nodes that are gone. One node after the other looks, once an hour in all.
 *
 * Invariant: a node that slept through it neither takes a row that was removed for one that the store forgot, nor
 * keeps what was deleted: the names' row says up to which revision names may be missing.
 */

import { inBatches } from "../../base/batches.ts";
import { toBytes } from "../../dispenser/name.ts";
import type { Engine } from "../../engine/engine.ts";
import type { FencedStore, MemberOutcome } from "../stores/fenced.ts";
import {
  DELETED_PREFIX,
  type DeletedRecord,
  deletedKey,
  encode,
  encodeUsage,
  lineKey,
  NAME_PREFIX,
  NAMES,
  type NameRecord,
  type NamesRecord,
  NODE_PREFIX,
  nameKey,
  readDeleted,
  readName,
  readNames,
  readNode,
  readUsage,
  usageKey,
  usagePrefix,
} from "../stores/records.ts";
import { LINES_AT_ONCE, type Snapshot } from "../stores/store.ts";
import { BEFORE } from "./deleted.ts";
import { sumOf } from "./usage.ts";

const DAY_MS = 86_400_000;
/** All nodes together look so often. */
const EVERY_MS = 3_600_000;

export interface PurgeOptions {
  readonly engine: Engine;
  /** The store, as it may be asked now. */
  readonly store: () => FencedStore;
  /** The Unix time in milliseconds, which may be wrong. */
  readonly wallMs: () => number;
  /** How long this node has run since it last looked. */
  readonly ranMs: number;
  /** Does something with the store when it is this one's turn. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
}

/** Looks, where that is due, and removes. Answers how many lines and nodes. Throws LeaseStoreUnavailable. */
export async function purge(options: PurgeOptions): Promise<{ lines: number; nodes: number }> {
  const { inTurn } = options;
  const claimed = await inTurn(() => claim(options));
  if (claimed === undefined) return { lines: 0, nodes: 0 };
  const { ageMs, isFirst } = claimed;
  if (isFirst) await noteDeletedOfLevel1(options, ageMs);
  const old = await oldLines(options, ageMs);
  for (const [line, name] of old) await inTurn(() => removeLine(options, line, name));
  const gone = await goneNodes(options, ageMs);
  for (const node of gone) await removeNode(options, node);
  return { lines: old.length, nodes: gone.length };
}

interface Claim {
  readonly ageMs: number;
  readonly isFirst: boolean;
}

/** Makes the cluster older, by no more than this node ran. Undefined where another node looked a while ago. */
function claim({ store, wallMs, ranMs }: PurgeOptions): Promise<Claim | undefined> {
  const nowMs = wallMs();
  return store().transact([NAMES], (rows): MemberOutcome<Claim | undefined> => {
    const names = readNames(rows.get(NAMES))!;
    const { agedAtMs = nowMs, purgedAtAgeMs } = names;
    const passedMs = Math.max(0, Math.min(nowMs - agedAtMs, ranMs));
    const ageMs = (names.ageMs ?? 0) + Math.floor(passedMs);
    const isDue = purgedAtAgeMs === undefined || ageMs - purgedAtAgeMs >= EVERY_MS;
    const changed: NamesRecord = {
      ...names,
      ageMs,
      agedAtMs: nowMs,
      purgedTo: names.purgedTo ?? "0",
      purgedAtAgeMs: isDue ? ageMs : purgedAtAgeMs,
    };
    const result = isDue ? { ageMs, isFirst: purgedAtAgeMs === undefined } : undefined;
    return { puts: new Map([[NAMES, encode(changed)]]), result };
  });
}

/** Names that nodes of level 1 deleted count from now on. */
async function noteDeletedOfLevel1(
  { store, inTurn }: PurgeOptions,
  atAgeMs: number,
): Promise<void> {
  const { rows } = await inTurn(() => store().list(NAME_PREFIX));
  const { rows: known } = await inTurn(() => store().list(DELETED_PREFIX));
  const puts = [...rows].flatMap(([key, row]): [string, string][] => {
    const { line, isDeleted } = readName(row)!;
    if (!isDeleted || known.has(deletedKey(line))) return [];
    const record: DeletedRecord = { name: key.slice(NAME_PREFIX.length), atAgeMs };
    return [[deletedKey(line), encode(record)]];
  });
  for (const some of inBatches(puts, LINES_AT_ONCE)) {
    const keys = some.map(([key]) => key);
    await inTurn(() => store().transact(keys, () => ({ puts: new Map(some), result: undefined })));
  }
}

/** Lines that are too old, or the oldest of too many, with the names that they had. */
async function oldLines(
  { engine, store, inTurn }: PurgeOptions,
  ageMs: number,
): Promise<[line: number, name: string][]> {
  const { deletedDays, deletedMax } = engine.limits;
  const { rows } = await inTurn(() => store().list(DELETED_PREFIX));
  const all = [...rows].map(([key, row]) => {
    const { name, atAgeMs } = readDeleted(row)!;
    return { line: Number(key.slice(DELETED_PREFIX.length)), name: toBytes(name), atAgeMs };
  });
  all.sort((one, other) => other.atAgeMs - one.atAgeMs);
  const oldestMs = ageMs - deletedDays * DAY_MS;
  return all
    .filter(({ atAgeMs }, index) => atAgeMs <= oldestMs || index >= deletedMax)
    .map(({ line, name }) => [line, name]);
}

async function removeLine({ store }: PurgeOptions, line: number, name: string): Promise<void> {
  const figures = [...(await store().list(usagePrefix(line))).rows.keys()];
  for (const some of inBatches(figures, LINES_AT_ONCE)) {
    await store().transact(some, (rows) => {
      const removes = some.filter((each) => rows.has(each));
      return { puts: new Map(), removes, result: undefined };
    });
  }
  const [key, leased, deleted] = [nameKey(name), lineKey(line), deletedKey(line)];
  await store().transact([NAMES, key, leased, deleted], (rows) => {
    const removes = [leased, deleted].filter((each) => rows.has(each));
    const puts = new Map<string, string>();
    const row = rows.get(key);
    const record = readName(row);
    if (row !== undefined && record !== undefined) {
      const before = (record.before ?? []).filter((each) => each.line !== line);
      if (record.isDeleted && before.length === 0) removes.push(key);
      else puts.set(key, encode({ ...record, before } satisfies NameRecord));
      const names = readNames(rows.get(NAMES))!;
      const known = BigInt(names.purgedTo ?? "0");
      const purgedTo = String(row.revision > known ? row.revision : known);
      puts.set(NAMES, encode({ ...names, purgedTo } satisfies NamesRecord));
    }
    return { puts, removes, result: undefined };
  });
}

/** Nodes that left, or were written off, so long ago that none of their folders comes back. */
async function goneNodes({ engine, store, inTurn }: PurgeOptions, ageMs: number) {
  const { rows } = await inTurn(() => store().list(NODE_PREFIX));
  const oldestMs = ageMs - engine.limits.deletedDays * DAY_MS;
  return [...rows].flatMap(([key, row]) => {
    const { state, goneAtAgeMs } = readNode(row)!;
    // A program of level 1 did not say when.
    const isOld = state !== "member" && (goneAtAgeMs ?? 0) <= oldestMs;
    return isOld ? [key.slice(NODE_PREFIX.length)] : [];
  });
}

/** What it did with each line is added to what was done before. */
async function removeNode({ engine, store, inTurn }: PurgeOptions, node: string): Promise<void> {
  const lines = [...engine.list()].map(({ id }) => id);
  for (const some of inBatches(lines, LINES_AT_ONCE)) {
    await inTurn(() => foldFigures(store(), some, node));
  }
  await inTurn(() =>
    store().transact([NAMES, NODE_PREFIX + node], (rows) => {
      const names = readNames(rows.get(NAMES))!;
      const nodesPurgedTo = String(store().seen.revision);
      const puts = new Map([[NAMES, encode({ ...names, nodesPurgedTo } satisfies NamesRecord)]]);
      return { puts, removes: [NODE_PREFIX + node], result: undefined };
    }),
  );
}

function foldFigures(store: FencedStore, lines: readonly number[], node: string): Promise<void> {
  const keysOf = (line: number) => [usageKey(line, node), usageKey(line, BEFORE)] as const;
  return store.transact(lines.flatMap(keysOf), (rows: Snapshot["rows"]) => {
    const puts = new Map<string, string>();
    const removes: string[] = [];
    for (const [own, before] of lines.map(keysOf)) {
      const figure = readUsage(rows.get(own));
      if (figure === undefined) continue;
      const sum = sumOf([figure, ...[readUsage(rows.get(before)) ?? []].flat()]);
      puts.set(before, encodeUsage({ ...sum, held: 0n }));
      removes.push(own);
    }
    return { puts, removes, result: undefined };
  });
}
