/**
 * Appends replies to a buffer, in RESP2 or RESP3. Texts are byte strings: one character for each
 * byte. Buffers come from small pools, so that a connection without replies holds none, and one
 * with a short reply a small one.
 */

import { allocate, free, type Ledger, NO_LEDGER, NoRoom } from "./ledger.ts";

export type ProtocolVersion = 2 | 3;

/** The sizes of pooled buffers, each four times the one before. */
const POOLED_SIZES = [1024, 4096, 16_384, 65_536] as const;
const POOLED_BYTES_MAX = POOLED_SIZES.at(-1)!;
/** How many bytes of unused buffers are kept of each size. */
const KEPT_BYTES_MAX = 4 * 1024 * 1024;
const pools: Buffer[][] = POOLED_SIZES.map(() => []);
const NONE = Buffer.alloc(0);

const CR = 13;
const LF = 10;
const DOLLAR = 36;
const ZERO = 48;

/** A buffer of at least so many bytes, POOLED_BYTES_MAX at most. */
function lend(bytes: number): Buffer {
  let size = 0;
  while (POOLED_SIZES[size]! < bytes) size++;
  return pools[size]!.pop() ?? allocate(POOLED_SIZES[size]!);
}

function giveBack(buffer: Buffer): void {
  const { length } = buffer;
  for (let size = 0; size < POOLED_SIZES.length; size++) {
    if (POOLED_SIZES[size] !== length) continue;
    const pool = pools[size]!;
    if (pool.length * length >= KEPT_BYTES_MAX) break;
    pool.push(buffer);
    return;
  }
  free(buffer);
}

export class Replies {
  version: ProtocolVersion = 2;
  bytes: Buffer = NONE;
  length = 0;
  private readonly ledger: Ledger;
  private readonly bytesMax: () => number;
  private readonly sent: () => number;

  /** `bytesMax` answers how many bytes there may be at a time, without the first `sent` of them. */
  constructor(ledger = NO_LEDGER, bytesMax = () => Number.POSITIVE_INFINITY, sent = () => 0) {
    this.ledger = ledger;
    this.bytesMax = bytesMax;
    this.sent = sent;
  }

  /** Makes sure that `count` more bytes fit. Throws NoRoom if that is more than there may be. */
  private reserve(count: number): void {
    const needed = this.length + count;
    if (needed > this.bytes.length) this.grow(needed);
  }

  private grow(needed: number): void {
    const bytesMax = this.bytesMax();
    const unread = needed - this.sent();
    if (unread > bytesMax) {
      throw new NoRoom("unread replies", { bytes: unread, limit: bytesMax });
    }
    const grown =
      needed <= POOLED_BYTES_MAX
        ? lend(needed)
        : allocate(Math.max(needed, Math.min(2 * needed, bytesMax)));
    this.bytes.copy(grown, 0, 0, this.length);
    this.keep(grown);
  }

  /** Takes another buffer: the one place where the memory held changes. */
  private keep(bytes: Buffer): void {
    this.ledger.add(bytes.length - this.bytes.length);
    giveBack(this.bytes);
    this.bytes = bytes;
  }

  clear(): void {
    if (this.bytes !== NONE) this.keep(NONE);
    this.length = 0;
  }

  /** Leaves room for `count` bytes, which the caller has to write. */
  skip(count: number): void {
    this.reserve(count);
    this.length += count;
  }

  /** Appends bytes as they are. */
  raw(text: string): void {
    this.reserve(text.length);
    this.length += this.bytes.write(text, this.length, "latin1");
  }

  /** A status: one line, without CR and LF. */
  simple(text: string): void {
    this.raw(`+${text}\r\n`);
  }

  /** An error: its code and text. CR and LF become spaces, as in Redis. */
  error(message: string): void {
    this.raw(`-${message.replace(/[\r\n]/g, " ")}\r\n`);
  }

  integer(value: number): void {
    this.raw(`:${value}\r\n`);
  }

  bulk(text: string): void {
    this.raw(`$${text.length}\r\n${text}\r\n`);
  }

  /**
   * Appends a bulk of `count` bytes, 1 to 99, and answers where in `bytes` the caller has to write
   * them.
   */
  bulkRoom(count: number): number {
    this.reserve(count + 7);
    const { bytes } = this;
    let at = this.length;
    bytes[at++] = DOLLAR;
    if (count > 9) bytes[at++] = ZERO + Math.floor(count / 10);
    bytes[at++] = ZERO + (count % 10);
    bytes[at++] = CR;
    bytes[at++] = LF;
    bytes[at + count] = CR;
    bytes[at + count + 1] = LF;
    this.length = at + count + 2;
    return at;
  }

  /** Text for people: a verbatim string in RESP3, a bulk in RESP2. */
  verbatim(text: string): void {
    this.raw(`${this.verbatimHeader(text.length)}${text}\r\n`);
  }

  /** The header of a verbatim() of so many bytes. */
  verbatimHeader(count: number): string {
    return this.version === 2 ? `$${count}\r\n` : `=${count + 4}\r\ntxt:`;
  }

  null(): void {
    this.raw(this.version === 2 ? "$-1\r\n" : "_\r\n");
  }

  /** Begins an array; `count` replies must follow. */
  array(count: number): void {
    this.raw(this.arrayHeader(count));
  }

  /** How an array() begins. */
  arrayHeader(count: number): string {
    return `*${count}\r\n`;
  }

  /** Begins a set (in RESP2 an array); `count` replies must follow. */
  set(count: number): void {
    this.raw(`${this.version === 2 ? "*" : "~"}${count}\r\n`);
  }

  /** Begins a map (in RESP2 a flat array); `count` pairs of replies must follow. */
  map(count: number): void {
    this.raw(this.version === 2 ? `*${2 * count}\r\n` : `%${count}\r\n`);
  }
}
