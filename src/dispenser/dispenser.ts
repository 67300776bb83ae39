/**
 * One dispenser: its position on the line, its reservation, its counts. It works out numbers and
 * says what must be committed; it commits nothing itself.
 *
 * Invariant: position = generated + wasted, so `wasted` is never kept but always the difference.
 * Positions are exact (BigInt) where they meet the disk. While the server runs they are counted
 * as plain numbers from `origin`, the position at which this life, or the last ADVANCE, began. They
 * are the node's own positions; its share of the line (share.ts) makes positions of the line of them.
 */

import { assert } from "../base/assert.ts";
import { type Allocation, Leased, wholeLine } from "./allocation.ts";
import { type Definition, numbersLeft } from "./definition.ts";
import type { Account, Counts, Recovered, Reservation, Segment } from "./reservation.ts";
import { reserveAhead, type Strategy, segmentBeyond, strategies } from "./strategy.ts";
import { numberAt, positionOf } from "./types/line.ts";
import type { NumberSource } from "./types/type.ts";

const NEW: Account = { reserved: 0n, generated: 0n, wasted: 0n };

const NOTHING: Counts = { generated: 0n, wasted: 0n };

/**
 * A position in memory. A million dispensers keep it for long, and a BigInt takes memory of its own: so it is a
 * plain number where that is exact.
 */
type Position = number | bigint;

const compact = (position: bigint): Position =>
  position <= Number.MAX_SAFE_INTEGER ? Number(position) : position;

/** What the next commit changes of a line beside its counts; a later one includes those before. */
const NONE = 0;
/** It moves. All its replies wait for that commit then, so none of them pays for a number ahead. */
const MOVED = 1;
/** Its strategy, or where it starts over: what was kept of it before is to go. */
const REPLACED = 2;

/** What most dispensers have nothing of; one object for all of those. */
interface RareState {
  /** Numbers that lay reserved when the last life ended, are lost, and not on disk as wasted. */
  readonly skipped: bigint;
  /** Where a line in memory starts over: as it stood when it became so, or after ADVANCE. */
  readonly restartPoint: Account;
  /** What the counts of a line that starts over in memory do not show: all before this life. */
  readonly countsBefore: Counts;
}

const NO_RARE_STATE: RareState = { skipped: 0n, restartPoint: NEW, countsBefore: NOTHING };

/** A million of them are in memory. With 26 fields one takes 224 bytes there, with 27 already 256. */
export class Dispenser {
  // What a GET looks at comes first: it lies side by side in memory.

  /** The supply, open at the present position; undefined until it is needed. */
  private source: NumberSource | undefined;
  /** Numbers taken since `origin`. */
  taken = 0;
  /** When `taken` gets here, the supply ends: with the share, or with what lies side by side in it. */
  private sourceEnd = 0;
  /** How far the committed reservation reaches, counted from `origin`. */
  reserved = 0;
  /** When `taken` gets here, the next run is to be reserved. */
  refillThreshold = 0;
  /** Whether numbers were taken since the counts were last looked through for saving. */
  isQueued = false;
  /** Whether it is in the commit being gathered. */
  isStaged = false;
  /** Whether DEL took it: nothing more is written of it. */
  isRemoved = false;

  readonly id: number;
  /** The name as a byte string (name.ts). */
  readonly name: string;
  definition: Definition;
  /** Which positions of the line the own ones are. */
  allocation: Allocation;
  /** When `taken` gets here, another lease is to be asked for. */
  leaseThreshold = Number.POSITIVE_INFINITY;

  private origin: Position;
  /** Numbers the line still had at `origin`; Infinity for a type without one. */
  private capacity: number;
  private generatedAtOrigin: number;
  private readonly generatedAtStart: number;
  /**
   * Numbers of this life that had left when the last commit was over. Later ones may still be under
   * way, be it behind the reply of another dispenser: they pay for nothing ahead yet.
   */
  private acknowledged = 0;
  private generatedSaved: number;
  /** What `taken` was when the disk last learned the counts. */
  private takenSaved = 0;
  private segmentEnd: Position;
  private change = NONE;
  /** Numbers taken within the reservation whose reply waits for the next commit all the same. */
  private uncertain = 0;
  /** When numbers were last reserved ahead; never, so far. */
  private reservedAtMs = Number.NEGATIVE_INFINITY;
  private takenAtReserve = 0;
  private rareState = NO_RARE_STATE;

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
    this.allocation = allocation;
    const account = this.accountAtStart(recovered?.account ?? NEW);
    this.origin = compact(account.reserved);
    this.capacity = numbersLeft(this.definition, this.allocation, account.reserved);
    this.generatedAtOrigin = Number(account.generated);
    this.generatedAtStart = this.generatedAtOrigin;
    this.generatedSaved = this.generatedAtOrigin;
    this.segmentEnd = compact(recovered?.segmentEnd ?? account.reserved);
    const skipped = account.reserved - account.generated - account.wasted;
    if (this.isLine && skipped > 0n) this.rareState = { ...this.rareState, skipped };
    if (this.keepsNothing && account !== NEW) {
      this.rareState = { ...this.rareState, restartPoint: account, countsBefore: this.counts };
    }
    this.updateThresholds();
  }

  /** How many digits the next number has; 0 when the line is exhausted. */
  get digits(): number {
    if (this.source === undefined || this.taken === this.sourceEnd) return this.openSource();
    return this.source.digits;
  }

  /** The first digit of the next number, in ASCII; 0 where it is not known yet. */
  get firstDigit(): number {
    return this.source === undefined ? 0 : this.source.firstDigit;
  }

  /** Opens the supply at the present position, if there is one; answers the digits of its number. */
  private openSource(): number {
    if (this.taken >= this.capacity) return 0;
    const { definition, allocation, isLine, position } = this;
    const first = isLine ? allocation.toLine(position) : 0n;
    this.source = definition.type.open(definition, first);
    const run = isLine ? allocation.contiguous(position) : Number.POSITIVE_INFINITY;
    this.sourceEnd = Math.min(this.capacity, this.taken + Number(run));
    return this.source.digits;
  }

  /** How many numbers are left on the line, Infinity for a type without one. */
  get remaining(): number {
    return this.capacity - this.taken;
  }

  /** Hands out the next number: its `digits` ASCII digits go to `into[at]` and on. */
  take(into: Uint8Array, at: number): void {
    assert(this.digits > 0, "take() on an exhausted line");
    this.taken++;
    this.source!.next(into, at);
  }

  /** The number last taken is part of a reply that waits for the next commit. */
  markUncertain(): void {
    this.uncertain++;
  }

  /** That commit is over: if it failed, the numbers at stake went to nobody, and are wasted. */
  resolveUncertain(isLost: boolean): void {
    if (isLost) this.generatedAtOrigin -= this.uncertain;
    this.uncertain = 0;
  }

  /** Numbers handed out over the dispenser's life. */
  private get generated(): number {
    return this.generatedAtOrigin + this.taken;
  }

  /** Numbers handed out since this life began. */
  get generatedInLife(): number {
    return this.generated - this.generatedAtStart;
  }

  /** The position that comes next; 0 for a type without a line. */
  get position(): bigint {
    return this.isLine ? this.start + BigInt(this.taken) : 0n;
  }

  /** The number that comes next (on an exhausted line: that would), as GET writes it. */
  get current(): string {
    if (!this.isLine) return "0";
    const number = numberAt(this.definition, this.allocation.toLine(this.position));
    return number.toString().padStart(this.definition.length, "0");
  }

  /** The counts as INFO shows them. */
  get counts(): Counts {
    const { generated, wasted } = this.account(this.position);
    return {
      generated: generated - this.rareState.countsBefore.generated,
      wasted: wasted - this.rareState.countsBefore.wasted,
    };
  }

  /** Whether the disk does not know the counts as they are. */
  get hasDirtyCounts(): boolean {
    // Both: a number that a failed MGET took counts as wasted, and not as generated.
    const isSaved = this.generated === this.generatedSaved && this.taken === this.takenSaved;
    return !this.keepsNothing && !isSaved;
  }

  /** Whether the clean close has something to save. */
  get needsClose(): boolean {
    const liesAhead = !this.reservesInMemory && this.reserved > this.taken;
    return this.hasDirtyCounts || liesAhead || this.skipped > 0n;
  }

  /** Numbers that lay reserved when the last life ended, are lost, and not on disk as wasted. */
  get skipped(): bigint {
    return this.rareState.skipped;
  }

  get isLine(): boolean {
    return this.definition.type.isLine;
  }

  private get strategy(): Strategy {
    return strategies[this.definition.strategy];
  }

  /** `origin`, exactly. */
  private get start(): bigint {
    return BigInt(this.origin);
  }

  private get keepsNothing(): boolean {
    return this.isLine && this.strategy.keeps === "definition";
  }

  /** Goes on at a later position; what lies between counts as wasted. */
  advance(position: bigint): void {
    assert(position >= this.position, "advance() goes only forwards");
    const reserved = this.start + BigInt(this.reservesInMemory ? 0 : this.reserved);
    const skipped = position - this.position;
    this.generatedAtOrigin = this.generated;
    this.origin = compact(position);
    this.capacity = numbersLeft(this.definition, this.allocation, position);
    this.leaseThreshold -= this.taken + Number(skipped);
    this.source = undefined;
    this.taken = 0;
    this.takenSaved = 0;
    this.takenAtReserve = 0;
    this.reserved = reserved > position ? Number(reserved - position) : 0;
    this.change = Math.max(this.change, MOVED);
    this.setRestartPoint();
    this.updateThresholds();
  }

  /** The own position of the line's first number that is not below `number`. */
  localPositionOf(number: bigint): bigint {
    return this.allocation.countBelow(positionOf(this.definition, number));
  }

  /**
   * Another lease: the share ends later. Its numbers wait for the commit under way, as a changed line's
   * do. At `leaseAt` numbers from here on, the next one is to be asked for.
   */
  extend(first: bigint, count: bigint, leaseAt: number): void {
    assert(this.allocation instanceof Leased, "extend() of what is not leased");
    const used = this.start + BigInt(Math.min(this.taken, this.reserved));
    this.allocation = this.allocation.with(first, count, used);
    this.capacity = numbersLeft(this.definition, this.allocation, this.start);
    this.leaseThreshold = this.taken + leaseAt;
    this.updateThresholds();
  }

  /**
   * Changes the strategy, or what may grow. Where the strategy changes, the next commit sets the reservation to
   * the exact position.
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
    this.updateThresholds();
  }

  /** Nothing stands on disk of it, though it has numbers behind it: the next commit writes all of it. */
  writeAnew(): void {
    this.change = REPLACED;
  }

  /** What is kept of it when it is deleted: where it stands exactly, or where it starts over in memory. */
  get keptWhenDeleted(): Account {
    return this.keepsNothing ? this.rareState.restartPoint : this.account(this.position);
  }

  /** A line in memory writes nothing but this: where it starts over from now on. */
  private setRestartPoint(): void {
    if (!this.keepsNothing) return;
    this.rareState = { ...this.rareState, restartPoint: this.account(this.position) };
    this.change = REPLACED;
  }

  /** A closure that brings the dispenser back to what it is now, but for the engine's marks. */
  snapshot(): () => void {
    const fields = { ...this, source: undefined };
    return () => {
      const { isQueued, isStaged, isRemoved } = this;
      Object.assign(this, fields, { isQueued, isStaged, isRemoved });
    };
  }

  /**
   * Works out what the next commit shall write; confirm() of that, or abandon(), must follow. A commit took `commitMs`
   * of late.
   */
  prepare(nowMs: number, commitMs = 0): Reservation {
    let reserved = this.change === REPLACED ? this.taken : Math.max(this.reserved, this.taken);
    let ahead = 0;
    if (!this.reservesInMemory && this.change === NONE && this.taken >= this.refillThreshold) {
      const used = this.taken - this.takenAtReserve;
      const spanMs = nowMs - this.reservedAtMs;
      ahead = reserveAhead(this.strategy, this.acknowledged, used, spanMs, commitMs);
      reserved = Math.max(reserved, Math.min(this.capacity, this.taken + ahead));
      this.reservedAtMs = nowMs;
      this.takenAtReserve = this.taken;
    }
    return this.reservation(reserved, ahead);
  }

  /**
   * What the clean close writes: the counts, and the exact position where the strategy says so.
   * Elsewhere what lies reserved ahead is lost from now on, and counts as wasted.
   */
  prepareClose(): Reservation {
    const reservation = this.reservation(
      this.strategy.exactAtClose ? this.taken : this.reserved,
      0,
    );
    const { reserved, generated, wasted } = reservation.account;
    const lost = this.isLine ? reserved - generated - wasted : 0n;
    return { ...reservation, account: { reserved, generated, wasted: wasted + lost } };
  }

  /** The commit of what was planned succeeded: memory follows the disk. */
  committed({ account, segment, replaces }: Reservation): void {
    if (!this.reservesInMemory) this.reserved = Number(account.reserved - this.start);
    if (segment !== undefined) this.segmentEnd = compact(segment.last + 1n);
    else if (replaces) this.segmentEnd = compact(account.reserved);
    this.generatedSaved = this.generated;
    this.takenSaved = this.taken;
    this.acknowledged = this.generatedInLife;
    if (this.skipped > 0n) this.rareState = { ...this.rareState, skipped: 0n };
    this.change = NONE;
    this.updateThresholds();
  }

  /** The commit failed: what was taken beyond the reservation comes back, to be the next again. */
  rolledBack(): void {
    if (this.taken <= this.reserved) return;
    this.taken = this.reserved;
    this.source = undefined;
  }

  /** Whether numbers leave without the disk being asked: a line in memory, and type 1. */
  private get reservesInMemory(): boolean {
    return this.keepsNothing || !this.isLine;
  }

  /**
   * What a line that is leased and kept in memory has on disk is no reservation: it goes on behind all
   * that it leased, and what it had left of that is lost.
   */
  private accountAtStart(account: Account): Account {
    if (!(this.allocation instanceof Leased) || !this.keepsNothing) return account;
    const { generated } = account;
    const reserved = this.allocation.end;
    return { reserved, generated, wasted: reserved - generated };
  }

  /** Sets what follows from taken, reserved and the strategy. */
  private updateThresholds(): void {
    if (this.reservesInMemory) this.reserved = Number.POSITIVE_INFINITY;
    const ahead = this.reserved - this.taken;
    const refillAt =
      this.reserved >= this.capacity || this.reservesInMemory
        ? Number.POSITIVE_INFINITY
        : this.taken + Math.max(1, Math.ceil(ahead / 2));
    this.refillThreshold = Math.min(refillAt, this.leaseThreshold);
  }

  private account(reserved: bigint): Account {
    const generated = BigInt(this.generated);
    return { reserved, generated, wasted: this.isLine ? this.position - generated : 0n };
  }

  /** Of a line that is reserved up to there, counted from `origin`: by `ahead` numbers more than are taken. */
  private reservation(upTo: number, ahead: number): Reservation {
    const reserved = this.reservesInMemory ? this.position : this.start + BigInt(upTo);
    const keeps = this.isLine ? this.strategy.keeps : "position";
    const replaces = this.change === REPLACED;
    const first = replaces ? reserved : BigInt(this.segmentEnd);
    let segment: Segment | undefined;
    // Where segments are the reservation, one must stand there from the start, even an empty one.
    const grows = reserved > first || (replaces && keeps === "segments");
    if (grows && (keeps === "segments" || keeps === "checkpoint")) {
      const beyond = segmentBeyond(this.strategy, ahead);
      const end = this.start + BigInt(Math.min(this.capacity, upTo + beyond));
      segment = { first, last: end - 1n };
    }
    return {
      id: this.id,
      keeps,
      account: this.keepsNothing ? this.rareState.restartPoint : this.account(reserved),
      segment,
      replaces,
    };
  }
}
