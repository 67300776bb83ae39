/**
 * Leases: how much of a line a node asks the store for, when, and how it gets it. All that its lines
 * want at one time is leased in one transaction.
 *
 * Invariant: a lease is adopted only where the store said that it is written; whatever else became of it
 * is never handed out, for the next one begins behind it.
 */

import { assert } from "../../base/assert.ts";
import { smallest } from "../../base/bigint.ts";
import { Leased, type Range } from "../../dispenser/allocation.ts";
import type { Definition } from "../../dispenser/definition.ts";
import type { Dispenser } from "../../dispenser/dispenser.ts";
import type { Engine } from "../../engine/engine.ts";
import type { NodeState } from "../node/state.ts";
import { type FencedStore, NotConfirmed } from "../stores/fenced.ts";
import { StoreWentBack } from "../stores/monotonic.ts";
import {
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
import { LeaseSizer } from "./lease-size.ts";
import type { Usage } from "./usage.ts";

/** So many lines are leased in one transaction: etcd allows it 128 operations. */
const LINES_MAX = 40;
/** A lease takes at most this part of what is left of the line, unless more is waited for. */
const FAIR_PART = 8n;
/** Where another node was quicker, a line is leased alone for so long. */
const CONTENDED_MS = 30_000;
/** A line found exhausted is not asked for again for so long: a node that leaves may hand some back. */
const EXHAUSTED_MS = 1000;

interface Want {
  count: number;
  readonly granted: PromiseWithResolvers<void>;
}

export interface LeasingOptions {
  readonly engine: Engine;
  readonly nodeState: NodeState;
  readonly usage: Usage;
  /** A clock that only goes forwards, in milliseconds. */
  readonly now: () => number;
  /** The store leased numbers without this node hearing of it. */
  readonly onLost: (dispenser: Dispenser, numbers: bigint) => void;
}

export class Leasing {
  private readonly engine: Engine;
  private readonly nodeState: NodeState;
  private readonly figures: Usage;
  private readonly now: () => number;
  private readonly onLost: (dispenser: Dispenser, numbers: bigint) => void;
  private wants = new Map<Dispenser, Want>();
  private readonly sizer: LeaseSizer;
  /** Lines of which other nodes leased while this one did: these are leased alone. */
  private readonly contendedUntilMs = new WeakMap<Dispenser, number>();
  /** When a line was found to have nothing left, and how it was defined then: its length may grow. */
  private readonly exhausted = new WeakMap<Dispenser, { atMs: number; definition: Definition }>();

  constructor({ engine, nodeState, usage, now, onLost }: LeasingOptions) {
    this.engine = engine;
    this.nodeState = nodeState;
    this.figures = usage;
    this.now = now;
    this.onLost = onLost;
    this.sizer = new LeaseSizer(now);
  }

  get isWanted(): boolean {
    return this.wants.size > 0;
  }

  /** Whether a line was found to have nothing left, a moment ago. */
  isExhausted(dispenser: Dispenser): boolean {
    const found = this.exhausted.get(dispenser);
    if (found === undefined || found.definition !== dispenser.definition) return false;
    return this.now() - found.atMs < EXHAUSTED_MS;
  }

  /** A line needs so many numbers more. Resolves when it was leased some, or has none. */
  want(dispenser: Dispenser, count: number): Promise<void> {
    let want = this.wants.get(dispenser);
    if (want === undefined) {
      want = { count: 0, granted: Promise.withResolvers() };
      // Nobody may wait for it: a lease ahead of time.
      want.granted.promise.catch(() => {});
      this.wants.set(dispenser, want);
    }
    want.count += count;
    return want.granted.promise;
  }

  /** A line used up its lease as far as was said: whether to ask for the next one already. */
  isLow(dispenser: Dispenser): boolean {
    return this.sizer.isLow(dispenser);
  }

  /** Nothing can be leased now. */
  refuse(error: unknown): void {
    const { wants } = this;
    this.wants = new Map();
    for (const { granted } of wants.values()) granted.reject(error);
  }

  /**
   * Leases for lines that want it, as many as go into one transaction; calls `onStale` first for who
   * waits where one of them turned out to be deleted. Throws LeaseStoreUnavailable.
   */
  async lease(store: FencedStore, onStale: () => Promise<void>): Promise<void> {
    const wants = this.next();
    try {
      // Who came while the lease before was under way may find enough by now.
      const live = wants.filter(
        ([dispenser, { count }]) =>
          !dispenser.isRemoved && (count === 0 || count > dispenser.remaining),
      );
      const { deleted, put } =
        live.length > 0 ? await this.leaseFor(store, live) : { deleted: [], put: [] };
      if (deleted.length > 0) await onStale();
      for (const [dispenser, { granted }] of wants) {
        if (put.includes(dispenser)) continue;
        // Who waits asks again; that must not go on and on.
        const isLeft = deleted.includes(dispenser) && !dispenser.isRemoved;
        if (isLeft)
          granted.reject(new LeaseStoreUnavailable(`it has deleted line ${dispenser.id}`));
        else granted.resolve();
      }
    } catch (error) {
      // It is asked for again in a moment.
      const isPutOff = error instanceof NotConfirmed && !error.wasWritten;
      for (const [dispenser, want] of wants) {
        if (isPutOff) this.putOff(dispenser, want, []);
        else want.granted.reject(error);
      }
      throw error;
    }
  }

  /** What goes into the next transaction: lines that nobody else leases now, or one that others do. */
  private next(): (readonly [Dispenser, Want])[] {
    const all = [...this.wants];
    const isAlone = all.length > 0 && this.isContended(all[0]![0]);
    const wants = isAlone
      ? all.slice(0, 1)
      : all.filter(([dispenser]) => !this.isContended(dispenser)).slice(0, LINES_MAX);
    for (const [dispenser] of wants) this.wants.delete(dispenser);
    return wants;
  }

  /** Answers those whose lines were deleted, and those put off as others leased of them meanwhile. */
  private async leaseFor(
    store: FencedStore,
    asked: readonly (readonly [Dispenser, Want])[],
  ): Promise<{ readonly deleted: readonly Dispenser[]; readonly put: readonly Dispenser[] }> {
    const { nodeState } = this;
    const { node } = nodeState.membership;
    const keysOf = (wants: typeof asked) =>
      wants.flatMap(([{ id }]) => [lineKey(id), usageKey(id, node)]);
    const put: Dispenser[] = [];
    let wants = asked;
    let last: Snapshot["rows"] | undefined;
    const granted = await store.transact([NAMES, ...keysOf(asked)], (rows) => {
      const isChanged = ([{ id }]: (typeof asked)[number]) =>
        last !== undefined && rows.get(lineKey(id))?.revision !== last.get(lineKey(id))?.revision;
      const [others, calm] = [wants.filter(isChanged), wants.filter((want) => !isChanged(want))];
      last = rows;
      // One line that many nodes lease of must not hold up the rest.
      for (const [dispenser] of others) {
        this.contendedUntilMs.set(dispenser, this.now() + CONTENDED_MS);
      }
      if (calm.length > 0) {
        wants = calm;
        for (const [dispenser, want] of others) this.putOff(dispenser, want, put);
      }
      const puts = new Map<string, string>();
      const leases = wants.flatMap(([dispenser, { count }]) =>
        this.planLease(dispenser, count, rows, puts),
      );
      const isDeleted = ({ id }: Dispenser) =>
        isGone(readLine(rows.get(lineKey(id))), rows, nodeState);
      const deleted = wants.flatMap(([dispenser]) => (isDeleted(dispenser) ? [dispenser] : []));
      return { puts, keys: keysOf(wants), result: { leases, deleted } };
    });
    for (const { dispenser, range, size, lost } of granted.leases) {
      if (lost > 0n) this.onLost(dispenser, lost);
      if (dispenser.isRemoved) continue;
      const revision = String(store.seen.revision);
      const count = Number(range.count);
      const threshold = Math.max(1, dispenser.remaining + count - Math.ceil(count / 2));
      this.sizer.leased(dispenser, size);
      this.engine.writeNodeState(nodeState.change({ revision }));
      this.engine.addLease(dispenser, range, threshold);
    }
    return { deleted: granted.deleted, put };
  }

  private isContended(dispenser: Dispenser): boolean {
    return (this.contendedUntilMs.get(dispenser) ?? 0) > this.now();
  }

  private putOff(dispenser: Dispenser, want: Want, put: Dispenser[]): void {
    put.push(dispenser);
    const newer = this.wants.get(dispenser);
    if (newer === undefined) this.wants.set(dispenser, want);
    else {
      newer.count += want.count;
      newer.granted.promise.then(want.granted.resolve, want.granted.reject);
    }
  }

  /** Puts what a lease changes; the lease, if there is one. */
  private planLease(
    dispenser: Dispenser,
    wanted: number,
    rows: Snapshot["rows"],
    puts: Map<string, string>,
  ): { dispenser: Dispenser; range: Range; size: number; lost: bigint }[] {
    const { id, definition, allocation } = dispenser;
    assert(allocation instanceof Leased, "a line of a cluster is leased");
    const key = lineKey(id);
    const line = readLine(rows.get(key));
    if (isGone(line, rows, this.nodeState)) return [];
    if (line === undefined) throw new StoreWentBack(`it does not know line ${id}`);
    if (line.next < allocation.lineEnd) throw new StoreWentBack(`it forgot leases of line ${id}`);
    const size = this.sizer.sizeFor(dispenser, wanted, this.isContended(dispenser));
    // Near its end a line is not leased by one node alone.
    const end = definition.series.positions;
    const fair = (end - line.next) / FAIR_PART;
    const most = BigInt(Math.max(1, wanted, Number(fair)));
    const found = choose(line, allocation.lineEnd, smallest(BigInt(size), most), end);
    if (found === undefined) {
      this.exhausted.set(dispenser, { atMs: this.now(), definition });
      return [];
    }
    this.exhausted.delete(dispenser);
    const { range, rest } = found;
    puts.set(key, encode(rest));
    const figure = usageKey(id, this.nodeState.membership.node);
    const before = readUsage(rows.get(figure));
    const after = this.figures.ofNode(dispenser, before, range.count);
    puts.set(figure, encodeUsage(after));
    const lost = after.lost - (before?.lost ?? 0n);
    return [{ dispenser, range, size, lost }];
  }
}

/** Whether a line was deleted; its row may have been removed since this node last looked at names. */
function isGone(
  line: LineRecord | undefined,
  rows: Snapshot["rows"],
  { membership }: NodeState,
): boolean {
  if (line !== undefined) return line.isDeleted;
  const { purgedTo = "0" } = readNames(rows.get(NAMES)) ?? {};
  return BigInt(membership.namesRevision) < BigInt(purgedTo);
}

/** What to lease: something handed back, where the node has not passed it, or what comes next. */
function choose(
  line: LineRecord,
  passed: bigint,
  size: bigint,
  end: bigint,
): { readonly range: Range; readonly rest: LineRecord } | undefined {
  const index = line.returned.findIndex(({ first }) => first >= passed);
  const back = line.returned[index];
  if (back !== undefined) {
    const count = smallest(size, back.count);
    const left = { first: back.first + count, count: back.count - count };
    const returned = line.returned.toSpliced(index, 1, ...(left.count > 0n ? [left] : []));
    return { range: { first: back.first, count }, rest: { ...line, returned } };
  }
  const count = smallest(size, end - line.next);
  if (count <= 0n) return undefined;
  return { range: { first: line.next, count }, rest: { ...line, next: line.next + count } };
}
