/**
 * All dispensers, by name and in the order in which they were made, which is that of their ids.
 *
 * A dispenser that the start finds on disk is dormant: plain numbers, until somebody asks for it
 * and it becomes a Dispenser for the rest of this life. So a million dispensers cost the start and
 * the garbage collector little.
 */

import { assert } from "../base/assert.ts";
import { type Allocation, wholeLine } from "../dispenser/allocation.ts";
import type { Definition } from "../dispenser/definition.ts";
import { Dispenser } from "../dispenser/dispenser.ts";
import type { StoredDispenser } from "../storage/store.ts";
import { DormantDispensers } from "./dormant.ts";
import { CAPACITY, grown, type IndexCapacity, NameIndex, type NamesInBytes } from "./name-index.ts";

export type { NamesInBytes } from "./name-index.ts";

/** Rows of removed names are thrown away only when there are so many. */
const REMOVED_MIN = 4096;
/**
 * New names get this part of the index. The rest is for those that come without being asked for:
 * the nodes of a cluster define names at the same time.
 */
const PART_OF_NEW = 15 / 16;

/** A dispenser in a list of names. */
export interface Listed {
  readonly id: number;
  readonly name: string;
}

export class Registry {
  private index: NameIndex;
  private ids: Float64Array;
  /** By row: a dispenser; the definition alone of a dormant one; undefined for a removed one. */
  private dispensers: (Dispenser | Definition | undefined)[] = [];
  private dormant: DormantDispensers;
  /**
   * The last name that was looked for: mostly the next one is the same, and even the same string.
   */
  private lastName = "";
  private lastFound: Dispenser | undefined;
  /** Rows of the names that prefetch() was last called for. */
  private rows = new Int32Array(0);
  /** What prefetch() read: without a use the reading would be optimised away. */
  prefetched = 0;
  /** Whether rows are in the order of their ids. */
  private isInOrder = true;
  /** The allocation of dispensers that have none on disk. */
  private readonly allocation: Allocation;
  private readonly capacity: IndexCapacity;

  /** With room for so many before it has to grow. */
  constructor(room: number, allocation: Allocation = wholeLine, capacity = CAPACITY) {
    this.allocation = allocation;
    this.capacity = capacity;
    this.index = new NameIndex(room, capacity);
    this.ids = new Float64Array(room);
    this.dormant = new DormantDispensers(room);
  }

  get size(): number {
    return this.index.size;
  }

  /** The bytes of all names. */
  get nameBytes(): number {
    return this.index.nameBytes;
  }

  /** Rows in memory, those of removed names included. */
  get rowsHeld(): number {
    return this.index.rows;
  }

  /** Whether there is room for a name of so many bytes; `isNew`: nobody has defined it yet. */
  fits(bytes: number, isNew: boolean): boolean {
    return this.index.fitsIn(isNew ? PART_OF_NEW : 1, bytes);
  }

  has(name: string): boolean {
    return this.index.find(name) >= 0;
  }

  find(name: string): Dispenser | undefined {
    if (name === this.lastName) return this.lastFound;
    const row = this.index.find(name);
    const found = row < 0 ? undefined : this.at(row);
    this.lastName = name;
    this.lastFound = found;
    return found;
  }

  /** The dispenser of the name whose bytes these are. */
  findBytes(bytes: Uint8Array, from: number, to: number): Dispenser | undefined {
    const row = this.index.findBytes(bytes, from, to);
    return row < 0 ? undefined : this.at(row);
  }

  /**
   * The dispenser of a name as it stands now, to be read alone: a dormant one stays dormant, and
   * this is a copy of it. So a look at each of a million does not load them.
   */
  view(name: string): Dispenser | undefined {
    const row = this.index.find(name);
    if (row < 0) return undefined;
    const found = this.dispensers[row]!;
    return found instanceof Dispenser ? found : this.fromDormant(row, found);
  }

  /**
   * Reads what taking a number of each name will read, so that the processor caches it:
   * NameIndex.prefetch().
   */
  prefetch(names: NamesInBytes): void {
    const { dispensers } = this;
    const { count } = names;
    if (count > this.rows.length) this.rows = new Int32Array(count);
    const { rows } = this;
    this.index.prefetch(names, rows);
    let read = 0;
    // Each loop follows one pointer further.
    for (let index = 0; index < count; index++) if (dispensers[rows[index]!]) read++;
    for (let index = 0; index < count; index++) {
      const found = dispensers[rows[index]!];
      if (found instanceof Dispenser) read += found.taken;
    }
    for (let index = 0; index < count; index++) {
      const found = dispensers[rows[index]!];
      if (found instanceof Dispenser) read += found.source?.bytes ?? 0;
    }
    this.prefetched = read;
  }

  /**
   * Adds a dispenser that was found on disk. To be called in the order of ids. Answers one that
   * cannot be dormant.
   */
  addDormant(stored: StoredDispenser): Dispenser | undefined {
    const { id, name, definition, allocation = this.allocation } = stored;
    if (DormantDispensers.mayHold(stored)) {
      this.dormant.put(this.append(id, name, definition), stored);
      return undefined;
    }
    const dispenser = new Dispenser(id, name, definition, allocation, stored);
    this.append(id, name, dispenser);
    return dispenser;
  }

  /** Adds a dispenser with an id that no other has; it may be one that remove() removed. */
  add(dispenser: Dispenser): void {
    const { id, name } = dispenser;
    this.dropLastFound();
    const row = this.firstAfter(id - 1);
    const isThere = row < this.index.rows && this.ids[row] === id;
    assert(!isThere || !this.index.has(row), "an id is one dispenser's");
    if (isThere && this.index.had(row, name)) {
      this.index.restore(row, name);
      this.dispensers[row] = dispenser;
    } else {
      // Ids mostly rise. In a cluster one may come late; then rows are sorted when the order is
      // needed.
      this.isInOrder &&= row === this.index.rows;
      this.append(id, name, dispenser);
    }
  }

  /** The name of the dispenser with this id. */
  nameOf(id: number): string | undefined {
    const row = this.firstAfter(id - 1);
    const isIt = row < this.index.rows && this.ids[row] === id && this.index.has(row);
    return isIt ? this.index.name(row) : undefined;
  }

  remove(dispenser: Dispenser): void {
    this.dropLastFound();
    const row = this.index.find(dispenser.name);
    this.index.remove(row);
    this.dispensers[row] = undefined;
  }

  /** Throws away the rows of removed names, if they are more than half of all. */
  compact(): void {
    const { rows, size } = this.index;
    if (rows - size >= Math.max(REMOVED_MIN, size)) this.rebuild();
  }

  /** Makes all rows anew, in the order of ids. */
  private rebuild(): void {
    const { dispensers, ids, dormant, index: before } = this;
    const order = Array.from({ length: before.rows }, (_, row) => row);
    if (!this.isInOrder) order.sort((one, other) => ids[one]! - ids[other]!);
    this.clear();
    for (const from of order) {
      if (!before.has(from)) continue;
      const row = this.append(ids[from]!, before.name(from), dispensers[from]!);
      if (!(dispensers[from] instanceof Dispenser)) this.dormant.copy(row, dormant, from);
    }
  }

  clear(): void {
    this.index = new NameIndex(0, this.capacity);
    this.ids = new Float64Array(0);
    this.dispensers = [];
    this.dormant = new DormantDispensers(0);
    this.isInOrder = true;
    this.dropLastFound();
  }

  /** The dispensers that somebody asked for in this life, in no particular order. */
  *loaded(): Generator<Dispenser> {
    for (const each of this.dispensers) if (each instanceof Dispenser) yield each;
  }

  /** All of them, in order. */
  *all(): Generator<Dispenser> {
    if (!this.isInOrder) this.rebuild();
    for (let row = 0; row < this.index.rows; row++) if (this.index.has(row)) yield this.at(row);
  }

  /**
   * Those with an id above `after`, in order. Names may come and go while the caller goes through
   * them.
   */
  *list(after: number): Generator<Listed> {
    let last = after;
    let row = this.firstAfter(last);
    let { index } = this;
    for (; row < index.rows; row++) {
      if (!index.has(row)) continue;
      last = this.ids[row]!;
      yield { id: last, name: index.name(row) };
      if (index === this.index) continue;
      index = this.index;
      row = this.firstAfter(last) - 1;
    }
  }

  /** The first row with an id above this one. */
  private firstAfter(id: number): number {
    if (!this.isInOrder) this.rebuild();
    let low = 0;
    let high = this.index.rows;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.ids[middle]! <= id) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private append(id: number, name: string, dispenser: Dispenser | Definition): number {
    if (!this.index.fits(name.length)) this.rebuild();
    const row = this.index.add(name);
    if (row === this.ids.length) this.ids = grown(this.ids, new Float64Array(2 * row + 1));
    this.ids[row] = id;
    this.dispensers.push(dispenser);
    return row;
  }

  private at(row: number): Dispenser {
    const found = this.dispensers[row]!;
    if (found instanceof Dispenser) return found;
    const loaded = this.fromDormant(row, found);
    this.dispensers[row] = loaded;
    return loaded;
  }

  private fromDormant(row: number, definition: Definition): Dispenser {
    const recovered = this.dormant.get(row, definition);
    const { allocation } = this;
    return new Dispenser(this.ids[row]!, this.index.name(row), definition, allocation, recovered);
  }

  /** The answer of the last find() may be wrong from now on. */
  private dropLastFound(): void {
    this.lastName = "";
    this.lastFound = undefined;
  }
}
