/**
 * The fast path: recognises a whole GET of one name, by far the most frequent request, in the
 * bytes. Everything else goes through the framer and the parser, with the same result
 * (test/unit/resp/decode.test.ts).
 */

import { assert } from "../base/assert.ts";

/** How a GET begins, up to the length of its name. */
const HEAD = Buffer.from("*2\r\n$3\r\nget\r\n$");
const HEAD_BYTES = HEAD.length;
/** Where the letters of GET are in the head; they may be in either case. */
const LETTERS_FROM = 8;
const LETTERS_TO = 11;
const LOWER_CASE = 32;
/** The longest name on the fast path: its length has two digits. */
const NAME_BYTES_MAX = 99;
/** The longest GET on the fast path: head, two digits, CRLF, name, CRLF. */
export const FAST_GET_BYTES_MAX = HEAD_BYTES + 2 + 2 + NAME_BYTES_MAX + 2;

const CR = 13;
const LF = 10;
const ZERO = 48;
const NINE = 57;

/** Finds a whole GET in some bytes. */
export class FastGet {
  nameFrom = 0;
  nameTo = 0;

  /** Whether a whole GET is at `start`; then its name is from `nameFrom` to `nameTo`. */
  match(bytes: Uint8Array, start: number, end: number): boolean {
    if (start + HEAD_BYTES + 3 > end) return false;
    for (let at = 0; at < HEAD_BYTES; at++) {
      const byte = bytes[start + at]!;
      const folded = at >= LETTERS_FROM && at < LETTERS_TO ? byte | LOWER_CASE : byte;
      if (folded !== HEAD[at]) return false;
    }
    let at = start + HEAD_BYTES;
    const digit = bytes[at++]! - ZERO;
    if (digit < 1 || digit > 9) return false;
    let nameBytes = digit;
    if (bytes[at]! >= ZERO && bytes[at]! <= NINE) nameBytes = digit * 10 + (bytes[at++]! - ZERO);
    assert(nameBytes <= NAME_BYTES_MAX, "two digits make at most 99");
    const from = at + 2;
    const to = from + nameBytes;
    if (to + 2 > end || bytes[at] !== CR || bytes[at + 1] !== LF) return false;
    if (bytes[to] !== CR || bytes[to + 1] !== LF) return false;
    this.nameFrom = from;
    this.nameTo = to;
    return true;
  }

  /** Where the GET that was found ends. */
  get end(): number {
    return this.nameTo + 2;
  }
}

const NO_BYTES = Buffer.alloc(0);
/** The most names that are prefetched together. */
const GROUP_MAX = 32;

/** The names of the next GETs, as positions in the bytes. */
export class PrefetchNames {
  bytes: Uint8Array = NO_BYTES;
  count = 0;
  private readonly bounds = new Int32Array(2 * GROUP_MAX);
  private readonly get = new FastGet();

  /** Finds the GETs that follow one another from `start` on. */
  gather(bytes: Uint8Array, start: number, end: number): void {
    const { get, bounds } = this;
    this.bytes = bytes;
    this.count = 0;
    for (let at = start; this.count < GROUP_MAX && get.match(bytes, at, end); at = get.end) {
      bounds[2 * this.count] = get.nameFrom;
      bounds[2 * this.count + 1] = get.nameTo;
      this.count++;
    }
  }

  /** Releases the bytes. */
  letGo(): void {
    this.bytes = NO_BYTES;
    this.count = 0;
  }

  from(index: number): number {
    return this.bounds[2 * index]!;
  }

  to(index: number): number {
    return this.bounds[2 * index + 1]!;
  }
}
