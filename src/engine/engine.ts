/**
 * All dispensers by name, and the one commit a turn. Commands change dispensers in memory at once
 * and stage what the disk must know; commit() makes the staged durable, or takes it all back.
 *
 * Invariant: whatever depends on something staged answers only after commit number `gathering`,
 * which dependsOn() tells. The caller holds such a reply, and makes it an error if that commit
 * fails. Names are byte strings (dispenser/name.ts).
 */

import { assert } from "../base/assert.ts";
import { CannotStart, Refusal } from "../base/errors.ts";
import { type Share, whole } from "../dispenser/allocation.ts";
import { type Definition, define, type Fields, isSame, redefine } from "../dispenser/definition.ts";
import { refuseMemory } from "../dispenser/deleted.ts";
import { Dispenser } from "../dispenser/dispenser.ts";
import { isName, toText } from "../dispenser/name.ts";
import type { StorageUnavailable, Store, StoredDispenser } from "../storage/store.ts";
import { Gathering, type Remembered, unavailability } from "./commit.ts";
import { type DeletedLimits, DeletedLines } from "./deleted-lines.ts";
import { UnsavedCounts } from "./dirty-counts.ts";
import { Moves } from "./moves.ts";
import { type Listed, Names, type NamesInBytes } from "./registry.ts";

/** Of fewer dispensers what a GET reads mostly lies in the processor's caches, and to fetch it costs more than it gains. */
const FETCHED_FROM = 8000;

export interface Skipped {
  readonly name: string;
  readonly numbers: bigint;
}

/** What new dispensers have to keep to, and how deleted ones are kept. */
export interface EngineLimits extends DeletedLimits {
  /** Dispensers in all. */
  readonly dispensersMax: number;
  /** Bytes of a name, 1 to 255. */
  readonly nameBytesMax: number;
}

const NO_LIMITS: EngineLimits = {
  dispensersMax: Number.POSITIVE_INFINITY,
  nameBytesMax: Number.POSITIVE_INFINITY,
  deletedMax: Number.POSITIVE_INFINITY,
  deletedDays: Number.POSITIVE_INFINITY,
};

export interface EngineOptions {
  /** None by default. */
  readonly limits?: EngineLimits;
  /** A clock that only goes forwards, in milliseconds. */
  readonly now: () => number;
  /** Whether stageCounts() is called now and then. */
  readonly savesCounts: boolean;
  /** Called when there is something to commit: commit() has to be called in this turn. */
  readonly onStaged?: () => void;
  /** What a dispenser has of its line, if none stands on disk; all of it by default. */
  readonly share?: Share;
}

export class Engine {
  limits: EngineLimits;
  /** The highest id a dispenser ever had. */
  lastId = 0;
  /** What moves lines on. */
  readonly moves: Moves;
  private readonly store: Store;
  private readonly now: () => number;
  private readonly pending: Gathering;
  private readonly names: Names;
  private readonly deleted: DeletedLines;
  /** Undefined where counts are not saved in the background. */
  private readonly unsaved: UnsavedCounts | undefined;
  private readonly share: Share;
  /** Called once for a dispenser that used up its lease as far as was said there. */
  onLow: (dispenser: Dispenser) => void = () => {};

  constructor(store: Store, options: EngineOptions) {
    this.store = store;
    this.limits = options.limits ?? NO_LIMITS;
    this.now = options.now;
    this.pending = new Gathering(store, options.onStaged ?? (() => {}));
    this.moves = new Moves(store, this.pending);
    this.unsaved = options.savesCounts ? new UnsavedCounts() : undefined;
    this.share = options.share ?? whole;
    this.deleted = new DeletedLines(store, this.share, options.now);
    this.names = new Names(store.size, this.share);
    for (const some of store.load()) {
      for (const stored of some) {
        this.requireLease(stored);
        this.names.park(stored);
      }
      this.lastId = some.at(-1)?.id ?? this.lastId;
    }
  }

  /** Throws CannotStart where a line counts numbers that were never leased: a lease is missing on disk. */
  private requireLease({ name, account, share }: StoredDispenser): void {
    if (!this.share.isLeased || share !== undefined) return;
    if (account === undefined || account.reserved === 0n) return;
    throw new CannotStart(
      `the database is damaged: '${toText(name)}' counts ${account.reserved} numbers, and no lease of them is there; ` +
        "move the folder away, and start the node on an empty one",
    );
  }

  /** The number of the commit that is being gathered. */
  get gathering(): number {
    return this.pending.number;
  }

  get size(): number {
    return this.names.size;
  }

  /**
   * What the last life's crash cost each dispenser that lost numbers. The next commit makes them
   * wasted on disk, so that they are not told of again.
   */
  skippedByCrash(): readonly Skipped[] {
    const losers = [...this.names.awake()].filter(({ skipped }) => skipped > 0n);
    for (const dispenser of losers) this.pending.stage(dispenser);
    return losers.map(({ name, skipped }) => ({ name, numbers: skipped }));
  }

  find(name: string): Dispenser | undefined {
    return this.names.find(name);
  }

  /** The dispenser of the name whose bytes these are. */
  findBytes(bytes: Uint8Array, from: number, to: number): Dispenser | undefined {
    return this.names.findBytes(bytes, from, to);
  }

  /** Whether it gains by expect(). */
  get expects(): boolean {
    return this.size >= FETCHED_FROM;
  }

  /** A number of each of these will be taken next. */
  expect(names: NamesInBytes): void {
    this.names.fetch(names);
  }

  /** Whether there is a dispenser of this name. */
  has(name: string): boolean {
    return this.names.has(name);
  }

  /** All dispensers, in the order they were made in. */
  all(): Iterable<Dispenser> {
    return this.names.all();
  }

  /** Those that were asked for in this life, in no order that is promised. */
  awake(): Iterable<Dispenser> {
    return this.names.awake();
  }

  /**
   * The names and ids of those with an id above this one, in the order they were made in. It may be
   * gone through bit by bit, while some come and go.
   */
  list(after = 0): Iterable<Listed> {
    return this.names.list(after);
  }

  /** The commit that an answer about this name and its numbers has to wait for; 0 for none. */
  dependsOn(name: string, dispenser: Dispenser | undefined): number {
    if (dispenser !== undefined && dispenser.taken > dispenser.reserved) return this.gathering;
    return this.dependsOnName(name);
  }

  /** The commit that an answer about this name and its definition has to wait for; 0 for none. */
  dependsOnName(name: string): number {
    return this.pending.changes(name) ? this.gathering : 0;
  }

  /** The commit that an answer about all names has to wait for; 0 for none. */
  dependsOnNames(): number {
    return this.pending.changesNames ? this.gathering : 0;
  }

  /** Hands out the next number of a line that has one (digits > 0), into `into[at]` and on. */
  take(dispenser: Dispenser, into: Uint8Array, at: number): void {
    dispenser.take(into, at);
    if (dispenser.taken >= dispenser.refillAt && !dispenser.staged) this.refill(dispenser);
    if (!dispenser.active) this.unsaved?.note(dispenser);
  }

  private refill(dispenser: Dispenser): void {
    this.pending.stage(dispenser);
    if (dispenser.taken < dispenser.leaseAt) return;
    dispenser.leaseAt = Number.POSITIVE_INFINITY;
    this.onLow(dispenser);
  }

  /**
   * The reply with the number last taken is part of one that waits for the commit: if that fails,
   * the number goes to nobody and counts as wasted.
   */
  stakeOnCommit(dispenser: Dispenser): void {
    this.pending.stake(dispenser);
  }

  /**
   * HSET: defines a dispenser or redefines one. Answers how many fields were set first. Where a deleted line had the
   * same definition it goes on. `reuse`: numbers that may be in use may be handed out again.
   */
  define(name: string, fields: Fields, reuse = false): number | Refusal {
    if (!isName(name)) return new Refusal("ERR invalid dispenser name");
    const present = this.names.find(name);
    if (present !== undefined) return this.redefine(present, fields, reuse);
    const definition = define(fields);
    if (definition instanceof Refusal) return definition;
    const refusal = this.refuseNew(name) ?? this.begin(name, definition, reuse);
    return refusal ?? fields.size;
  }

  /** A new line, or a deleted one that goes on. Answers why it may be neither. */
  private begin(name: string, definition: Definition, reuse: boolean): Refusal | undefined {
    const id = this.lastId + 1;
    if (reuse) {
      this.create(id, name, definition);
      this.deleted.forget(name);
      return undefined;
    }
    const kept = this.deleted.continued(name, definition);
    if (kept instanceof Refusal) return kept;
    if (kept === undefined) {
      this.create(id, name, definition);
      return undefined;
    }
    const { account } = kept;
    const found = { account, segmentEnd: undefined };
    const dispenser = new Dispenser(id, name, definition, this.share, found);
    dispenser.writeAnew();
    this.add(dispenser);
    this.pending.stage(dispenser);
    this.deleted.forget(name, definition);
    return undefined;
  }

  /** Why a name may not be defined so, as its deleted lines may have handed out the same numbers. */
  refuseMet(name: string, definition: Definition): Refusal | undefined {
    const kept = this.deleted.continued(name, definition);
    return kept instanceof Refusal ? kept : undefined;
  }

  /** Why there may not be another dispenser, of this name. */
  refuseNew(name: string): Refusal | undefined {
    const { dispensersMax, nameBytesMax } = this.limits;
    if (name.length > nameBytesMax) {
      return new Refusal(
        `ERR invalid dispenser name: it has ${name.length} bytes, limits.name_bytes is ${nameBytesMax}`,
      );
    }
    if (this.size >= dispensersMax) {
      return new Refusal(
        `ERR max number of dispensers reached: limits.dispensers is ${dispensersMax}`,
      );
    }
    return undefined;
  }

  /** The name of the dispenser with this id. */
  nameOf(id: number): string | undefined {
    return this.names.nameOf(id);
  }

  /** Adds a dispenser, with an id that no other has. */
  create(id: number, name: string, definition: Definition): void {
    this.add(new Dispenser(id, name, definition, this.share));
  }

  private add(dispenser: Dispenser): void {
    const { id, name, definition } = dispenser;
    this.lastId = Math.max(this.lastId, id);
    this.names.put(dispenser);
    this.pending.change(name, () => {
      this.names.remove(dispenser);
      dispenser.removed = true;
    });
    this.store.stage({ kind: "define", id, name, definition });
  }

  private redefine(dispenser: Dispenser, fields: Fields, reuse: boolean): number | Refusal {
    const { id, name, definition: before, position, counts } = dispenser;
    const definition = redefine(name, before, fields);
    if (definition instanceof Refusal) return definition;
    if (isSame(definition, before)) return 0;
    const grows = definition.length > before.length;
    // In a cluster the store decided already.
    if (!reuse && !this.share.isLeased) {
      const refusal =
        refuseMemory(name, before, definition, counts.generated > 0n) ??
        (grows ? this.deleted.refuseGrowth(name, definition, position) : undefined);
      if (refusal !== undefined) return refusal;
    } else if (grows) this.deleted.forget(name);
    this.pending.change(name, dispenser.remember());
    dispenser.redefine(definition);
    this.store.stage({ kind: "define", id, name, definition });
    if (definition.strategy !== before.strategy) this.pending.stage(dispenser);
    return 0;
  }

  /**
   * DEL: whether there was such a dispenser. Numbers of it that may be in use are remembered: a line of the same
   * definition goes on behind them.
   */
  remove(name: string): boolean {
    const dispenser = this.names.find(name);
    if (dispenser === undefined) return false;
    dispenser.removed = true;
    this.names.remove(dispenser);
    this.pending.change(name, () => {
      this.names.put(dispenser);
      dispenser.removed = false;
    });
    this.store.stage({ kind: "remove", id: dispenser.id });
    this.deleted.keep(dispenser, this.limits);
    return true;
  }

  /** Stages that deleted lines go which are too old, or too many: a few at a time. To be called now and then. */
  stagePurge(): void {
    if (this.deleted.purge(this.limits)) this.pending.announce();
  }

  /** Stages that all deleted lines move so many numbers ahead, which count as wasted. */
  skipDeleted(numbers: bigint): void {
    this.deleted.skip(numbers);
    this.pending.announce();
  }

  /** Writes what the node has to remember, in the commit being gathered. */
  remember(node: Remembered): void {
    this.pending.remember(node);
  }

  /**
   * Makes what is staged durable, and begins to gather the next commit. Answers undefined, or why
   * nothing was written: everything staged is then as it was before.
   * Throws StorageBroken, after which nothing may be answered.
   */
  commit(): StorageUnavailable | undefined {
    const failure = this.pending.commit(this.now);
    this.deleted.settle();
    this.names.tidy();
    return failure;
  }

  /** Housekeeping of the store. Answers why it could not be done now. */
  maintain(): StorageUnavailable | undefined {
    return unavailability(() => this.store.maintain());
  }

  /** Copies what is committed to a new file; throws what Store.backUp() throws. */
  backUp(path: string): Promise<void> {
    return this.store.backUp(path);
  }

  /** Stages counts that the disk does not know; uniqueness does not depend on them. */
  stageCounts(): void {
    this.unsaved?.stage(this.pending);
  }

  /**
   * The clean close. No number may be taken after it. Answers how many numbers are skipped by it.
   * Throws what Store.close() throws.
   */
  close(): bigint {
    assert(this.pending.isEmpty, "close() with a commit under way");
    let skipped = 0n;
    for (const dispenser of this.names.awake()) {
      if (!dispenser.needsClose) continue;
      const { wasted } = dispenser.counts;
      const reservation = dispenser.planClose();
      skipped += reservation.account.wasted - wasted;
      this.store.stage({ kind: "reserve", reservation });
    }
    this.names.clear();
    this.store.close();
    return skipped;
  }
}
