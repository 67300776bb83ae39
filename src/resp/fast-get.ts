/**
 * The fast lane: a whole GET of one name, the request there is most of, recognised as it stands in the bytes.
 * What it does not recognise goes the general way, and gets the same answer (test/unit/resp/decode.test.ts).
 */

import { assert } from "../base/assert.ts";

/** "*2\r\n$3\r\nGET\r\n$": how a GET begins. */
const HEAD = Buffer.from("*2\r\n$3\r\nget\r\n$");
const HEAD_BYTES = HEAD.length;
/** The letters of GET in the head: these may be in either case. */
const LETTERS_FROM = 8;
const LETTERS_TO = 11;
const LOWER_CASE = 32;
/** A name of up to two digits of length takes the fast lane. */
const NAME_BYTES_MAX = 99;
/** The longest there is: its head, two digits, CRLF, the name, CRLF. */
export const FAST_GET_BYTES_MAX = HEAD_BYTES + 2 + 2 + NAME_BYTES_MAX + 2;

const CR = 13;
const LF = 10;
const ZERO = 48;
const NINE = 57;

/** A whole GET in some bytes. */
export class FastGet {
  nameFrom = 0;
  nameTo = 0;

  /** Whether there is one in the bytes up to `end`. Then its name is from `nameFrom` to `nameTo`. */
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

  /** Where the one that was found ends. */
  get end(): number {
    return this.nameTo + 2;
  }
}

const NO_BYTES = Buffer.alloc(0);
/** So many names at most are looked for together. */
const GROUP_MAX = 32;

/** The names of the GETs that come next, as they stand in the bytes. */
export class PrefetchNames {
  bytes: Uint8Array = NO_BYTES;
  count = 0;
  private readonly bounds = new Int32Array(2 * GROUP_MAX);
  private readonly get = new FastGet();

  /** Finds those that follow one another from `start` on. */
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

  /** Forgets them, so that nothing holds the bytes. */
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
