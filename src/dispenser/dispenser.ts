/**
 * One dispenser: its position on the line, its reservation, its counts. It works out numbers; what
 * a commit writes of it, and what that changes in it, is in reserving.ts. All of its state is in
 * one object (the class says why), so what reserving.ts uses is not private.
 *
 * Invariant: position = generated + wasted, so `wasted` is never kept but always the difference.
 * Positions are exact (BigInt) where they meet the disk. While the server runs they are counted as
 * plain numbers from `origin`, the position at which this life, or the last ADVANCE, began. They
 * are local positions, which the allocation (allocation.ts) maps to the line.
 */

import { assert } from "../base/assert.ts";
import { largest, smallest } from "../base/bigint.ts";
import { type Allocation, type Lease, type LeaseAhead, Leased, wholeLine } from "./allocation.ts";
import { type Definition, foretoldPlain, numbersLeft, openNumbers } from "./definition.ts";
import { PeriodRun, type Run } from "./period-run.ts";
import type { Account, Counts, Recovered } from "./reservation.ts";
import { type Strategy, strategies } from "./strategy.ts";
import type { NumberSource } from "./types/type.ts";
import { nextUsageStep, STEPS_OF_LINE, STEPS_OF_PERIOD, type Steps, type Usage } from "./usage.ts";

const NEW: Account = { reserved: 0n, generated: 0n, wasted: 0n };

const NOTHING: Counts = { generated: 0n, wasted: 0n };

/**
 * A position in memory: a plain number where that is exact, because a BigInt takes memory of its
 * own.
 */
type Position = number | bigint;

export const compact = (position: bigint): Position =>
  position <= Number.MAX_SAFE_INTEGER ? Number(position) : position;

/**
 * `change`: the next commit writes nothing of a line but its counts. Each value includes those
 * before.
 */
export const NONE = 0;
/**
 * The line moves. All its replies wait for that commit, so none of them pays for a number ahead.
 */
export const MOVED = 1;
/** The strategy or the restart point changes: the rows of the line before that go. */
export const REPLACED = 2;

/** State that most dispensers do not have: all of those share one object. */
interface RareState {
  /**
   * Numbers that lay reserved when the last life crashed, and that the disk does not yet count as
   * wasted.
   */
  readonly skipped: bigint;
  /**
   * Where a line in memory starts over: where it stood when it became so, or after the last
   * ADVANCE.
   */
  readonly restartPoint: Account;
  /** And the run in which that lies, of a line with periods. */
  readonly restartRun: Run | undefined;
  /** Counts from before this life, which a line in memory does not show. */
  readonly countsBefore: Counts;
}

const NO_RARE_STATE: RareState = {
  skipped: 0n,
  restartPoint: NEW,
  restartRun: undefined,
  countsBefore: NOTHING,
};

/** A million of them may be in memory: with 26 fields one takes 224 bytes, with 27 already 256. */
export class Dispenser {
  // The fields that a GET reads come first, so that they lie side by side in memory.

  /** Writes the numbers from the present position on; undefined until it is needed. */
  source: NumberSource | undefined;
  /** Numbers taken since `origin`. */
  taken = 0;
  /**
   * When `taken` gets here, the source ends: the next position is elsewhere on the line, or there
   * is none.
   */
  private sourceEnd = 0;
  /** How far the committed reservation reaches, counted from `origin`. */
  reserved = 0;
  /**
   * When `taken` gets here, the engine stages the dispenser, to reserve more or to ask for a lease.
   */
  refillThreshold = 0;
  /** Whether it waits for its counts to be saved (DirtyCounts). */
  isQueued = false;
  /** Whether it is in the commit being gathered. */
  isStaged = false;
  /** Whether DEL took it: nothing more is written of it. */
  isRemoved = false;

  readonly id: number;
  /** The name as a byte string (name.ts). */
  readonly name: string;
  definition: Definition;
  /** Maps local positions to the line. */
  allocation: Allocation;
  /**
   * When `taken` gets here, the engine is told: a leased line needs another lease, any other has
   * reached the next step of its usage (dispenser/usage.ts).
   */
  noticeThreshold = Number.POSITIVE_INFINITY;

  private origin: Position;
  /** Numbers that the allocation had left at `origin`; Infinity for a type without positions. */
  capacity: number;
  private generatedAtOrigin: number;
  private readonly generatedAtStart: number;
  /**
   * Numbers of this life that had left when the last commit was over. Later ones may still be on
   * their way, behind the reply of another dispenser for example, so they pay for nothing ahead
   * yet.
   */
  acknowledged = 0;
  generatedSaved: number;
  /** `taken` when the counts were last written. */
  takenSaved = 0;
  segmentEnd: Position;
  change = NONE;
  /** Numbers below the reservation whose reply waits for the next commit all the same. */
  private uncertain = 0;
  /** When numbers were last reserved ahead. */
  reservedAtMs = Number.NEGATIVE_INFINITY;
  takenAtReserve = 0;
  rareState = NO_RARE_STATE;

  constructor(
    id: number,
    name: string,
    definition: Definition,
    allocation: Allocation = wholeLine,
    recovered?: Recovered,
  ) {
    this.id = id;
    this.name = name;
    this.definition = definition;
    // Leases have their periods themselves.
    this.allocation =
      definition.hasPeriods && !allocation.isLeased
        ? new PeriodRun(allocation, recovered?.run)
        : allocation;
    const account = this.accountAtStart(recovered?.account ?? NEW);
    this.origin = compact(account.reserved);
    this.capacity = numbersLeft(this.definition, this.allocation, account.reserved);
    this.generatedAtOrigin = Number(account.generated);
    this.generatedAtStart = this.generatedAtOrigin;
    this.generatedSaved = this.generatedAtOrigin;
    this.segmentEnd = compact(recovered?.segmentEnd ?? account.reserved);
    const skipped = account.reserved - account.generated - account.wasted;
    if (this.hasPositions && skipped > 0n) this.rareState = { ...this.rareState, skipped };
    if (this.keepsNothing && account !== NEW) {
      const restart = { restartPoint: account, restartRun: this.run };
      this.rareState = { ...this.rareState, ...restart, countsBefore: this.counts };
    }
    this.setUsageNotice();
    this.updateThresholds();
  }

  /**
   * How many bytes the next number takes; 0 when the line is exhausted, or shows dates and is not
   * open: then openSource() has to be called with the time.
   */
  get nextBytes(): number {
    if (this.source !== undefined && this.taken !== this.sourceEnd) return this.source.bytes;
    return this.definition.isDated ? 0 : this.openSource();
  }

  /**
   * Opens the source at the present position, if there is a number; answers how many bytes that
   * takes. Dates show the Unix time `wallMs`, in milliseconds.
   */
  openSource(wallMs = 0): number {
    if (this.taken >= this.capacity) return 0;
    const { definition, allocation, hasPositions, position } = this;
    const when = { wallMs, period: allocation.period };
    this.source = openNumbers(definition, hasPositions ? allocation.toLine(position) : 0n, when);
    const run = hasPositions ? allocation.contiguous(position) : Number.POSITIVE_INFINITY;
    this.sourceEnd = Math.min(this.capacity, this.taken + Number(run));
    return this.source.bytes;
  }

  /** Its source shows dates that hold no longer. */
  closeSource(): void {
    this.source = undefined;
  }

  /** How many numbers are left; Infinity for a type without positions. */
  get remaining(): number {
    return this.capacity - this.taken;
  }

  /** Hands out the next number: its `nextBytes` bytes go to `into[at]` and on. */
  take(into: Uint8Array, at: number): void {
    assert(this.nextBytes > 0, "take() on an exhausted line");
    this.taken++;
    this.source!.next(into, at);
  }

  /** The number last taken is part of a reply that waits for the next commit. */
  markUncertain(): void {
    this.uncertain++;
  }

  /** That commit is over: if it failed, nobody got the uncertain numbers, and they are wasted. */
  resolveUncertain(isLost: boolean): void {
    if (isLost) this.generatedAtOrigin -= this.uncertain;
    this.uncertain = 0;
  }

  /** Numbers handed out over the dispenser's life. */
  get generated(): number {
    return this.generatedAtOrigin + this.taken;
  }

  /** Numbers handed out since this life began. */
  get generatedInLife(): number {
    return this.generated - this.generatedAtStart;
  }

  /** The local position of the next number; 0 for a type without positions. */
  get position(): bigint {
    return this.hasPositions ? this.start + BigInt(this.taken) : 0n;
  }

  /**
   * The next number without its format (on an exhausted line, the one that would come); 0 for a type
   * whose numbers are not to be foretold.
   */
  get current(): string {
    return foretoldPlain(this.definition, this.allocation.toLine(this.position));
  }

  /** The counts as INFO shows them. */
  get counts(): Counts {
    const { generated, wasted } = this.account(this.position);
    return {
      generated: generated - this.rareState.countsBefore.generated,
      wasted: wasted - this.rareState.countsBefore.wasted,
    };
  }

  /** Whether the counts changed since they were last written. */
  get hasDirtyCounts(): boolean {
    // A number that a failed MGET took changes `taken` alone: it counts as wasted, not as
    // generated.
    const isSaved = this.generated === this.generatedSaved && this.taken === this.takenSaved;
    return !this.keepsNothing && !isSaved;
  }

  /** Whether the clean close has something to save. */
  get needsClose(): boolean {
    const liesAhead = !this.reservesInMemory && this.reserved > this.taken;
    return this.hasDirtyCounts || liesAhead || this.skipped > 0n;
  }

  /**
   * Numbers that the last life lost in its crash, and that the disk does not yet count as wasted.
   */
  get skipped(): bigint {
    return this.rareState.skipped;
  }

  /** Whether each of its numbers has a position, so that none comes twice. */
  get hasPositions(): boolean {
    return this.definition.type.hasPositions;
  }

  get strategy(): Strategy {
    return strategies[this.definition.strategy];
  }

  /** `origin` as a BigInt. */
  get start(): bigint {
    return BigInt(this.origin);
  }

  get keepsNothing(): boolean {
    return this.hasPositions && this.strategy.keeps === "definition";
  }

  /** Goes on at a later position; what lies between counts as wasted. */
  advance(position: bigint): void {
    assert(position >= this.position, "advance() goes only forwards");
    const reserved = this.start + BigInt(this.reservesInMemory ? 0 : this.reserved);
    const skipped = position - this.position;
    this.generatedAtOrigin = this.generated;
    this.origin = compact(position);
    this.capacity = numbersLeft(this.definition, this.allocation, position);
    this.noticeThreshold -= this.taken + Number(skipped);
    this.source = undefined;
    this.taken = 0;
    this.takenSaved = 0;
    this.takenAtReserve = 0;
    this.reserved = reserved > position ? Number(reserved - position) : 0;
    this.change = Math.max(this.change, MOVED);
    this.setRestartPoint();
    this.updateThresholds();
  }

  /** Skips so many numbers, or all that are left, of the line or of its period. */
  skipAhead(numbers: bigint): void {
    const left = largest(this.size - this.position, 0n);
    this.advance(this.position + smallest(numbers, left));
  }

  /**
   * Adds a leased range to the allocation. Its numbers wait for the commit under way, as those of
   * any changed line do. After `threshold` more numbers the node asks for the next lease.
   */
  extend(first: bigint, count: bigint, threshold: number): void {
    assert(this.allocation instanceof Leased, "extend() of what is not leased");
    const used = this.start + BigInt(Math.min(this.taken, this.reserved));
    this.lease(this.allocation.with(first, count, used), threshold);
  }

  /**
   * Goes on with a lease of a later period, from one of its numbers on; what is left of those before
   * is skipped.
   */
  enterLease(lease: Lease, threshold: number, from = lease.first): void {
    assert(this.allocation instanceof Leased, "enterLease() of what is not leased");
    const allocation = this.allocation.entering(lease);
    this.allocation = allocation;
    this.advance(allocation.ranges[0]!.local + from - lease.first);
    this.lease(allocation, threshold);
  }

  /** Keeps a lease of a later period until the line enters that. */
  holdAhead(lease: LeaseAhead): void {
    assert(this.allocation instanceof Leased, "holdAhead() of what is not leased");
    this.allocation = this.allocation.withAhead(lease);
  }

  private lease(allocation: Leased, threshold: number): void {
    this.allocation = allocation;
    this.capacity = numbersLeft(this.definition, allocation, this.start);
    this.noticeThreshold = this.taken + threshold;
    this.updateThresholds();
  }

  /** The run that it is in, of a line with periods that has begun. */
  get run(): Run | undefined {
    const { allocation } = this;
    return allocation instanceof PeriodRun && allocation.hasBegun ? allocation.run : undefined;
  }

  /**
   * Goes on in another period. Where it has been in that, so little may be left that the next commit
   * lowers the reservation to the exact position.
   */
  enter(run: PeriodRun): void {
    this.allocation = run;
    this.source = undefined;
    this.capacity = numbersLeft(this.definition, run, this.start);
    if (!this.keepsNothing) {
      const isBack = run.start < this.position;
      this.change = Math.max(this.change, isBack ? REPLACED : MOVED);
      if (isBack) this.reserved = this.taken;
    }
    this.setUsageNotice();
    this.updateThresholds();
  }

  /**
   * Changes the strategy, or a field that grew. Where the strategy changes, the next commit sets
   * the reservation to the exact position.
   */
  redefine(definition: Definition): void {
    const isSwitch = definition.strategy !== this.definition.strategy;
    this.definition = definition;
    this.source = undefined;
    this.capacity = numbersLeft(definition, this.allocation, this.start);
    if (isSwitch) {
      this.rareState = { ...this.rareState, countsBefore: NOTHING };
      this.change = REPLACED;
      this.reserved = this.taken;
      this.setRestartPoint();
    }
    this.setUsageNotice();
    this.updateThresholds();
  }

  /**
   * It goes on behind numbers of a deleted line, and has no row yet: the next commit writes all of
   * it.
   */
  writeAnew(): void {
    this.change = REPLACED;
  }

  /**
   * The account that is kept when it is deleted, and its run: its exact position, or the restart
   * point of a line in memory.
   */
  get keptWhenDeleted(): { readonly account: Account; readonly run: Run | undefined } {
    const { restartPoint, restartRun } = this.rareState;
    return this.keepsNothing
      ? { account: restartPoint, run: restartRun }
      : { account: this.account(this.position), run: this.run };
  }

  /** From now on a line in memory starts over here: the only thing that it writes. */
  private setRestartPoint(): void {
    if (!this.keepsNothing) return;
    const restart = { restartPoint: this.account(this.position), restartRun: this.run };
    this.rareState = { ...this.rareState, ...restart };
    this.change = REPLACED;
  }

  /**
   * Answers what brings the dispenser back to how it is now, except for the engine's three flags.
   */
  snapshot(): () => void {
    const fields = { ...this, source: undefined };
    return () => {
      const { isQueued, isStaged, isRemoved } = this;
      Object.assign(this, fields, { isQueued, isStaged, isRemoved });
    };
  }

  /**
   * Whether numbers leave without a reservation: those of a line in memory, and of a type without
   * positions.
   */
  get reservesInMemory(): boolean {
    return this.keepsNothing || !this.hasPositions;
  }

  /**
   * The account with which this life begins. The row of a leased line in memory is no reservation,
   * so such a line goes on behind all that it leased, and what it had left of that is lost.
   */
  private accountAtStart(account: Account): Account {
    if (!(this.allocation instanceof Leased) || !this.keepsNothing) return account;
    const { generated } = account;
    const reserved = this.allocation.end;
    return { reserved, generated, wasted: reserved - generated };
  }

  /** Works out `reserved` and `refillThreshold` anew, after what they follow from changed. */
  updateThresholds(): void {
    if (this.reservesInMemory) this.reserved = Number.POSITIVE_INFINITY;
    const ahead = this.reserved - this.taken;
    const refillAt =
      this.reserved >= this.capacity || this.reservesInMemory
        ? Number.POSITIVE_INFINITY
        : this.taken + Math.max(1, Math.ceil(ahead / 2));
    this.refillThreshold = Math.min(refillAt, this.noticeThreshold);
  }

  /** How many numbers of its line there are for this node; 0 for a type without positions. */
  get size(): bigint {
    return this.allocation.size(this.definition.series.positions);
  }

  /** How far the line is used up, or its period: in steps of this usage notices come. */
  get usage(): Usage {
    const { start } = this.allocation;
    return { used: this.position - start, size: this.size - start, steps: this.steps };
  }

  private get steps(): Steps {
    return this.definition.hasPeriods ? STEPS_OF_PERIOD : STEPS_OF_LINE;
  }

  /** The next notice comes at the next step of the usage; for a leased line extend() sets it. */
  setUsageNotice(): void {
    if (this.allocation.isLeased) return;
    const next = this.hasPositions ? nextUsageStep(this.usage) : undefined;
    this.noticeThreshold =
      next === undefined
        ? Number.POSITIVE_INFINITY
        : Number(next + this.allocation.start - this.start);
  }

  account(reserved: bigint): Account {
    const generated = BigInt(this.generated);
    return { reserved, generated, wasted: this.hasPositions ? this.position - generated : 0n };
  }
}
