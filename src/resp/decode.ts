/**
 * Bytes into requests. The framer admits whole requests; redis-parser takes them apart. A GET of
 * one name, the request there is most of, is recognised as it stands and needs neither: the fast
 * lane. Both ways give the same answer on every input, which test/unit/resp/decode.test.ts checks.
 *
 * Texts are byte strings: one character for each byte.
 */

import { isAscii } from "node:buffer";
import RedisParser from "redis-parser";
import { FAST_GET_BYTES_MAX, FastGet, type PrefetchNames } from "./fast-get.ts";
import { BROKEN, Framer, INCOMPLETE, INLINE, type RequestLimits } from "./frame.ts";
import { splitLine } from "./inline.ts";

/** What next() found. */
export const NOTHING = 0;
/** A GET of the name in `name`. */
export const GET = 1;
/** A request of the arguments in `args`, at least one of them. */
export const REQUEST = 2;
/** Not a request: `error` says why, and nothing more can be read. */
export const FAILED = 3;
/** A request of nothing, which is answered by nothing. */
export const EMPTY_REQUEST = 4;

/** Shorter chunks are copied together: each that is kept costs memory of its own. */
const KEPT_BYTES_MIN = 16 * 1024;

const EMPTY = Buffer.alloc(0);

export class Decoder {
  args: readonly string[] = [];
  error = "";
  private readonly framer: Framer;
  private readonly fastGet = new FastGet();
  private bytes: Buffer = EMPTY;
  private start = 0;
  private end = 0;
  /** Whether `bytes` is this decoder's own and has room to append, or a chunk as it came. */
  private owned = false;
  /**
   * Large chunks behind `bytes`, in order, and how long they are together. They are not moved before
   * a request needs them: to fill fresh memory costs more than all else about them.
   */
  private later: Buffer[] = [];
  private laterBytes = 0;
  /** The last GET of the fast lane as it came: the name is from `nameFrom` to `nameTo`. */
  readonly lastGet = Buffer.alloc(FAST_GET_BYTES_MAX);
  nameFrom = 0;
  nameTo = 0;
  /** Whether it is the same as the one before. */
  isRepeat = false;
  private lastGetBytes = 0;
  /** The name as a text, once it was asked for. */
  private lastName = "";

  constructor(limits: RequestLimits) {
    this.framer = new Framer(limits);
  }

  /** Bytes of requests not yet taken by next(). */
  get pending(): number {
    return this.end - this.start + this.laterBytes;
  }

  /** Bytes of memory held for them. */
  get held(): number {
    return this.bytes.length + this.laterBytes;
  }

  /** The name that the last GET asked for. */
  get name(): string {
    if (this.lastName === "") {
      this.lastName = this.lastGet.toString("latin1", this.nameFrom, this.nameTo);
    }
    return this.lastName;
  }

  /** Whether the client has yet to log in, so that its requests must be small. */
  set isUnauthenticated(isStranger: boolean) {
    this.framer.isStranger = isStranger;
  }

  /** Adds what arrived. The decoder keeps the chunk: it must not change any more. */
  push(chunk: Buffer): void {
    const pending = this.pending + chunk.length;
    if (pending === chunk.length) {
      this.bytes = chunk;
      this.start = 0;
      this.end = chunk.length;
      this.owned = false;
    } else if (chunk.length >= KEPT_BYTES_MIN) {
      this.later.push(chunk);
      this.laterBytes += chunk.length;
    } else {
      const hasRoom = this.owned && this.end + chunk.length <= this.bytes.length;
      if (this.later.length > 0 || !hasRoom) this.own(2 * pending, this.later.length);
      chunk.copy(this.bytes, this.end);
      this.end += chunk.length;
    }
  }

  /** The next request: NOTHING, GET, REQUEST, EMPTY_REQUEST or FAILED. */
  next(): number {
    if (this.error !== "") return FAILED;
    if (!this.framer.isUnderWay && (this.repeatsGet() || this.matchGet())) return GET;
    let found = this.framer.scan(this.bytes, this.start, this.end);
    while (found === INCOMPLETE && this.goOnLater()) {
      found = this.framer.scan(this.bytes, this.start, this.end);
    }
    if (found === INCOMPLETE) return this.nothing();
    if (found === BROKEN) return this.failed(this.framer.error);
    const from = this.start;
    this.start += this.framer.length;
    const args =
      found === INLINE
        ? splitLine(this.bytes.toString("latin1", from, this.start - 1))
        : takeApart(this.bytes.subarray(from, this.start));
    if (args === undefined) return this.failed("Protocol error: unbalanced quotes in request");
    this.args = args;
    return args.length === 0 ? EMPTY_REQUEST : REQUEST;
  }

  private nothing(): number {
    // What was decoded is let go of, so that an idle connection holds no chunk.
    if (this.start === this.end) {
      this.bytes = EMPTY;
      this.start = 0;
      this.end = 0;
    } else if (!this.owned && this.end - this.start < this.bytes.length / 2) {
      this.own(this.end - this.start, 0);
    }
    return NOTHING;
  }

  /** Goes on with kept chunks, as many as the request under way needs. Whether there were so many. */
  private goOnLater(): boolean {
    const { later, framer } = this;
    if (later.length === 0 || this.pending < framer.needs) return false;
    if (this.start === this.end) {
      this.bytes = later.shift()!;
      this.laterBytes -= this.bytes.length;
      this.start = 0;
      this.end = this.bytes.length;
      this.owned = false;
      return true;
    }
    let size = this.end - this.start;
    let chunks = 0;
    do size += later[chunks++]!.length;
    while (size < framer.needs);
    this.own(size, chunks);
    return true;
  }

  /** Moves `bytes` and so many kept chunks into memory of its own, of this size. */
  private own(size: number, chunks: number): void {
    const own = Buffer.allocUnsafeSlow(size);
    let end = this.bytes.copy(own, 0, this.start, this.end);
    for (const chunk of this.later.splice(0, chunks)) {
      end += chunk.copy(own, end);
      this.laterBytes -= chunk.length;
    }
    this.start = 0;
    this.end = end;
    this.bytes = own;
    this.owned = true;
  }

  private failed(error: string): number {
    this.error = error;
    this.bytes = EMPTY;
    this.later = [];
    this.laterBytes = 0;
    this.start = 0;
    this.end = 0;
    return FAILED;
  }

  /**
   * The fast lane's own: the same bytes as the last GET ask for the same name, which need not be
   * read again. Names mostly differ at their end, so that is looked at first.
   */
  private repeatsGet(): boolean {
    const { bytes, start, lastGet, lastGetBytes } = this;
    if (lastGetBytes === 0 || start + lastGetBytes > this.end) return false;
    for (let at = lastGetBytes - 1; at >= 0; at--) {
      if (bytes[start + at] !== lastGet[at]) return false;
    }
    this.start = start + lastGetBytes;
    this.isRepeat = true;
    return true;
  }

  /** The fast lane: a whole GET of one name at the start of what is there. */
  private matchGet(): boolean {
    const { bytes, start, fastGet, lastGet } = this;
    if (!fastGet.match(bytes, start, this.end)) return false;
    this.start = fastGet.end;
    this.nameFrom = fastGet.nameFrom - start;
    this.nameTo = fastGet.nameTo - start;
    this.lastName = "";
    this.isRepeat = false;
    this.lastGetBytes = this.start - start;
    for (let byte = 0; byte < this.lastGetBytes; byte++) lastGet[byte] = bytes[start + byte]!;
    return true;
  }

  /** The names of the GETs that come next. */
  prefetch(names: PrefetchNames): void {
    names.gather(this.bytes, this.start, this.end);
  }
}

let taken: unknown;

function createParser(returnBuffers: boolean): RedisParser {
  return new RedisParser({
    returnBuffers,
    returnReply: (reply) => {
      taken = reply;
    },
    returnError: (error) => {
      throw error;
    },
  });
}

/** Gives the arguments as bytes. */
const parser = createParser(true);
/** Gives them as texts of UTF-8, which for ASCII are byte strings, too, and cost half as much. */
const asciiParser = createParser(false);

/** The arguments of one whole multibulk request. */
function takeApart(request: Buffer): string[] {
  taken = undefined;
  const isText = isAscii(request);
  (isText ? asciiParser : parser).execute(request);
  // An array of less than one argument parses to null or to nothing: it asks for nothing.
  if (!Array.isArray(taken)) return [];
  return isText ? taken : taken.map((argument: Buffer) => argument.toString("latin1"));
}
