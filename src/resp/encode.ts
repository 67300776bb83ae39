/**
 * Appends replies to a buffer, in RESP2 or RESP3. Texts are byte strings: one character for each
 * byte. Buffers come from a small pool, so that a connection without replies holds none.
 */

export type ProtocolVersion = 2 | 3;

const POOLED_BYTES = 64 * 1024;
const POOL_MAX = 64;
const pool: Buffer[] = [];
const NONE = Buffer.alloc(0);

const CR = 13;
const LF = 10;
const DOLLAR = 36;
const ZERO = 48;

export class Replies {
  version: ProtocolVersion = 2;
  bytes: Buffer = NONE;
  length = 0;

  /** Makes sure that `count` more bytes fit. */
  private reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const grown =
      needed <= POOLED_BYTES
        ? (pool.pop() ?? Buffer.allocUnsafeSlow(POOLED_BYTES))
        : Buffer.allocUnsafeSlow(2 * needed);
    this.bytes.copy(grown, 0, 0, this.length);
    this.giveBack();
    this.bytes = grown;
  }

  private giveBack(): void {
    if (this.bytes.length === POOLED_BYTES && pool.length < POOL_MAX) pool.push(this.bytes);
  }

  clear(): void {
    this.giveBack();
    this.bytes = NONE;
    this.length = 0;
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
    if (this.version === 2) this.bulk(text);
    else this.raw(`=${text.length + 4}\r\ntxt:${text}\r\n`);
  }

  null(): void {
    this.raw(this.version === 2 ? "$-1\r\n" : "_\r\n");
  }

  /** Begins an array; `count` replies must follow. */
  array(count: number): void {
    this.raw(`*${count}\r\n`);
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
