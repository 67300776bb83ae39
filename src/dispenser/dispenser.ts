/**
 * One dispenser: its position on the line, its reservation, its counts. It works out numbers; what
 * must be committed of it, and what a commit changes of it, is in reserving.ts. What only that file
 * uses beside this one is not private, because the fields stay in one object: see the class.
 *
 * Invariant: position = generated + wasted, so `wasted` is never kept but always the difference.
 * Positions are exact (BigInt) where they meet the disk. While the server runs they are counted
 * as plain numbers from `origin`, the position at which this life, or the last ADVANCE, began. They
 * are the node's own positions; its share of the line (share.ts) makes positions of the line of them.
 */

import { assert } from "../base/assert.ts";
import { type Allocation, Leased, wholeLine } from "./allocation.ts";
import { type Definition, numbersLeft, openNumbers } from "./definition.ts";
import type { Account, Counts, Recovered } from "./reservation.ts";
import { type Strategy, strategies } from "./strategy.ts";
import type { NumberSource } from "./types/type.ts";

const NEW: Account = { reserved: 0n, generated: 0n, wasted: 0n };

const NOTHING: Counts = { generated: 0n, wasted: 0n };

/**
 * A position in memory. A million dispensers keep it for long, and a BigInt takes memory of its own: so it is a
 * plain number where that is exact.
 */
type Position = number | bigint;

export const compact = (position: bigint): Position =>
  position <= Number.MAX_SAFE_INTEGER ? Number(position) : position;

/** What the next commit changes of a line beside its counts; a later one includes those before. */
export const NONE = 0;
/** It moves. All its replies wait for that commit then, so none of them pays for a number ahead. */
export const MOVED = 1;
/** Its strategy, or where it starts over: what was kept of it before is to go. */
export const REPLACED = 2;

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
  source: NumberSource | undefined;
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
  capacity: number;
  private generatedAtOrigin: number;
  private readonly generatedAtStart: number;
  /**
   * Numbers of this life that had left when the last commit was over. Later ones may still be under
   * way, be it behind the reply of another dispenser: they pay for nothing ahead yet.
   */
  acknowledged = 0;
  generatedSaved: number;
  /** What `taken` was when the disk last learned the counts. */
  takenSaved = 0;
  segmentEnd: Position;
  change = NONE;
  /** Numbers taken within the reservation whose reply waits for the next commit all the same. */
  private uncertain = 0;
  /** When numbers were last reserved ahead; never, so far. */
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
    this.allocation = allocation;
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
      this.rareState = { ...this.rareState, restartPoint: account, countsBefore: this.counts };
    }
    this.updateThresholds();
  }

  /** How many bytes the next number takes; 0 when the line is exhausted. */
  get nextBytes(): number {
    if (this.source === undefined || this.taken === this.sourceEnd) return this.openSource();
    return this.source.bytes;
  }

  /** Opens the source at the present position, if there is a number; answers how many bytes that takes. */
  private openSource(): number {
    if (this.taken >= this.capacity) return 0;
    const { definition, allocation, hasPositions, position } = this;
    this.source = openNumbers(definition, hasPositions ? allocation.toLine(position) : 0n);
    const run = hasPositions ? allocation.contiguous(position) : Number.POSITIVE_INFINITY;
    this.sourceEnd = Math.min(this.capacity, this.taken + Number(run));
    return this.source.bytes;
  }

  /** How many numbers are left on the line, Infinity for a type without one. */
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

  /** That commit is over: if it failed, the numbers at stake went to nobody, and are wasted. */
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

  /** The position that comes next; 0 for a type without a line. */
  get position(): bigint {
    return this.hasPositions ? this.start + BigInt(this.taken) : 0n;
  }

  /** The number that comes next (on an exhausted line: that would); 0 where that would give it away. */
  get current(): string {
    const { type, series } = this.definition;
    return type.isOrdered ? series.numberAt(this.allocation.toLine(this.position)) : "0";
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

  /** Whether each of its numbers has a position, so that none comes twice. */
  get hasPositions(): boolean {
    return this.definition.type.hasPositions;
  }

  get strategy(): Strategy {
    return strategies[this.definition.strategy];
  }

  /** `origin`, exactly. */
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

  /** Whether numbers leave without the disk being asked: a line in memory, and type 1. */
  get reservesInMemory(): boolean {
    return this.keepsNothing || !this.hasPositions;
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
  updateThresholds(): void {
    if (this.reservesInMemory) this.reserved = Number.POSITIVE_INFINITY;
    const ahead = this.reserved - this.taken;
    const refillAt =
      this.reserved >= this.capacity || this.reservesInMemory
        ? Number.POSITIVE_INFINITY
        : this.taken + Math.max(1, Math.ceil(ahead / 2));
    this.refillThreshold = Math.min(refillAt, this.leaseThreshold);
  }

  account(reserved: bigint): Account {
    const generated = BigInt(this.generated);
    return { reserved, generated, wasted: this.hasPositions ? this.position - generated : 0n };
  }
}
