/**
 * Finds where a request ends. Every size is checked before memory is kept for it, so redis-parser
 * only gets whole, flat, well-formed requests. The rules and the error texts are those of
 * redis-server (networking.c, processMultibulkBuffer), except that a bulk must end in CRLF here:
 * Redis skips two bytes there, whatever they are.
 *
 * A request is a multibulk (*2 CRLF $3 CRLF GET CRLF ...) or a line (GET order_id CRLF).
 */

/** Limits for a client that has not logged in, as in Redis. */
const UNAUTHENTICATED_ARGUMENTS_MAX = 10;
const UNAUTHENTICATED_BULK_BYTES_MAX = 16 * 1024;

export interface RequestLimits {
  /** The most bytes of one request, headers included. */
  readonly requestBytesMax: number;
  /** The most arguments of one request, the command's name included. */
  readonly requestArgumentsMax: number;
}

/** The results of scan(). */
export const INCOMPLETE = 0;
export const MULTIBULK = 1;
export const INLINE = 2;
export const BROKEN = 3;

/** The longest header and the longest inline request, as in Redis (PROTO_INLINE_MAX_SIZE). */
const LINE_BYTES_MAX = 64 * 1024;
/** The most characters of a length: a minus and 19 digits. */
const LENGTH_CHARACTERS_MAX = 20;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
/** Lengths of up to this many characters are exact as plain numbers. */
const EXACT_CHARACTERS_MAX = 15;

const CR = 13;
const LF = 10;
const STAR = 42;
const DOLLAR = 36;
const MINUS = 45;
const ZERO = 48;
const NINE = 57;

const NOT_A_NUMBER = Number.MIN_SAFE_INTEGER;

export class Framer {
  /** The bytes of the request that scan() found. */
  length = 0;
  /** What is wrong, once scan() has answered BROKEN. */
  error = "";
  /** Whether the client has yet to log in: its requests must be small. */
  isUnauthenticated = false;
  private readonly limits: RequestLimits;
  /** How many bytes of the request have been read: scan() goes on behind them. */
  private read = 0;
  /** Arguments still to come; -1 before the header of the multibulk. */
  private argumentsLeft = -1;
  /** The length of the bulk whose header was read; -1 before its header. */
  private bulkBytes = -1;

  constructor(limits: RequestLimits) {
    this.limits = limits;
  }

  /** Whether the scan of a request has begun: then only scan() may read on. */
  get isUnderWay(): boolean {
    return this.read > 0;
  }

  /** How many bytes of the request scan() needs to get any further; 0 if unknown. */
  get needs(): number {
    return this.bulkBytes < 0 ? 0 : this.read + this.bulkBytes + 2;
  }

  /**
   * Looks for the end of the request that starts at `start` in the bytes up to `end`. After
   * INCOMPLETE call it again with the same request and more bytes: it goes on where it stopped.
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
    const lineEnd = findEnd(bytes, LF, start + this.read, end);
    const lineBytes = (lineEnd < 0 ? end : lineEnd) - start;
    if (lineBytes > Math.min(LINE_BYTES_MAX, this.limits.requestBytesMax)) {
      return this.broken("too big inline request");
    }
    // An incomplete line is read from its start again, because a NUL may be in it.
    if (lineEnd < 0) return INCOMPLETE;
    this.read = lineEnd + 1 - start;
    return INLINE;
  }

  private multibulk(bytes: Uint8Array, start: number, end: number): number {
    const { requestArgumentsMax } = this.limits;
    if (this.argumentsLeft < 0) {
      const count = this.header(bytes, start, end, "mbulk count");
      if (count === undefined) return this.error === "" ? INCOMPLETE : BROKEN;
      if (count === NOT_A_NUMBER || count > requestArgumentsMax) {
        return this.broken("invalid multibulk length");
      }
      if (this.isUnauthenticated && count > UNAUTHENTICATED_ARGUMENTS_MAX) {
        return this.broken("unauthenticated multibulk length");
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
      const first = bytes[start + this.read]!;
      const length = this.header(bytes, start, end, "bulk count");
      if (length === undefined) return this.error === "" ? INCOMPLETE : BROKEN;
      if (first !== DOLLAR) return this.broken(`expected '$', got '${String.fromCharCode(first)}'`);
      if (length < 0 || this.read + length + 2 > this.limits.requestBytesMax) {
        return this.broken("invalid bulk length");
      }
      if (this.isUnauthenticated && length > UNAUTHENTICATED_BULK_BYTES_MAX) {
        return this.broken("unauthenticated bulk length");
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
   * Reads the number in a header line, behind its first character. Undefined if the line is
   * incomplete, or too long, which sets the error. As in Redis a CR ends the line, and the byte
   * after the CR is skipped.
   */
  private header(bytes: Uint8Array, start: number, end: number, what: string): number | undefined {
    const at = start + this.read;
    const lineEnd = findEnd(bytes, CR, at, end);
    if (lineEnd < 0) {
      if (end - at > LINE_BYTES_MAX) this.broken(`too big ${what} string`);
      return undefined;
    }
    if (lineEnd + 1 === end) return undefined;
    this.read = lineEnd + 2 - start;
    return numberIn(bytes, at + 1, lineEnd);
  }

  private broken(error: string): number {
    this.error = `Protocol error: ${error}`;
    return BROKEN;
  }
}

/**
 * Where the line at `from` ends; -1 if it does not. Redis searches it as a C string, so a NUL hides
 * its end.
 */
function findEnd(bytes: Uint8Array, mark: number, from: number, end: number): number {
  const near = Math.min(end, from + LENGTH_CHARACTERS_MAX + 2);
  for (let at = from; at < near; at++) {
    if (bytes[at] === mark) return at;
    if (bytes[at] === 0) return -1;
  }
  if (near === end) return -1;
  const all = bytes.subarray(0, end);
  const found = all.indexOf(mark, near);
  const nul = found < 0 ? -1 : all.subarray(0, found).indexOf(0, near);
  return nul < 0 ? found : -1;
}

/**
 * A length as Redis reads it (util.c, string2ll): a 64-bit integer without a plus and without
 * leading zeros. NOT_A_NUMBER for anything else.
 */
function numberIn(bytes: Uint8Array, from: number, to: number): number {
  const negative = bytes[from] === MINUS;
  const first = negative ? from + 1 : from;
  if (first === to || to - from > LENGTH_CHARACTERS_MAX) return NOT_A_NUMBER;
  if (bytes[first] === ZERO && (negative || to - first > 1)) return NOT_A_NUMBER;
  let value = 0;
  for (let at = first; at < to; at++) {
    const digit = bytes[at]!;
    if (digit < ZERO || digit > NINE) return NOT_A_NUMBER;
    value = value * 10 + (digit - ZERO);
  }
  if (to - from > EXACT_CHARACTERS_MAX) {
    const exact = BigInt(Buffer.from(bytes.subarray(from, to)).toString("latin1"));
    if (exact < INT64_MIN || exact > INT64_MAX) return NOT_A_NUMBER;
  }
  return negative ? -value : value;
}
