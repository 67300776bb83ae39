/**
 * Where a request ends. Headers are read strictly and every size is checked before anything is
 * kept for it, so that what is handed on is one whole, flat, well-formed request. The rules and
 * the error texts are those of redis-server (networking.c, processMultibulkBuffer), except that a
 * missing CRLF is an error here: Redis skips two bytes there, whatever they are.
 *
 * A request is a multibulk (*2 CRLF $3 CRLF GET CRLF ...) or a line (GET order_id CRLF).
 */

export interface RequestLimits {
  /** The most bytes of one request, headers included. */
  readonly requestBytesMax: number;
  /** The most arguments of one request, the command's name included. */
  readonly requestArgumentsMax: number;
}

/** What scan() found. */
export const INCOMPLETE = 0;
export const MULTIBULK = 1;
export const INLINE = 2;
export const BROKEN = 3;

/** The longest header and the longest inline request, as in Redis (PROTO_INLINE_MAX_SIZE). */
const LINE_BYTES_MAX = 64 * 1024;
/** A length has at most so many characters, as no limit needs more. */
const LENGTH_CHARACTERS_MAX = 19;

const CR = 13;
const LF = 10;
const STAR = 42;
const DOLLAR = 36;
const MINUS = 45;
const ZERO = 48;
const NINE = 57;

const NOT_A_NUMBER = Number.MIN_SAFE_INTEGER;

export class Framer {
  /** Where the request that scan() found ends, counted from its start. */
  length = 0;
  /** What is wrong, once scan() said BROKEN. */
  error = "";
  private readonly limits: RequestLimits;
  /** How far the request has been read, counted from its start: scan() goes on here. */
  private read = 0;
  /** Arguments still to come; -1 before the header of the multibulk. */
  private argumentsLeft = -1;
  /** Bytes of the bulk whose header was read; -1 before its header. */
  private bulkBytes = -1;

  constructor(limits: RequestLimits) {
    this.limits = limits;
  }

  /** Whether the scan of a request has begun: it must go on before anything else reads it. */
  get isUnderWay(): boolean {
    return this.read > 0;
  }

  /**
   * Looks for the end of the request that starts at `start` in the bytes up to `end`. After
   * INCOMPLETE call it again with the same request and more bytes; it does not read any twice.
   */
  scan(bytes: Uint8Array, start: number, end: number): number {
    if (start === end) return INCOMPLETE;
    const found =
      bytes[start] === STAR ? this.multibulk(bytes, start, end) : this.inline(bytes, start, end);
    if (found === MULTIBULK || found === INLINE) {
      this.length = this.read;
      this.read = 0;
      this.argumentsLeft = -1;
      this.bulkBytes = -1;
    }
    return found;
  }

  private inline(bytes: Uint8Array, start: number, end: number): number {
    const lineEnd = bytes.subarray(0, end).indexOf(LF, start + this.read);
    const lineBytes = (lineEnd < 0 ? end : lineEnd) - start;
    if (lineBytes > Math.min(LINE_BYTES_MAX, this.limits.requestBytesMax)) {
      return this.broken("too big inline request");
    }
    this.read = lineEnd < 0 ? end - start : lineEnd + 1 - start;
    return lineEnd < 0 ? INCOMPLETE : INLINE;
  }

  private multibulk(bytes: Uint8Array, start: number, end: number): number {
    const { requestArgumentsMax } = this.limits;
    if (this.argumentsLeft < 0) {
      const count = this.header(bytes, start, end, "mbulk count");
      if (count === undefined) return this.error === "" ? INCOMPLETE : BROKEN;
      if (count === NOT_A_NUMBER || count > requestArgumentsMax) {
        return this.broken("invalid multibulk length");
      }
      this.argumentsLeft = Math.max(0, count);
    }
    while (this.argumentsLeft > 0) {
      const found = this.bulk(bytes, start, end);
      if (found !== MULTIBULK) return found;
      this.argumentsLeft--;
    }
    return MULTIBULK;
  }

  /** Reads one argument; MULTIBULK once it is whole. */
  private bulk(bytes: Uint8Array, start: number, end: number): number {
    if (this.bulkBytes < 0) {
      const at = start + this.read;
      if (at < end && bytes[at] !== DOLLAR) {
        return this.broken(`expected '$', got '${String.fromCharCode(bytes[at]!)}'`);
      }
      const length = this.header(bytes, start, end, "bulk count");
      if (length === undefined) return this.error === "" ? INCOMPLETE : BROKEN;
      if (length < 0 || this.read + length + 2 > this.limits.requestBytesMax) {
        return this.broken("invalid bulk length");
      }
      this.bulkBytes = length;
    }
    const bulkEnd = start + this.read + this.bulkBytes;
    if (bulkEnd + 2 > end) return INCOMPLETE;
    if (bytes[bulkEnd] !== CR || bytes[bulkEnd + 1] !== LF) {
      return this.broken("expected CRLF after the bulk string");
    }
    this.read += this.bulkBytes + 2;
    this.bulkBytes = -1;
    return MULTIBULK;
  }

  /**
   * Reads a header line, its first character skipped, and goes behind it. Undefined while it is
   * incomplete, or once it is too long, which sets the error.
   */
  private header(bytes: Uint8Array, start: number, end: number, what: string): number | undefined {
    const at = start + this.read;
    // A length that can be right ends within the first few characters.
    const seen = Math.min(end, at + LENGTH_CHARACTERS_MAX + 4);
    const lineEnd = bytes.subarray(0, seen).indexOf(CR, at);
    if (lineEnd < 0 && seen < end) {
      const line = bytes.subarray(0, end).indexOf(CR, seen);
      if (line >= 0) return NOT_A_NUMBER;
      if (end - at > LINE_BYTES_MAX) this.broken(`too big ${what} string`);
      return undefined;
    }
    if (lineEnd < 0 || lineEnd + 1 === end) return undefined;
    if (bytes[lineEnd + 1] !== LF) return NOT_A_NUMBER;
    this.read = lineEnd + 2 - start;
    return numberIn(bytes, at + 1, lineEnd);
  }

  private broken(error: string): number {
    this.error = `Protocol error: ${error}`;
    return BROKEN;
  }
}

/** A length as Redis reads it (string2ll): no sign but a minus, no leading zero, nothing else. */
function numberIn(bytes: Uint8Array, from: number, to: number): number {
  const negative = bytes[from] === MINUS;
  const first = negative ? from + 1 : from;
  if (first === to || to - first > LENGTH_CHARACTERS_MAX) return NOT_A_NUMBER;
  if (bytes[first] === ZERO && (negative || to - first > 1)) return NOT_A_NUMBER;
  let value = 0;
  for (let at = first; at < to; at++) {
    const digit = bytes[at]!;
    if (digit < ZERO || digit > NINE) return NOT_A_NUMBER;
    value = value * 10 + (digit - ZERO);
  }
  return negative ? -value : value;
}
