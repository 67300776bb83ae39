/**
 * Maps names to rows, numbers that count up from 0 as names are added. It is a hash table with open
 * addressing and linear probing (Knuth, The Art of Computer Programming 3, 6.4) in typed arrays.
 * Finding one of a million names touches two places in memory, a slot and the name's entry; a Map
 * of strings touches five or more, and each of them misses the processor's caches.
 *
 * Names are byte strings of 1 to 255 bytes. The row of a removed name is not used again.
 */

import { assert } from "../base/assert.ts";

/** Random in each process, so that nobody can choose names that all fall into one slot. */
const SEED = crypto.getRandomValues(new Int32Array(1))[0]!;
/** FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/), with the seed for its basis. */
const FNV_PRIME = 0x01000193;

const ROWS_MIN = 512;
/** The least number of slots for each row. */
const SLOTS_PER_ROW = 2;
/** An entry is the row, the length of the name (0 once it is removed), and the name. */
const LENGTH_AT = 4;
const NAME_AT = 5;
const BYTES_PER_ROW = 24;

const NAME_BYTES_MAX = 255;

/** How much an index can hold, the rows of removed names included. */
export interface IndexCapacity {
  /** A power of two. */
  readonly rows: number;
  /** The bytes of all entries. */
  readonly bytes: number;
}

/**
 * Bun's longest buffer has 4 GiB, and so far reach the 32 bits of a slot. Of so many rows no column
 * gets longer than that, neither here nor in the registry.
 */
export const CAPACITY: IndexCapacity = { rows: 2 ** 27, bytes: 2 ** 32 };

/** The bytes of a name that find() got as a text. */
const scratch = Buffer.alloc(NAME_BYTES_MAX);

function hashOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = SEED;
  for (let at = from; at < to; at++) hash = Math.imul(hash ^ bytes[at]!, FNV_PRIME);
  return (hash ^ (hash >>> 15)) >>> 0;
}

/** Names as parts of some bytes: the first is from `from(0)` to `to(0)`. */
export interface NamesInBytes {
  readonly bytes: Uint8Array;
  readonly count: number;
  from(index: number): number;
  to(index: number): number;
}

export class NameIndex {
  /** How many rows there are, those of removed names included. */
  rows = 0;
  /** How many names there are. */
  size = 0;
  /** The bytes of all names that there are. */
  nameBytes = 0;
  private readonly capacity: IndexCapacity;
  /**
   * A slot is two numbers: 1 more than where an entry begins (0: no entry), and the hash of its
   * name.
   */
  private slots: Uint32Array;
  private mask: number;
  private entries: Buffer;
  private entriesEnd = 0;
  /** Where the entry of each row begins. */
  private starts: Uint32Array;

  /** Makes an index with room for `rows` rows before it grows. */
  constructor(rows: number, capacity = CAPACITY) {
    const room = Math.min(capacity.rows, 2 ** Math.ceil(Math.log2(Math.max(rows, ROWS_MIN))));
    this.capacity = capacity;
    this.slots = new Uint32Array(2 * SLOTS_PER_ROW * room);
    this.mask = SLOTS_PER_ROW * room - 1;
    this.entries = Buffer.alloc(Math.min(capacity.bytes, BYTES_PER_ROW * room));
    this.starts = new Uint32Array(room);
  }

  /** Whether a name of so many bytes can be added. */
  fits(bytes: number): boolean {
    const { capacity } = this;
    return this.rows < capacity.rows && this.entriesEnd + NAME_AT + bytes <= capacity.bytes;
  }

  /**
   * Whether a part of the capacity holds a name of so many bytes more, once the rows of removed
   * names are gone.
   */
  fitsIn(part: number, bytes: number): boolean {
    const { capacity, size } = this;
    const bytesWith = this.nameBytes + bytes + NAME_AT * (size + 1);
    return size < part * capacity.rows && bytesWith <= part * capacity.bytes;
  }

  /** The row of a name; -1 if the name is not there. */
  find(name: string): number {
    const { length } = name;
    if (length > NAME_BYTES_MAX) return -1;
    for (let at = 0; at < length; at++) {
      const code = name.charCodeAt(at);
      if (code > 0xff) return -1;
      scratch[at] = code;
    }
    return this.findBytes(scratch, 0, length);
  }

  /** The row of the name with these bytes; -1 if it is not there. */
  findBytes(bytes: Uint8Array, from: number, to: number): number {
    const { slots, mask, entries } = this;
    const hash = hashOf(bytes, from, to);
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const start = slots[2 * slot]! - 1;
      if (start < 0) return -1;
      if (slots[2 * slot + 1] !== hash || entries[start + LENGTH_AT] !== to - from) continue;
      const shift = start + NAME_AT - from;
      let at = from;
      while (at < to && entries[shift + at] === bytes[at]) at++;
      if (at === to) return entries.readUInt32LE(start);
    }
  }

  /**
   * Reads what findBytes() of these names will read: first the slots of all, then the entries of
   * all. So the processor fetches many of them from memory at a time, while separate searches would
   * wait for each one ("group prefetching": Chen, Ailamaki, Gibbons and Mowry, Improving Hash Join
   * Performance through Prefetching, ICDE 2004). Puts the row in each name's first slot into
   * `rows`: mostly the name's own, sometimes another.
   */
  prefetch(names: NamesInBytes, rows: Int32Array): void {
    const { slots, mask, entries } = this;
    const { bytes, count } = names;
    for (let index = 0; index < count; index++) {
      const slot = hashOf(bytes, names.from(index), names.to(index)) & mask;
      rows[index] = slots[2 * slot]!;
    }
    for (let index = 0; index < count; index++) {
      // Above 2^31 the column shows it negative.
      const start = Math.max(0, (rows[index]! >>> 0) - 1);
      const high = (entries[start + 3]! << 24) | (entries[start + 2]! << 16);
      rows[index] = high | (entries[start + 1]! << 8) | entries[start]!;
    }
  }

  /** Adds a name, which must not be there, and answers its row. It must fit. */
  add(name: string): number {
    assert(this.fits(name.length), "the index of names is full");
    if (this.rows === this.starts.length) this.grow();
    const row = this.rows++;
    const start = this.entriesEnd;
    this.entriesEnd += NAME_AT + name.length;
    if (this.entriesEnd > this.entries.length) {
      const bytes = Math.min(this.capacity.bytes, 2 * this.entriesEnd);
      this.entries = grown(this.entries, Buffer.alloc(bytes));
    }
    const { entries } = this;
    entries.writeUInt32LE(row, start);
    for (let at = 0; at < name.length; at++) entries[start + NAME_AT + at] = name.charCodeAt(at);
    this.starts[row] = start;
    this.restore(row, name);
    this.place(start + 1, hashOf(entries, start + NAME_AT, this.entriesEnd));
    return row;
  }

  /** Removes the name of a row. */
  remove(row: number): void {
    const at = this.starts[row]! + LENGTH_AT;
    this.nameBytes -= this.entries[at]!;
    this.entries[at] = 0;
    this.size--;
  }

  /** Whether this name was removed from the row. */
  had(row: number, name: string): boolean {
    const start = this.starts[row]! + NAME_AT;
    const end = row + 1 < this.rows ? this.starts[row + 1]! : this.entriesEnd;
    return !this.has(row) && this.entries.toString("latin1", start, end) === name;
  }

  /** Undoes remove(). */
  restore(row: number, name: string): void {
    this.entries[this.starts[row]! + LENGTH_AT] = name.length;
    this.nameBytes += name.length;
    this.size++;
  }

  /** Whether the name of a row was not removed. */
  has(row: number): boolean {
    return this.entries[this.starts[row]! + LENGTH_AT] !== 0;
  }

  name(row: number): string {
    const start = this.starts[row]! + NAME_AT;
    return this.entries.toString("latin1", start, start + this.entries[start - 1]!);
  }

  private place(entry: number, hash: number): void {
    const { slots, mask } = this;
    let slot = hash & mask;
    while (slots[2 * slot] !== 0) slot = (slot + 1) & mask;
    slots[2 * slot] = entry;
    slots[2 * slot + 1] = hash;
  }

  private grow(): void {
    const { slots } = this;
    const rows = 2 * this.rows;
    this.starts = grown(this.starts, new Uint32Array(rows));
    this.slots = new Uint32Array(2 * SLOTS_PER_ROW * rows);
    this.mask = SLOTS_PER_ROW * rows - 1;
    for (let at = 0; at < slots.length; at += 2) {
      if (slots[at] !== 0) this.place(slots[at]!, slots[at + 1]!);
    }
  }
}

/** Copies a column into a longer one, and answers that. */
export function grown<Column extends { set(from: Column): void }>(
  from: Column,
  to: Column,
): Column {
  to.set(from);
  return to;
}
