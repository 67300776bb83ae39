/**
 * Removes rows that nobody needs any more: those of lines that were deleted long ago, or of too
 * many deleted ones, and those of nodes that are gone. Some node looks once an hour.
 *
 * Invariant: a node that missed this neither mistakes a removed row for one that the store forgot,
 * nor keeps a deleted line, because the row NAMES tells up to which revision names may be missing.
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
/** Some node looks so often. */
const EVERY_MS = 3_600_000;

export interface PurgeOptions {
  readonly engine: Engine;
  /** The present store: another one after a new epoch. */
  readonly store: () => FencedStore;
  /** The Unix time in milliseconds, which may be wrong. */
  readonly wallMs: () => number;
  /** How many milliseconds this node has run since it last looked. */
  readonly ranMs: number;
  /** Runs work with the store, one after the other. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
}

/**
 * Removes rows, if it is time to look. Answers of how many lines and nodes. Throws
 * LeaseStoreUnavailable.
 */
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

/**
 * Makes the cluster older, by no more than this node ran. Undefined if another node looked
 * recently.
 */
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

/** Names that nodes of level 1 deleted have no age: it begins now. */
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

/** Removes lines that were deleted too long ago, or the oldest of too many, with their names. */
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

/** Removes nodes that left or were written off so long ago that no folder of theirs comes back. */
async function goneNodes({ engine, store, inTurn }: PurgeOptions, ageMs: number) {
  const { rows } = await inTurn(() => store().list(NODE_PREFIX));
  const oldestMs = ageMs - engine.limits.deletedDays * DAY_MS;
  return [...rows].flatMap(([key, row]) => {
    const { state, goneAtAgeMs } = readNode(row)!;
    // A program of level 1 did not write when it left.
    const isOld = state !== "member" && (goneAtAgeMs ?? 0) <= oldestMs;
    return isOld ? [key.slice(NODE_PREFIX.length)] : [];
  });
}

/** Adds what a node did with each line to the usage before. */
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
