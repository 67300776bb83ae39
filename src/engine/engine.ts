/**
 * All dispensers by name, and the one commit a turn. Commands change dispensers in memory at once
 * and stage what the disk must know; commit() makes the staged durable, or takes it all back.
 *
 * Invariant: a reply that depends on something staged leaves only after commit number `nextCommit`,
 * which dependsOn() answers. The caller holds such a reply, and makes it an error if that commit
 * fails. Names are byte strings (dispenser/name.ts).
 */

import { assert } from "../base/assert.ts";
import { smallest } from "../base/bigint.ts";
import { CannotStart, exhausted, quoted, Refusal } from "../base/errors.ts";
import { type Allocation, type Lease, Striped, wholeLine } from "../dispenser/allocation.ts";
import { type Definition, foretold, periodEndText } from "../dispenser/definition.ts";
import { Dispenser } from "../dispenser/dispenser.ts";
import { toText } from "../dispenser/name.ts";
import { LOCAL_POSITIONS_MAX } from "../dispenser/period-run.ts";
import { prepareClose } from "../dispenser/reserving.ts";
import type { When } from "../dispenser/types/type.ts";
import { usageStep } from "../dispenser/usage.ts";
import type { DeletedLine, DiskUnavailable, Store, StoredDispenser } from "../storage/store.ts";
import { CommitBatch, type NodeStateWriter, unavailability } from "./commit.ts";
import { DatedLines } from "./dated-lines.ts";
import { type DeletedLimits, DeletedLines } from "./deleted-lines.ts";
import { DirtyCounts } from "./dirty-counts.ts";
import { HeldLeases } from "./held-leases.ts";
import type { IndexCapacity } from "./name-index.ts";
import { Periods } from "./periods.ts";
import { type Listed, type NamesInBytes, Registry } from "./registry.ts";

/**
 * With fewer dispensers the processor's caches hold what a GET reads, and prefetching costs more
 * than it gains.
 */
const FETCHED_FROM = 8000;

/**
 * The memory that a dispenser counts beside its name. Measured with 500,000 that were defined in
 * one process and of which a number was taken each, by the anonymous memory of the process before
 * and after: 520 to 790 bytes each with names of 16 bytes, depending on when garbage was last
 * collected, and 1,230 with names of 255, as the index and the dispenser each keep the name.
 */
export const BYTES_BESIDE_NAME = 1000;

export interface Skipped {
  readonly name: string;
  readonly numbers: bigint;
}

/** Limits of new dispensers, and of what is kept of deleted ones. */
export interface EngineLimits extends DeletedLimits {
  /** How many dispensers there may be. */
  readonly dispensersMax: number;
  /** How many bytes a name may have, 1 to 255. */
  readonly nameBytesMax: number;
  /** How many bytes of memory all names may take, as Engine.namesBytes counts them. */
  readonly namesBytesMax: number;
}

const NO_LIMITS: EngineLimits = {
  dispensersMax: Number.POSITIVE_INFINITY,
  nameBytesMax: Number.POSITIVE_INFINITY,
  namesBytesMax: Number.POSITIVE_INFINITY,
  deletedMax: Number.POSITIVE_INFINITY,
  deletedDays: Number.POSITIVE_INFINITY,
};

/** How a line goes on: which numbers come, and when they are shown. */
export interface Upcoming {
  readonly allocation: Allocation;
  readonly when: When;
}

export interface EngineOptions {
  /** None by default. */
  readonly limits?: EngineLimits;
  /** A clock that only goes forwards, in milliseconds. */
  readonly now: () => number;
  /** The Unix time in milliseconds, which may jump; that of the system by default. */
  readonly wallMs?: () => number;
  /** As `now`, but going on while the machine sleeps; `now` by default. */
  readonly bootMs?: () => number;
  /** Whether the owner calls stageCounts() now and then. */
  readonly savesCounts: boolean;
  /** Called when there is something to commit: commit() has to be called in this turn. */
  readonly onStaged?: () => void;
  /** The allocation of a dispenser that has none on disk; the whole line by default. */
  readonly allocation?: Allocation;
  /** How many names it can hold; as many as Bun allows by default. */
  readonly capacity?: IndexCapacity;
}

export class Engine {
  limits: EngineLimits;
  /** The highest id a dispenser ever had. */
  lastId = 0;
  private readonly store: Store;
  private readonly now: () => number;
  private readonly batch: CommitBatch;
  private readonly registry: Registry;
  /** Lines that were deleted, and are kept for a while. */
  readonly deleted: DeletedLines;
  /** Undefined if counts are neither saved nor reported in the background. */
  private readonly dirtyCounts: DirtyCounts | undefined;
  private readonly allocation: Allocation;
  /** Numbers that operators skip with the commit being gathered, by the ids of their lines. */
  private readonly skips = new Map<number, bigint>();
  private readonly heldLeases: HeldLeases;
  /** Lines that show dates. */
  readonly dated: DatedLines;
  /** Lines that begin again in each period. */
  readonly periods: Periods;
  /** The Unix time in milliseconds. */
  readonly wallMs: () => number;
  /** Called once when a dispenser has used its lease up to its threshold. */
  onLeaseLow: (dispenser: Dispenser) => void = () => {};
  /**
   * Called when a line has reached a step of its usage (dispenser/usage.ts), with the numbers that are left
   * for this node; of a leased line with those that nobody has leased yet.
   */
  onUsed: (dispenser: Dispenser, percent: number, remaining: bigint) => void = () => {};
  /** Called by stageCounts() with dispensers of which numbers were taken since it was last called. */
  onTaken: (dispenser: Dispenser) => void = () => {};

  constructor(store: Store, options: EngineOptions) {
    this.store = store;
    this.limits = options.limits ?? NO_LIMITS;
    this.now = options.now;
    this.wallMs = options.wallMs ?? Date.now;
    this.dated = new DatedLines(this.now, this.wallMs, options.bootMs ?? this.now);
    this.batch = new CommitBatch(store, options.onStaged ?? (() => {}), (dispenser) =>
      this.noticeUsage(dispenser),
    );
    this.periods = new Periods(store, this.batch, this.dated.periodClock);
    this.heldLeases = new HeldLeases(this.periods);
    this.allocation = options.allocation ?? wholeLine;
    const { savesCounts } = options;
    this.dirtyCounts =
      savesCounts || this.allocation.isLeased ? new DirtyCounts(savesCounts) : undefined;
    this.deleted = new DeletedLines(store, this.periods, this.allocation, options.now);
    this.registry = new Registry(store.size, this.allocation, options.capacity);
    for (const some of store.load()) {
      for (const stored of some) {
        this.requireLease(stored);
        this.requireRoom(stored);
        const loaded = this.registry.addDormant(stored);
        if (loaded !== undefined) this.heldLeases.add(loaded);
      }
      this.lastId = some.at(-1)?.id ?? this.lastId;
    }
  }

  /**
   * Throws CannotStart if a line counts numbers that it never leased: the row of a lease is
   * missing.
   */
  private requireLease({ name, account, allocation }: StoredDispenser): void {
    if (!this.allocation.isLeased || allocation !== undefined) return;
    if (account === undefined || account.reserved === 0n) return;
    throw new CannotStart(
      `the database is damaged: '${toText(name)}' counts ${account.reserved} numbers, and no lease of them is there; ` +
        "move the folder away, and start the node on an empty one",
    );
  }

  private requireRoom({ name }: StoredDispenser): void {
    if (this.registry.fits(name.length, false)) return;
    throw new CannotStart(
      `the database has more dispensers than one server can hold: ${this.size} fit; ` +
        "spread them over several servers",
    );
  }

  /** The number of the commit that is being gathered, counted from 1. */
  get nextCommit(): number {
    return this.batch.number;
  }

  /** Whether the commit that is being gathered has anything to write. */
  get isStaged(): boolean {
    return !this.batch.isEmpty;
  }

  /** Whether new dispensers have a stripe of their line, of which other nodes do not hear. */
  get isStriped(): boolean {
    return this.allocation instanceof Striped;
  }

  get size(): number {
    return this.registry.size;
  }

  /** The memory that all dispensers take, in bytes, where each counts the same and its name. */
  get namesBytes(): number {
    return BYTES_BESIDE_NAME * this.size + this.registry.nameBytes;
  }

  /**
   * How many numbers each dispenser lost in the crash of the last life. The next commit counts them
   * as wasted on disk, so that no later life tells of them again.
   */
  skippedByCrash(): readonly Skipped[] {
    const losers = [...this.registry.loaded()].filter(({ skipped }) => skipped > 0n);
    for (const dispenser of losers) this.batch.stage(dispenser);
    return losers.map(({ name, skipped }) => ({ name, numbers: skipped }));
  }

  find(name: string): Dispenser | undefined {
    return this.registry.find(name);
  }

  /** The dispenser of this name, to be read alone and at once: a dormant one is not loaded. */
  view(name: string): Dispenser | undefined {
    return this.registry.view(name);
  }

  /** The dispenser of the name whose bytes these are. */
  findBytes(bytes: Uint8Array, from: number, to: number): Dispenser | undefined {
    return this.registry.findBytes(bytes, from, to);
  }

  /** Whether there are so many dispensers that prefetch() pays. */
  get prefetches(): boolean {
    return this.size >= FETCHED_FROM;
  }

  /** Loads what taking a number of each of these will read into the processor's caches. */
  prefetch(names: NamesInBytes): void {
    this.registry.prefetch(names);
  }

  /** Whether there is a dispenser of this name. */
  has(name: string): boolean {
    return this.registry.has(name);
  }

  /** Whether a line has leased numbers to hand out. It may be true for some calls too long. */
  get holdsLeases(): boolean {
    return this.heldLeases.look();
  }

  /** All dispensers, in the order in which they were made. */
  all(): Iterable<Dispenser> {
    return this.registry.all();
  }

  /** The dispensers that somebody asked for in this life, in no particular order. */
  loaded(): Iterable<Dispenser> {
    return this.registry.loaded();
  }

  /**
   * The names and ids of dispensers with an id above `after`, in the order in which they were made.
   * The caller may go through them bit by bit, while dispensers come and go.
   */
  list(after = 0): Iterable<Listed> {
    return this.registry.list(after);
  }

  /** The commit that a reply with numbers of this name has to wait for; 0 for none. */
  dependsOn(name: string, dispenser: Dispenser | undefined): number {
    if (dispenser !== undefined && dispenser.taken > dispenser.reserved) return this.nextCommit;
    return this.dependsOnName(name);
  }

  /** The commit that a reply about the definition of this name has to wait for; 0 for none. */
  dependsOnName(name: string): number {
    return this.batch.changes(name) ? this.nextCommit : 0;
  }

  /** The commit that a reply about all names has to wait for; 0 for none. */
  dependsOnNames(): number {
    return this.batch.changesNames ? this.nextCommit : 0;
  }

  /** How many bytes the next number of a dispenser takes; 0 if it has none. */
  nextBytes(dispenser: Dispenser): number {
    const bytes = dispenser.nextBytes;
    return bytes > 0 || !dispenser.definition.isDated ? bytes : this.openDated(dispenser);
  }

  private openDated(dispenser: Dispenser): number {
    return this.periods.begin(dispenser) ? this.dated.openNow(dispenser) : 0;
  }

  /** How a line goes on now: in another period, where the clock has come to one. */
  upcoming(dispenser: Dispenser): Upcoming {
    const allocation = this.periods.upcoming(dispenser);
    return { allocation, when: { wallMs: this.wallMs(), period: allocation.period } };
  }

  /**
   * The number that comes next, as GET would write it now; on an exhausted line, the one that would
   * come; "0" of a type that is not to be foretold.
   */
  next(dispenser: Dispenser): string {
    const { allocation, when } = this.upcoming(dispenser);
    return foretold(dispenser.definition, allocation.toLine(dispenser.position), when);
  }

  /** Why a line has no number: it is at its end, or its period is. */
  exhausted(dispenser: Dispenser): Refusal {
    const { name, definition, position } = dispenser;
    const { when } = this.upcoming(dispenser);
    // While the clock is held nobody knows when the next period begins.
    const isOpen = position >= LOCAL_POSITIONS_MAX || this.dated.periodClock.heldMs > 0;
    return exhausted(name, isOpen ? undefined : periodEndText(definition, when));
  }

  /**
   * Hands out the next number of a dispenser that has one (nextBytes > 0), into `into[at]` and on.
   */
  take(dispenser: Dispenser, into: Uint8Array, at: number): void {
    dispenser.take(into, at);
    if (dispenser.taken >= dispenser.refillThreshold && !dispenser.isStaged) this.refill(dispenser);
    if (!dispenser.isQueued) this.dirtyCounts?.add(dispenser);
  }

  private refill(dispenser: Dispenser): void {
    const { allocation, reservesInMemory } = dispenser;
    // Of any other line its usage is noticed once it is committed.
    if (reservesInMemory && !allocation.isLeased) return this.noticeUsage(dispenser);
    this.batch.stage(dispenser);
    if (!allocation.isLeased || dispenser.taken < dispenser.noticeThreshold) return;
    dispenser.noticeThreshold = Number.POSITIVE_INFINITY;
    this.onLeaseLow(dispenser);
  }

  /** Tells of a line that has reached a step of its usage. */
  private noticeUsage(dispenser: Dispenser): void {
    const { allocation, taken, noticeThreshold } = dispenser;
    if (allocation.isLeased || taken < noticeThreshold) return;
    const { usage } = dispenser;
    this.onUsed(dispenser, usageStep(usage)!, usage.size - usage.used);
    dispenser.setUsageNotice();
    dispenser.updateThresholds();
  }

  /**
   * The number last taken is part of a reply that waits for the commit: if that fails, nobody gets
   * the number, and it counts as wasted.
   */
  markUncertain(dispenser: Dispenser): void {
    this.batch.markUncertain(dispenser);
  }

  /** Why there may be no further dispenser, or none of this name. */
  refuseNew(name: string): Refusal | undefined {
    const { dispensersMax, nameBytesMax, namesBytesMax } = this.limits;
    if (name.length > nameBytesMax) {
      return new Refusal(
        `ERR invalid dispenser name: it may have ${nameBytesMax} bytes (limits.name_bytes), and has ${name.length}: ${quoted(name)}`,
      );
    }
    if (this.size >= dispensersMax) {
      return new Refusal(
        `ERR max number of dispensers reached: limits.dispensers is ${dispensersMax}`,
      );
    }
    if (this.namesBytes + BYTES_BESIDE_NAME + name.length > namesBytesMax) {
      return new Refusal(
        `ERR max memory of names reached: limits.names_bytes is ${namesBytesMax}, where a dispenser counts ` +
          `${BYTES_BESIDE_NAME} and its name. Delete dispensers, or raise the limit if there is more memory`,
      );
    }
    if (!this.registry.fits(name.length, true)) {
      return new Refusal(
        `ERR max number of dispensers reached: one server can hold no more than these ${this.size}. ` +
          "Delete dispensers, or define others on another server",
      );
    }
    return undefined;
  }

  /** The name of the dispenser with this id. */
  nameOf(id: number): string | undefined {
    return this.registry.nameOf(id);
  }

  /**
   * Adds a dispenser, with an id that no other has. Given the account of a deleted line, and its run,
   * it goes on behind that.
   */
  create(
    id: number,
    name: string,
    definition: Definition,
    deleted?: Pick<DeletedLine, "account" | "run">,
  ): void {
    const found = deleted && { ...deleted, segmentEnd: undefined };
    const dispenser = new Dispenser(id, name, definition, this.allocation, found);
    this.lastId = Math.max(this.lastId, id);
    this.registry.add(dispenser);
    this.batch.change(name, () => {
      this.registry.remove(dispenser);
      dispenser.isRemoved = true;
    });
    this.store.stage({ kind: "define", id, name, definition });
    if (found === undefined) return;
    dispenser.writeAnew();
    this.batch.stage(dispenser);
  }

  /** Gives a dispenser another strategy, or lets its line grow. */
  redefine(dispenser: Dispenser, definition: Definition): void {
    const { id, name, definition: before } = dispenser;
    this.batch.change(name, dispenser.snapshot());
    dispenser.redefine(definition);
    this.store.stage({ kind: "define", id, name, definition });
    if (definition.strategy !== before.strategy) this.batch.stage(dispenser);
  }

  /** Removes a dispenser. */
  remove(dispenser: Dispenser): void {
    const { id, name } = dispenser;
    dispenser.isRemoved = true;
    this.registry.remove(dispenser);
    this.heldLeases.remove(dispenser);
    this.dated.remove(dispenser);
    this.batch.change(name, () => {
      this.registry.add(dispenser);
      this.heldLeases.add(dispenser);
      dispenser.isRemoved = false;
    });
    this.store.stage({ kind: "remove", id });
  }

  /** Lets a line go on at a later local position; what lies between counts as wasted. */
  advanceTo(dispenser: Dispenser, position: bigint): void {
    const { id, name, keepsNothing } = dispenser;
    const numbers = position - dispenser.position;
    this.batch.change(name, dispenser.snapshot());
    dispenser.advance(position);
    this.batch.stage(dispenser);
    // A line in memory counts from the start of this life, and the table does not.
    if (keepsNothing) return;
    this.store.stage({ kind: "skip", id, numbers });
    this.skips.set(id, (this.skips.get(id) ?? 0n) + numbers);
  }

  /** How many numbers of a line an operator skipped: ADVANCE, restore, import, margins. */
  skippedByOperator({ id, keepsNothing }: Dispenser): bigint {
    return keepsNothing ? 0n : this.store.skippedOf(id) + (this.skips.get(id) ?? 0n);
  }

  /**
   * Skips so many numbers of a line, or all that are left, which count as wasted. Of a line with
   * periods so many of the present one, and of each that has begun since by the clock.
   */
  skip(dispenser: Dispenser, numbers: bigint): void {
    if (!dispenser.hasPositions) return;
    this.skipAhead(dispenser, numbers);
    if (this.periods.beginSkipping(dispenser, numbers)) this.skipAhead(dispenser, numbers);
  }

  private skipAhead(dispenser: Dispenser, numbers: bigint): void {
    const { position, size } = dispenser;
    if (position < size) this.advanceTo(dispenser, position + smallest(numbers, size - position));
  }

  /** Skips all numbers that a dispenser has below a position of the line, in a period of it. */
  skipBelow(dispenser: Dispenser, position: bigint, period: number): void {
    const { allocation } = dispenser;
    if (period !== allocation.period)
      return this.periods.skipAheadBelow(dispenser, position, period);
    const local = allocation.countBelow(position);
    if (local > dispenser.position) this.advanceTo(dispenser, local);
  }

  /**
   * Takes over a lease, with the commit being gathered; if that fails it is lost. After `threshold`
   * more numbers onLeaseLow() is called. `isEarly`: it was leased for a period to come.
   */
  addLease(dispenser: Dispenser, lease: Lease, threshold: number, isEarly = false): void {
    this.periods.adopt(dispenser, lease, threshold, isEarly);
    this.heldLeases.add(dispenser);
  }

  /**
   * Stages the removal of a few deleted lines that are too old or too many. To be called now and
   * then.
   */
  stagePurge(): void {
    if (this.deleted.purge(this.limits)) this.batch.announce();
  }

  /** Stages that all deleted lines skip so many numbers, which count as wasted. */
  skipDeleted(numbers: bigint): void {
    this.deleted.skip(numbers);
    this.batch.announce();
  }

  /** The commit being gathered writes the state of the node. */
  writeNodeState(node: NodeStateWriter): void {
    this.batch.writeNodeState(node);
  }

  /**
   * Makes durable what is staged, and begins to gather the next commit. Answers undefined, or why
   * nothing was written: everything staged is then as it was before. Throws DiskBroken, after which
   * no reply may leave.
   */
  commit(): DiskUnavailable | undefined {
    const failure = this.batch.commit(this.now);
    this.skips.clear();
    this.periods.commitEnded();
    this.deleted.commitEnded();
    this.registry.compact();
    return failure;
  }

  /** Housekeeping of the store. Answers why it could not be done now. */
  maintain(): DiskUnavailable | undefined {
    return unavailability(() => this.store.maintain());
  }

  /** Copies what is committed to a new file; throws what Store.backUp() throws. */
  backUp(path: string): Promise<void> {
    return this.store.backUp(path);
  }

  /**
   * Stages counts that changed since they were written, if they are saved in the background;
   * uniqueness does not depend on them.
   */
  stageCounts(): void {
    this.dirtyCounts?.stage(this.batch, this.onTaken);
  }

  /**
   * The clean close: saves positions and counts. No number may be taken after it. Answers how many
   * numbers it skipped for good. Throws what Store.close() throws.
   */
  close(): bigint {
    assert(this.batch.isEmpty, "close() with a commit under way");
    let skipped = 0n;
    for (const dispenser of this.registry.loaded()) {
      if (!dispenser.needsClose) continue;
      const { wasted } = dispenser.counts;
      const reservation = prepareClose(dispenser);
      skipped += reservation.account.wasted - wasted;
      this.store.stage({ kind: "reserve", reservation });
    }
    this.registry.clear();
    this.store.close();
    return skipped;
  }
}
