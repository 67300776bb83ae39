/**
 * Leases: how much of a line a node asks the store for, and how it gets it. All lines that want a
 * lease at one time get it in one transaction.
 *
 * Invariant: a node adopts a lease only after the store said that it is written. A lease with an
 * unknown outcome is never handed out, because the next one begins behind it.
 */

import { assert } from "../../base/assert.ts";
import { smallest } from "../../base/bigint.ts";
import { type Lease, Leased, type Range } from "../../dispenser/allocation.ts";
import type { Definition } from "../../dispenser/definition.ts";
import type { Dispenser } from "../../dispenser/dispenser.ts";
import { STEPS_OF_LINE, STEPS_OF_PERIOD, usageStep } from "../../dispenser/usage.ts";
import type { Engine } from "../../engine/engine.ts";
import type { NodeState } from "../node/state.ts";
import { type FencedStore, NotConfirmed } from "../stores/fenced.ts";
import { StoreWentBack } from "../stores/monotonic.ts";
import {
  type Counter,
  encode,
  encodeUsage,
  type LineRecord,
  lineKey,
  NAMES,
  readLine,
  readNames,
  readUsage,
  usageKey,
} from "../stores/records.ts";
import { LeaseStoreUnavailable, type Snapshot } from "../stores/store.ts";
import { counterOf, withCounter } from "./counters.ts";
import { LeaseSizer } from "./lease-size.ts";
import type { Usage } from "./usage.ts";
import { type Want, Wants } from "./wants.ts";

/** A lease takes at most this part of what is left of the line, unless clients wait for more. */
const FAIR_PART = 8n;
/**
 * For so long a line that was exhausted is not asked for again: a node that leaves may return some
 * of it.
 */
const EXHAUSTED_MS = 1000;

/** What the store is to lease to a line. */
interface PlannedLease {
  readonly dispenser: Dispenser;
  readonly range: Lease;
  /** Whether it is of a period to come. */
  readonly isEarly: boolean;
  /** The size that the sizer answered; `range` may be smaller. */
  readonly size: number;
  /** Numbers that the store leased earlier without this node hearing of it. */
  readonly lost: bigint;
}

/** When a line was exhausted, in which period, and its definition then: it may grow. */
interface Exhausted {
  readonly atMs: number;
  readonly period: number;
  readonly definition: Definition;
}

export interface LeasingOptions {
  readonly engine: Engine;
  readonly nodeState: NodeState;
  readonly usage: Usage;
  /** A clock that only goes forwards, in milliseconds. */
  readonly now: () => number;
  /** Called with numbers that the store leased without this node hearing of it. */
  readonly onLost: (dispenser: Dispenser, numbers: bigint) => void;
}

export class Leasing {
  private readonly engine: Engine;
  private readonly nodeState: NodeState;
  private readonly usage: Usage;
  private readonly now: () => number;
  private readonly onLost: (dispenser: Dispenser, numbers: bigint) => void;
  private readonly wants: Wants;
  private readonly sizer: LeaseSizer;
  private readonly exhausted = new WeakMap<Dispenser, Exhausted>();
  /** The same of a period to come. */
  private readonly exhaustedNext = new WeakMap<Dispenser, Exhausted>();

  constructor({ engine, nodeState, usage, now, onLost }: LeasingOptions) {
    this.engine = engine;
    this.nodeState = nodeState;
    this.usage = usage;
    this.now = now;
    this.onLost = onLost;
    this.wants = new Wants(now);
    this.sizer = new LeaseSizer(now);
  }

  get isWanted(): boolean {
    return !this.wants.isEmpty;
  }

  /** Whether a line was found to be exhausted a moment ago. */
  isExhausted(dispenser: Dispenser): boolean {
    const found = this.exhausted.get(dispenser);
    if (found === undefined || found.definition !== dispenser.definition) return false;
    if (found.period < this.engine.periods.present(dispenser)) return false;
    return this.now() - found.atMs < EXHAUSTED_MS;
  }

  /**
   * A line needs so many numbers more; `isEarly`: of its next period. Resolves when it was leased
   * some, or has none.
   */
  want(dispenser: Dispenser, count: number, isEarly = false): Promise<void> {
    if (isEarly && this.hasNoNext(dispenser)) return Promise.resolve();
    return this.wants.add(dispenser, count, isEarly);
  }

  /** Whether nothing was left of the next period when it was asked for. */
  private hasNoNext(dispenser: Dispenser): boolean {
    const found = this.exhaustedNext.get(dispenser);
    if (found?.definition !== dispenser.definition) return false;
    return found.period === this.engine.periods.next(dispenser);
  }

  /** A line reached its threshold: whether to ask for the next lease already. */
  isLow(dispenser: Dispenser): boolean {
    return this.sizer.isLow(dispenser);
  }

  /** Nothing can be leased now. */
  refuse(error: unknown): void {
    this.wants.rejectAll(error);
  }

  /**
   * Leases for the lines that want it, as many as go into one transaction. If one of them turns out
   * to be deleted, calls `onStale` before those who wait go on. Throws LeaseStoreUnavailable.
   */
  async lease(store: FencedStore, onStale: () => Promise<void>): Promise<void> {
    const wants = this.wants.take();
    try {
      // A line may have got enough by the lease before this one.
      const live = wants.filter(
        ({ dispenser, count }) =>
          !dispenser.isRemoved && (count === 0 || count > this.engine.periods.available(dispenser)),
      );
      const { leases, deleted, putBack } = await this.write(store, live);
      for (const lease of leases) this.adopt(lease, String(store.seen.revision));
      if (deleted.length > 0) await onStale();
      for (const want of wants) {
        if (putBack.has(want)) continue;
        const { dispenser, granted } = want;
        // Those who wait ask again, which must end.
        const isLeft = deleted.includes(dispenser) && !dispenser.isRemoved;
        if (isLeft)
          granted.reject(new LeaseStoreUnavailable(`it has deleted line ${dispenser.id}`));
        else granted.resolve();
      }
    } catch (error) {
      // NotConfirmed: the caller asks again in a moment.
      const isPutOff = error instanceof NotConfirmed && !error.wasWritten;
      for (const want of wants) {
        if (isPutOff) this.wants.putBack(want);
        else want.granted.reject(error);
      }
      throw error;
    }
  }

  /**
   * Writes leases. Answers them, the lines that were deleted, and the wants that were put back
   * because other nodes leased of the same lines meanwhile.
   */
  private async write(store: FencedStore, asked: readonly Want[]) {
    const { nodeState } = this;
    const putBack = new Set<Want>();
    const none = { leases: [] as readonly PlannedLease[], deleted: [] as readonly Dispenser[] };
    if (asked.length === 0) return { ...none, putBack };
    const keysOf = (wants: readonly Want[]) =>
      wants.flatMap(({ dispenser: { id } }) => [
        lineKey(id),
        usageKey(id, nodeState.membership.node),
      ]);
    let wants = asked;
    let last: Snapshot["rows"] | undefined;
    const written = await store.transact([NAMES, ...keysOf(asked)], (rows) => {
      wants = this.withoutContended(wants, rows, last, putBack);
      last = rows;
      const puts = new Map<string, string>();
      const leases = wants.flatMap((want) => this.planLease(want, rows, puts));
      const deleted = wants
        .map(({ dispenser }) => dispenser)
        .filter(({ id }) => isGone(readLine(rows.get(lineKey(id))), rows, nodeState));
      return { puts, keys: keysOf(wants), result: { leases, deleted } };
    });
    return { ...written, putBack };
  }

  /**
   * Puts back those whose lines other nodes leased of since `last` was read, unless these are all.
   */
  private withoutContended(
    wants: readonly Want[],
    rows: Snapshot["rows"],
    last: Snapshot["rows"] | undefined,
    putBack: Set<Want>,
  ): readonly Want[] {
    const isContended = ({ dispenser: { id } }: Want) =>
      last !== undefined && rows.get(lineKey(id))?.revision !== last.get(lineKey(id))?.revision;
    const contended = wants.filter(isContended);
    for (const { dispenser } of contended) this.wants.markContended(dispenser);
    if (contended.length === wants.length) return wants;
    for (const want of contended) {
      this.wants.putBack(want);
      putBack.add(want);
    }
    return wants.filter((want) => !putBack.has(want));
  }

  /** The store has written a lease: gives it to the line, with the commit being gathered. */
  private adopt({ dispenser, range, isEarly, size, lost }: PlannedLease, revision: string): void {
    if (lost > 0n) this.onLost(dispenser, lost);
    if (dispenser.isRemoved) return;
    const count = Number(range.count);
    const left = this.engine.periods.available(dispenser);
    const threshold = Math.max(1, left + count - Math.ceil(count / 2));
    this.sizer.leased(dispenser, size);
    this.usage.noteLeased(dispenser);
    this.engine.writeNodeState(this.nodeState.change({ revision }));
    this.engine.addLease(dispenser, range, threshold, isEarly);
    this.noticeUsage(dispenser, range);
  }

  /** The node that leases a line up to a step of its usage is the one that tells of it. */
  private noticeUsage(dispenser: Dispenser, { first, count }: Range): void {
    const { series, hasPeriods } = dispenser.definition;
    const size = series.positions;
    const steps = hasPeriods ? STEPS_OF_PERIOD : STEPS_OF_LINE;
    const stepAt = (used: bigint) => usageStep({ used, size, steps });
    const step = stepAt(first + count);
    if (step === undefined || step === stepAt(first)) return;
    this.engine.onUsed(dispenser, step, size - first - count);
  }

  /**
   * Works out the lease of a line, and adds the rows that it changes to `puts`; none if nothing is
   * left.
   */
  private planLease(
    { dispenser, count: wanted, isEarly }: Want,
    rows: Snapshot["rows"],
    puts: Map<string, string>,
  ): PlannedLease[] {
    const { id, definition, allocation } = dispenser;
    assert(allocation instanceof Leased, "a line of a cluster is leased");
    const key = lineKey(id);
    const line = readLine(rows.get(key));
    if (isGone(line, rows, this.nodeState)) return [];
    if (line === undefined) throw new StoreWentBack(`it does not know line ${id}`);
    requireRemembered(line, dispenser, allocation);
    const { periods } = this.engine;
    const wish = isEarly ? periods.next(dispenser) : periods.present(dispenser);
    // Others may have gone on further than a node whose clock is behind.
    const period = Math.max(wish, line.since ?? wish);
    if (isEarly && allocation.ahead !== undefined) return [];
    const counter = counterOf(line, definition, period)!;
    const size = this.sizer.sizeFor(dispenser, wanted, this.wants.isContended(dispenser));
    // Near its end a line is not leased by one node alone.
    const end = definition.series.positions;
    const fair = (end - counter.next) / FAIR_PART;
    const most = BigInt(Math.max(1, wanted, Number(fair)));
    const found = choose(counter, allocation.passedIn(period), smallest(BigInt(size), most), end);
    if (found === undefined) {
      const exhausted = isEarly ? this.exhaustedNext : this.exhausted;
      exhausted.set(dispenser, { atMs: this.now(), period, definition });
      return [];
    }
    this.exhausted.delete(dispenser);
    const { range, rest } = found;
    puts.set(key, encode(withCounter(line, definition, period, rest)));
    const figure = usageKey(id, this.nodeState.membership.node);
    const before = readUsage(rows.get(figure));
    const after = this.usage.ofNode(dispenser, before, range.count);
    puts.set(figure, encodeUsage(after));
    const lost = after.lost - (before?.lost ?? 0n);
    return [{ dispenser, range: { ...range, period }, isEarly, size, lost }];
  }
}

/** Throws StoreWentBack if a line was leased less far than this node knows. */
function requireRemembered(line: LineRecord, { id, definition }: Dispenser, leased: Leased): void {
  for (const { period, end } of leased.ends) {
    const counter = counterOf(line, definition, period);
    if (counter !== undefined && counter.next < end)
      throw new StoreWentBack(`it forgot leases of line ${id}`);
  }
}

/** Whether a line was deleted. Its row may have been removed since the last sync of names. */
function isGone(
  line: LineRecord | undefined,
  rows: Snapshot["rows"],
  { membership }: NodeState,
): boolean {
  if (line !== undefined) return line.isDeleted;
  const { purgedTo = "0" } = readNames(rows.get(NAMES)) ?? {};
  return BigInt(membership.namesRevision) < BigInt(purgedTo);
}

/** The range to lease: a returned one, if the node has not passed it, or the next. */
function choose(
  counter: Counter,
  passed: bigint,
  size: bigint,
  end: bigint,
): { readonly range: Range; readonly rest: Counter } | undefined {
  const index = counter.returned.findIndex(({ first }) => first >= passed);
  const back = counter.returned[index];
  if (back !== undefined) {
    const count = smallest(size, back.count);
    const left = { first: back.first + count, count: back.count - count };
    const returned = counter.returned.toSpliced(index, 1, ...(left.count > 0n ? [left] : []));
    return { range: { first: back.first, count }, rest: { ...counter, returned } };
  }
  const count = smallest(size, end - counter.next);
  if (count <= 0n) return undefined;
  const rest = { ...counter, next: counter.next + count };
  return { range: { first: counter.next, count }, rest };
}
