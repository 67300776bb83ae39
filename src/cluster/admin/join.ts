/**
 * `cluster join`: the dispensers of a node that was alone become the cluster's. No server runs on
 * its folder.
 */

import { inBatches } from "../../base/batches.ts";
import { CannotStart } from "../../base/errors.ts";
import { Leased } from "../../dispenser/allocation.ts";
import { meets } from "../../dispenser/deleted.ts";
import type { Dispenser } from "../../dispenser/dispenser.ts";
import { toText } from "../../dispenser/name.ts";
import { strategies } from "../../dispenser/strategy.ts";

import type { Engine } from "../../engine/engine.ts";
import type { Store, StoredDeleted } from "../../storage/store.ts";
import { countersFrom } from "../lines/counters.ts";
import { definitionIn, fieldsIn, usedLines } from "../lines/deleted.ts";
import { olderMember, requireLevel } from "../lines/levels.ts";
import { type Identity, newMembership } from "../node/membership.ts";
import type { Joining, Membership, StoredNodeState } from "../node/state.ts";
import type { MonotonicStore } from "../stores/monotonic.ts";
import {
  CLUSTER,
  type ClusterRecord,
  type Counters,
  type DeletedLineRecord,
  deletedKey,
  encode,
  encodeUsage,
  type LineRecord,
  lineKey,
  NAME_PREFIX,
  NAMES,
  type NameRecord,
  NEW_LINE,
  nameKey,
  readCluster,
  readLine,
  readName,
  readNames,
  type UsageRecord,
  usageKey,
} from "../stores/records.ts";
import { LINES_AT_ONCE } from "../stores/store.ts";

/** A data folder whose server is stopped. */
export interface Folder {
  readonly engine: Engine;
  readonly store: Store;
  /** Commits what was staged in place of all that the engine knows, and closes the folder. */
  readonly replaced: () => void;
}

/**
 * Moves the dispensers of a node that was alone into the cluster, each at its present position. It
 * can be run again after it was interrupted. Answers how many dispensers there are. Throws
 * CannotStart if the cluster has one of the names, and LeaseStoreUnavailable.
 */
export async function joinCluster(
  { engine, store, replaced }: Folder,
  history: MonotonicStore,
  cluster: ClusterRecord,
  identity: Identity,
  begun: Joining | undefined,
): Promise<number> {
  const all = [...engine.all()];
  // Checked before anything is written, so that the folder can still be started alone.
  if (begun === undefined) await refuseConflicts(all, store, history);
  const ids = engine.lastId + lastDeleted(store);
  const joining =
    begun ?? (await reserveIds(engine.lastId, ids, history, cluster, identity.unique()));
  // Saved in the folder first: if this is interrupted, the next run knows which of the cluster's
  // lines are its own.
  store.writeNode(JSON.stringify({ joining } satisfies StoredNodeState));
  for (const some of inBatches(all, LINES_AT_ONCE))
    await writeLines(engine, some, history, joining);
  await moveDeletedIn(engine, store, history, joining);
  for (const dispenser of all) restage(engine, dispenser, store, joining.base);
  const membership: Membership = { ...newMembership(cluster, identity), node: joining.node };
  store.stage({ kind: "node", state: JSON.stringify({ membership } satisfies StoredNodeState) });
  replaced();
  return all.length;
}

async function refuseConflicts(
  all: readonly Dispenser[],
  store: Store,
  history: MonotonicStore,
): Promise<void> {
  const { rows } = await history.list(NAME_PREFIX);
  for (const deleted of deletedIn(store)) {
    const present = readName(rows.get(nameKey(deleted.name)));
    if (present?.isDeleted === false) await requireNotMet(deleted, present, history);
  }
  for (const dispenser of all)
    requireNoConflict(dispenser, readName(rows.get(nameKey(dispenser.name))));
  const older = await olderMember(history, levelOf(all, store));
  if (older === undefined) return;
  throw new CannotStart(
    `the folder has lines of codes, or with a format or periods, and node ${older} runs a version that does not know of them: ` +
      "upgrade that first",
  );
}

/** The level of the programs that know all lines of a folder, deleted ones too. */
function levelOf(all: readonly Dispenser[], store: Store): number {
  let level = 1;
  for (const { definition } of all) level = Math.max(level, definition.level);
  for (const { definition } of deletedIn(store)) level = Math.max(level, definition.level);
  return level;
}

/** Throws if the cluster has the name, or had it on a line with the same numbers. */
function requireNoConflict(
  { name, definition, position }: Dispenser,
  present: NameRecord | undefined,
): void {
  const shown = `'${toText(name)}'`;
  if (present?.isDeleted === false) {
    throw new CannotStart(
      `the cluster has a dispenser ${shown} already: DEL that one of the two whose line is not to go on`,
    );
  }
  const met = usedLines(present?.before).some(
    (line) =>
      definition.type.hasPositions && meets(definition, position, line.definition, line.usedBelow),
  );
  if (met) {
    throw new CannotStart(
      `the cluster had a dispenser ${shown}, whose numbers that of the folder would repeat: DEL that one, and define ` +
        "it in the cluster behind them",
    );
  }
}

/** Throws if a line of the cluster would repeat numbers of a line deleted in the folder. */
async function requireNotMet(
  { name, definition, account }: StoredDeleted,
  present: NameRecord,
  history: MonotonicStore,
): Promise<void> {
  const line = definitionIn(present.fields);
  if (!line.type.hasPositions) return;
  const key = lineKey(present.line);
  const { next = 0n } = readLine((await history.read([key])).rows.get(key)) ?? {};
  if (!meets(line, next, definition, account.reserved)) return;
  const isComparable = line.series.progression && definition.series.progression;
  const last = definition.numbers.numberAt(account.reserved - 1n);
  throw new CannotStart(
    `the cluster has a dispenser '${toText(name)}' that would repeat numbers of one deleted in the folder: ` +
      (isComparable ? `ADVANCE it there past ${last}` : "DEL it there, and define another name"),
  );
}

/**
 * Reserves ids for the node's lines: their present ids plus a base; deleted lines follow behind
 * them.
 */
async function reserveIds(
  lastId: number,
  ids: number,
  history: MonotonicStore,
  cluster: ClusterRecord,
  node: string,
): Promise<Joining> {
  const base = await history.transact([NAMES], (rows) => {
    // Above all ids of the folder as well, so that no line has the id of another even for a moment.
    const names = readNames(rows.get(NAMES));
    const base = Math.max(names?.lastLine ?? 0, lastId);
    const lastLine = base + ids;
    return { puts: new Map([[NAMES, encode({ ...names, lastLine })]]), result: base };
  });
  return { cluster: cluster.id, node, base };
}

async function writeLines(
  engine: Engine,
  some: readonly Dispenser[],
  history: MonotonicStore,
  { base, node }: Joining,
): Promise<void> {
  const keys = some.flatMap(({ name, id }) => [nameKey(name), lineKey(base + id)]);
  await history.transact([CLUSTER, NAMES, ...keys], (rows) => {
    if (readCluster(rows.get(CLUSTER))?.mark !== undefined) {
      throw new CannotStart(
        "the store went back in time: 'number-dispenser cluster advance' comes first",
      );
    }
    const puts = new Map<string, string>();
    for (const dispenser of some) {
      const { id, name, definition, position, counts, hasPositions } = dispenser;
      const line = base + id;
      const present = readName(rows.get(nameKey(name)));
      if (present?.line === line) continue;
      requireNoConflict(dispenser, present);
      const fields = fieldsIn(definition);
      const before = present?.before ?? [];
      const record: NameRecord = { line, isDeleted: false, fields, floor: 0n, before };
      const leased: LineRecord = {
        ...{ ...NEW_LINE, next: position },
        ...countersOf(engine.periods.keptWhenDeleted(dispenser)),
      };
      puts.set(nameKey(name), encode(record)).set(lineKey(line), encode(leased));
      if (!hasPositions) continue;
      const { generated } = counts;
      const usage: UsageRecord = { leased: position, lost: 0n, generated, held: 0n };
      puts.set(usageKey(line, node), encodeUsage(usage));
    }
    if (puts.size > 0) puts.set(NAMES, encode(readNames(rows.get(NAMES))!));
    requireLevel(Math.max(1, ...some.map(({ definition }) => definition.level)), rows, puts);
    return { puts, result: undefined };
  });
}

/** The number of the newest deleted line in a folder. */
function lastDeleted(store: Store): number {
  let last = 0;
  for (const { nth } of deletedIn(store)) last = nth;
  return last;
}

function* deletedIn(store: Store): Generator<StoredDeleted> {
  for (let after = 0; ; ) {
    const page = store.listDeleted(after, LINES_AT_ONCE);
    yield* page;
    after = page.at(-1)?.nth ?? after;
    if (page.length < LINES_AT_ONCE) return;
  }
}

/**
 * Writes the folder's deleted lines into the cluster, so that their numbers do not come again
 * there.
 */
async function moveDeletedIn(
  engine: Engine,
  store: Store,
  history: MonotonicStore,
  { base }: Joining,
): Promise<void> {
  for (const { nth, name, definition, account, run } of deletedIn(store)) {
    const line = base + engine.lastId + nth;
    const key = nameKey(name);
    const fields = fieldsIn(definition);
    const next = account.reserved;
    const deleted: DeletedLineRecord = { line, fields, next, ...countersOf({ account, run }) };
    await history.transact([CLUSTER, NAMES, key], (rows) => {
      const present = readName(rows.get(key)) ?? { line, isDeleted: true, fields, floor: 0n };
      const names = readNames(rows.get(NAMES))!;
      const others = (present.before ?? []).filter((each) => each.line !== line);
      const puts = new Map([
        [NAMES, encode(names)],
        [key, encode({ ...present, before: [...others, deleted] } satisfies NameRecord)],
        [deletedKey(line), encode({ name: toText(name), atAgeMs: names.ageMs ?? 0 })],
      ]);
      requireLevel(definition.level, rows, puts);
      return { puts, result: undefined };
    });
    store.stage({ kind: "forget", name });
  }
}

/** The counters of a line with periods: it goes on in the one that it is in. */
function countersOf({ account, run }: Pick<StoredDeleted, "account" | "run">): Counters {
  return run === undefined ? {} : countersFrom(run.period, account.reserved - run.start);
}

/** Writes a dispenser under another id, with one used-up lease of all numbers it has handed out. */
function restage(engine: Engine, dispenser: Dispenser, store: Store, base: number): void {
  const id = base + dispenser.id;
  const { run } = engine.periods.keptWhenDeleted(dispenser);
  const { name, definition, position, hasPositions, counts } = dispenser;
  store.stage({ kind: "remove", id: dispenser.id });
  store.stage({ kind: "define", id, name, definition });
  const keeps = hasPositions ? strategies[definition.strategy].keeps : "position";
  if (hasPositions && position > 0n) {
    const allocation =
      run === undefined
        ? new Leased([{ local: 0n, first: 0n, count: position }])
        : new Leased([{ local: position, first: position - run.start, count: 0n }], run.period);
    store.stage({ kind: "lease", id, allocation });
  }
  const { generated } = counts;
  const isGrouped = keeps === "segments" || keeps === "checkpoint";
  store.stage({
    kind: "reserve",
    reservation: {
      id,
      keeps,
      account: { reserved: position, generated, wasted: hasPositions ? position - generated : 0n },
      segment: isGrouped ? { first: position, last: position - 1n } : undefined,
      replaces: true,
      run: undefined,
    },
  });
}
