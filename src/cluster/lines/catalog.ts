/**
 * The lines of a cluster by name: HSET, DEL and ADVANCE on one node change them for all nodes, and
 * the other nodes hear of it. The rows of the lease store are the truth; sync() makes the engine's
 * dispensers like them. A line has one id, which its dispenser has on every node; ids are given in
 * the order of the changes.
 */

import { largest } from "../../base/bigint.ts";
import { notFound, quoted, Refusal, refusePastEnd } from "../../base/errors.ts";
import type { Range } from "../../dispenser/allocation.ts";
import { fieldsOf, foretold, hasGrown, isBehindLast, isSame } from "../../dispenser/definition.ts";
import {
  continued,
  refuseFormat,
  refuseGrowth,
  refuseMemory,
  type UsedLine,
} from "../../dispenser/deleted.ts";
import type { Dispenser } from "../../dispenser/dispenser.ts";
import { defineBeside, type Fields, redefine, typeOf } from "../../dispenser/fields.ts";
import { levelOfFields } from "../../dispenser/format/fields.ts";
import { invalidName, isName, toBytes, toText } from "../../dispenser/name.ts";
import { NO_PERIOD } from "../../dispenser/types/type.ts";
import type { Engine } from "../../engine/engine.ts";
import type { NodeState } from "../node/state.ts";
import type { FencedStore } from "../stores/fenced.ts";
import type { Outcome } from "../stores/monotonic.ts";
import {
  type DeletedLineRecord,
  deletedKey,
  encode,
  encodeUsage,
  type LineRecord,
  lineKey,
  NAME_PREFIX,
  NAMES,
  type NameRecord,
  type NamesRecord,
  NEW_LINE,
  nameKey,
  namesIn,
  type PeriodFloor,
  readLine,
  readName,
  readNames,
  readUsage,
  type UsageRecord,
  usageKey,
  usagePrefix,
} from "../stores/records.ts";
import type { Row, Snapshot } from "../stores/store.ts";
import { counterOf, countersIn, leasedOf, withCounter } from "./counters.ts";
import { BEFORE, definitionIn, fieldsIn, usedLines, withDeleted } from "./deleted.ts";
import { olderMember, requireLevel } from "./levels.ts";
import { sumOf } from "./usage.ts";

/** Programs of a lower level do not know that a length can grow. */
const GROWS_FROM_LEVEL = 2;

export class ClusterLines {
  private readonly engine: Engine;
  private readonly nodeState: NodeState;

  constructor(engine: Engine, memory: NodeState) {
    this.engine = engine;
    this.nodeState = memory;
  }

  /**
   * HSET. Answers how many fields were set for the first time. `reuse`: numbers in use may be
   * handed out again.
   */
  async define(
    store: FencedStore,
    name: string,
    fields: Fields,
    reuse: boolean,
  ): Promise<number | Refusal> {
    if (!isName(name)) return invalidName(name);
    const key = nameKey(name);
    // All existing rows that are written have to be guarded: stores lock guards first, in one
    // order.
    const known = readName((await store.read([key])).rows.get(key));
    const keys = [NAMES, key, ...(known === undefined ? [] : [lineKey(known.line)])];
    const before = await this.figuresBefore(store, name, fields, known);
    const level = levelNeeded(fields);
    const older = level > 1 ? await olderMember(store, level) : undefined;
    const set = await store.transact<number | Refusal | undefined>(keys, (rows) => {
      const present = readName(rows.get(key));
      // Somebody else changed the name meanwhile.
      if (present?.line !== known?.line) return nothing(undefined);
      return present === undefined || present.isDeleted
        ? this.create(name, fields, reuse, rows, before, older)
        : this.redefine(name, fields, reuse, present, rows, older);
    });
    if (set === undefined) return this.define(store, name, fields, reuse);
    this.nodeState.flush();
    await this.sync(store);
    return set;
  }

  /** The usage by all nodes of a deleted line that goes on; undefined if none does. */
  private async figuresBefore(
    store: FencedStore,
    name: string,
    fields: Fields,
    known: NameRecord | undefined,
  ): Promise<UsageRecord | undefined> {
    if (known?.isDeleted !== true) return undefined;
    const deleted = usedLines(known.before);
    const definition = defineBeside(fields, definitionsOf(deleted));
    if (definition instanceof Refusal) return undefined;
    const same = continued(name, definition, deleted);
    if (same === undefined || same instanceof Refusal) return undefined;
    const { rows } = await store.list(usagePrefix(same.line));
    const all = [...rows.values()].map((row) => readUsage(row)!);
    return { ...sumOf(all), held: 0n };
  }

  private create(
    name: string,
    fields: Fields,
    reuse: boolean,
    rows: Snapshot["rows"],
    figures: UsageRecord | undefined,
    older: string | undefined,
  ): Outcome<number | Refusal> {
    const deleted = reuse ? [] : usedLines(deletedIn(readName(rows.get(nameKey(name))), rows));
    const definition = defineBeside(fields, definitionsOf(deleted));
    if (definition instanceof Refusal) return nothing(definition);
    const { level } = definition;
    const refusal =
      this.engine.refuseNew(name) ??
      (level > 1 && older !== undefined
        ? refuseForOlder(`define ${quoted(name)}`, older)
        : undefined);
    if (refusal !== undefined) return nothing(refusal);
    const same = continued(name, definition, deleted);
    if (same instanceof Refusal) return nothing(same);
    const line = namesIn(rows).lastLine + 1;
    const before = deleted.filter((other) => other !== same).map(({ record }) => record);
    const record: NameRecord = {
      ...{ line, isDeleted: false, fields: fieldsIn(definition), floor: 0n },
      ...(before.length > 0 && { before }),
    };
    const goesOn = same && { next: same.position, ...countersIn(same.record) };
    const puts = new Map([
      [NAMES, encode({ ...namesIn(rows), lastLine: line } satisfies NamesRecord)],
      [nameKey(name), encode(record)],
      [lineKey(line), encode({ ...NEW_LINE, ...goesOn } satisfies LineRecord)],
    ]);
    if (same !== undefined && figures !== undefined) {
      const leased = definition.hasPeriods ? figures.leased : same.position;
      puts.set(usageKey(line, BEFORE), encodeUsage({ ...figures, leased }));
    }
    requireLevel(level, rows, puts);
    return { puts, result: fields.size };
  }

  private redefine(
    name: string,
    fields: Fields,
    reuse: boolean,
    present: NameRecord,
    rows: Snapshot["rows"],
    older: string | undefined,
  ): Outcome<number | Refusal> {
    const before = definitionIn(present.fields);
    const definition = redefine(name, before, fields);
    if (definition instanceof Refusal) return nothing(definition);
    if (isSame(definition, before)) return nothing(0);
    const leased = readLine(rows.get(lineKey(present.line))) ?? NEW_LINE;
    const grows = hasGrown(before, definition);
    const isInUse = leasedOf(leased, before) > 0n;
    const refusal = reuse
      ? undefined
      : (refuseMemory(name, before, definition, isInUse) ??
        refuseFormat(name, before, definition, isInUse) ??
        (grows
          ? refuseGrowth(name, definition, leased.next, usedLines(present.before))
          : undefined));
    if (refusal !== undefined) return nothing(refusal);
    const level = Math.max(grows ? GROWS_FROM_LEVEL : 1, definition.level);
    if (level > before.level && older !== undefined) {
      const field = grows ? "length" : "format";
      return nothing(refuseForOlder(`change '${field}' of ${quoted(name)}`, older));
    }
    const becomesMemory = definition.strategy === "memory" && before.strategy !== "memory";
    // The numbers that it handed out before stay in use when it is deleted.
    const kept = becomesMemory ? withDeleted(present, leased) : present.before;
    const record: NameRecord = {
      ...{ ...present, fields: fieldsIn(definition) },
      ...(kept !== undefined && { before: kept }),
    };
    const puts = changed(name, record, rows);
    requireLevel(level, rows, puts);
    return { puts, result: 0 };
  }

  /** DEL of one line. Answers whether it was there: another node may have been quicker. */
  async remove(store: FencedStore, { name, id }: Dispenser): Promise<boolean> {
    const [key, line] = [nameKey(name), lineKey(id)];
    const removed = await store.transact([NAMES, key, line], (rows) => {
      const present = readName(rows.get(key));
      if (present?.line !== id || present.isDeleted) return nothing(false);
      // The row keeps how far the line was leased.
      const leased = readLine(rows.get(line)) ?? NEW_LINE;
      const before = withDeleted(present, leased);
      const puts = changed(name, { ...present, isDeleted: true, before }, rows);
      puts.set(line, encode({ ...leased, isDeleted: true } satisfies LineRecord));
      const atAgeMs = namesIn(rows).ageMs ?? 0;
      puts.set(deletedKey(id), encode({ name: toText(name), atAgeMs }));
      return { puts, result: true };
    });
    this.nodeState.flush();
    await this.sync(store);
    return removed;
  }

  /**
   * ADVANCE, within the period that this node is in. Answers the line's number that comes next, as
   * far as this node knows.
   */
  async advance(
    store: FencedStore,
    dispenser: Dispenser,
    number: string,
  ): Promise<string | Refusal> {
    const { engine } = this;
    const { definition, id, name } = dispenser;
    const { series } = definition;
    const [key, line] = [nameKey(name), lineKey(id)];
    const { since = NO_PERIOD } = readLine((await store.read([line])).rows.get(line)) ?? NEW_LINE;
    // Others may have gone on further than a node whose clock is behind.
    const period = Math.max(engine.periods.present(dispenser), since);
    const floor = series.positionFrom(number, period);
    if (floor instanceof Refusal) return floor;
    const next = await store.transact<Refusal | bigint>([NAMES, key, line], (rows) => {
      const present = readName(rows.get(key));
      const leased = readLine(rows.get(line));
      if (present?.line !== id || present.isDeleted || leased === undefined)
        return nothing(notFound(name));
      const counter = counterOf(leased, definition, period);
      if (counter === undefined) return nothing(refuseForgotten(dispenser, period));
      if (floor >= series.positions && !isBehindLast(definition, floor)) {
        const isOver = counter.next >= series.positions;
        return nothing(isOver ? engine.exhausted(dispenser) : refusePastEnd(name, number));
      }
      const known = floorsOf(present).find((each) => each.period === period)?.floor ?? 0n;
      if (floor <= known) return nothing(counter.next);
      const puts = changed(name, withFloor(present, { period, floor }), rows);
      const next = largest(counter.next, floor);
      const returned = counter.returned.filter(({ first }) => first >= floor);
      const after = { next, returned, floor: largest(counter.floor, floor) };
      puts.set(line, encode(withCounter(leased, definition, period, after)));
      return { puts, result: next };
    });
    this.nodeState.flush();
    await this.sync(store);
    if (next instanceof Refusal) return next;
    if (engine.nextBytes(dispenser) > 0) return engine.next(dispenser);
    const isOver = next >= series.positions && !isBehindLast(definition, floor);
    if (isOver) return engine.exhausted(dispenser);
    return foretold(definition, next, { ...engine.upcoming(dispenser).when, period });
  }

  /**
   * Whether a position of a line, in a period of it, was leased, or skipped by ADVANCE, and not
   * returned since.
   */
  async isLeased(
    store: FencedStore,
    dispenser: Dispenser,
    position: bigint,
    period: number,
  ): Promise<boolean | Refusal> {
    const key = lineKey(dispenser.id);
    const line = readLine((await store.read([key])).rows.get(key)) ?? NEW_LINE;
    const counter = counterOf(line, dispenser.definition, period);
    if (counter === undefined) return refuseForgotten(dispenser, period);
    const isBack = ({ first, count }: Range) => position >= first && position < first + count;
    return position < counter.next && !counter.returned.some(isBack);
  }

  /**
   * Makes the dispensers like the names in the store: those that changed since the last sync, or
   * `everything`. The commit being gathered makes it durable.
   */
  async sync(store: FencedStore, everything = false): Promise<void> {
    const { rows } = await store.read([NAMES]);
    await this.syncTo(store, rows.get(NAMES), everything);
  }

  /** The same for a caller that has read the row NAMES, which tells whether anything changed. */
  async syncTo(store: FencedStore, names: Row | undefined, everything = false): Promise<void> {
    const { revision } = names ?? { revision: 0n };
    const after = everything ? 0n : BigInt(this.nodeState.membership.namesRevision);
    if (revision <= after) return;
    // A list does not show names whose rows were removed since they were deleted.
    const isComplete = everything || after < BigInt(readNames(names)?.purgedTo ?? "0");
    const found = await store.list(NAME_PREFIX, isComplete ? 0n : after);
    if (isComplete) {
      const gone = [...this.engine.list()].filter(({ name }) => !found.rows.has(nameKey(name)));
      for (const { name } of gone) this.engine.remove(this.engine.find(name)!);
    }
    const records = [...found.rows].map(([key, row]) => ({
      name: toBytes(key.slice(NAME_PREFIX.length)),
      record: readName(row)!,
    }));
    records.sort((left, right) => left.record.line - right.record.line);
    for (const { name, record } of records) this.apply(name, record);
    this.engine.writeNodeState(
      this.nodeState.change({
        namesRevision: String(revision),
        revision: String(store.seen.revision),
      }),
    );
  }

  private apply(name: string, record: NameRecord): void {
    const { engine } = this;
    const found = engine.find(name);
    const present = found?.id === record.line && !record.isDeleted ? found : undefined;
    if (found !== undefined && present === undefined) engine.remove(found);
    if (record.isDeleted) return;
    const definition = definitionIn(record.fields);
    if (present === undefined) {
      // A store that forgot a line may have given its id to another name.
      const namesake = engine.nameOf(record.line);
      if (namesake !== undefined) engine.remove(engine.find(namesake)!);
      engine.create(record.line, name, definition);
    } else {
      // What may not change stays as it is here, whatever a store says that went back in time.
      const changed = redefine(name, present.definition, fieldsOf(definition));
      const isChange = !(changed instanceof Refusal) && !isSame(changed, present.definition);
      if (isChange) engine.redefine(present, changed);
    }
    for (const { period, floor } of floorsOf(record)) {
      if (floor > 0n) engine.skipBelow(engine.find(name)!, floor, period);
    }
  }
}

/** What ADVANCE skipped, by period. */
const floorsOf = ({ floor, floors }: NameRecord): readonly PeriodFloor[] =>
  floors ?? [{ period: NO_PERIOD, floor }];

/** So many periods are told of, the latest: the store leases of no others. */
const FLOORS_MAX = 3;

function withFloor(record: NameRecord, { period, floor }: PeriodFloor): NameRecord {
  if (period === NO_PERIOD) return { ...record, floor };
  const others = (record.floors ?? []).filter((each) => each.period !== period);
  const floors = [...others, { period, floor }].sort((one, other) => one.period - other.period);
  return { ...record, floors: floors.slice(-FLOORS_MAX) };
}

/**
 * The deleted lines of a name. A program of level 1 leaves the last one out, which the row of the
 * line tells.
 */
function deletedIn(
  present: NameRecord | undefined,
  rows: Snapshot["rows"],
): readonly DeletedLineRecord[] {
  const { line, isDeleted, before = [] } = present ?? {};
  if (present === undefined || !isDeleted || before.some((each) => each.line === line))
    return before;
  return withDeleted(present, readLine(rows.get(lineKey(present.line))) ?? NEW_LINE);
}

/** The level of a program that knows all that HSET with these fields may write. */
function levelNeeded(fields: Fields): number {
  const grows = fields.has("length") ? GROWS_FROM_LEVEL : 1;
  return Math.max(grows, levelOfFields(fields), typeOf(fields.get("type") ?? "")?.level ?? 1);
}

const definitionsOf = (lines: readonly UsedLine[]) => lines.map(({ definition }) => definition);

function refuseForOlder(what: string, node: string): Refusal {
  return new Refusal(
    `ERR cannot ${what} yet: node ${node} runs a version that does not know of it. Upgrade that first`,
  );
}

function refuseForgotten({ name, definition }: Dispenser, period: number): Refusal {
  const told = definition.format!.periods!.text(period);
  return new Refusal(
    `ERR the cluster no longer knows what ${quoted(name)} did in ${told}: it keeps the latest three periods`,
  );
}

function nothing<T>(result: T): Outcome<T> {
  return { puts: new Map(), result };
}

/** Writes the row of a name, and the row NAMES, by which other nodes hear of the change. */
function changed(name: string, record: NameRecord, rows: Snapshot["rows"]): Map<string, string> {
  return new Map([
    [NAMES, encode(namesIn(rows))],
    [nameKey(name), encode(record)],
  ]);
}
