/**
 * Turns bytes into requests. The framer admits whole requests; redis-parser takes them apart. A GET
 * of one name, by far the most frequent request, takes the fast path: it is recognised in the bytes
 * and needs neither. Both paths give the same result on every input
 * (test/unit/resp/decode.test.ts).
 *
 * Texts are byte strings: one character for each byte.
 */

import { isAscii } from "node:buffer";
import RedisParser from "redis-parser";
import { FAST_GET_BYTES_MAX, FastGet, type PrefetchNames } from "./fast-get.ts";
import { BROKEN, Framer, INCOMPLETE, INLINE, type RequestLimits } from "./frame.ts";
import { splitLine } from "./inline.ts";
import { allocate, free, type Ledger, NO_LEDGER } from "./ledger.ts";

/** The results of next(). NOTHING: no whole request is there. */
export const NOTHING = 0;
/** A GET of the name in `name`. */
export const GET = 1;
/** A request whose arguments are in `args`, at least one. */
export const REQUEST = 2;
/** Not a request: `error` says why, and the connection can be read no further. */
export const FAILED = 3;
/** A request without arguments, which gets no reply. */
export const EMPTY_REQUEST = 4;

/** Shorter chunks are copied together, because each chunk that is kept has an overhead. */
const KEPT_BYTES_MIN = 16 * 1024;

const EMPTY = Buffer.alloc(0);
const NO_ARGUMENTS: readonly string[] = [];

export class Decoder {
  args: readonly string[] = NO_ARGUMENTS;
  /** The size of the request whose arguments these are, in bytes; 0 if there are none. */
  requestBytes = 0;
  /** How many words it has. */
  requestWords = 0;
  error = "";
  private readonly ledger: Ledger;
  private readonly framer: Framer;
  private readonly fastGet = new FastGet();
  private bytes: Buffer = EMPTY;
  private start = 0;
  private end = 0;
  /**
   * Whether this decoder allocated `bytes` and may append to it; else it is a chunk as it arrived.
   */
  private owned = false;
  /**
   * Large chunks that follow `bytes`, in order, and their length in all. They are copied only when
   * a request needs them: filling fresh memory costs more than everything else done with them.
   */
  private later: Buffer[] = [];
  private laterBytes = 0;
  /** The bytes of the last GET of the fast path; its name is from `nameFrom` to `nameTo`. */
  readonly lastGet = Buffer.alloc(FAST_GET_BYTES_MAX);
  nameFrom = 0;
  nameTo = 0;
  /** Whether the last GET is the same as the one before. */
  isRepeat = false;
  private lastGetBytes = 0;
  /** The name as a text, made when it is first asked for. */
  private lastName = "";

  /** The ledger is told of the memory that the decoder holds. */
  constructor(limits: RequestLimits, ledger = NO_LEDGER) {
    this.framer = new Framer(limits);
    this.ledger = ledger;
  }

  /** Bytes that next() has not yet taken. */
  get pending(): number {
    return this.end - this.start + this.laterBytes;
  }

  /** Bytes of memory that the decoder holds. */
  get held(): number {
    return this.bytes.length + this.laterBytes;
  }

  /** The name in the last GET. */
  get name(): string {
    if (this.lastName === "") {
      this.lastName = this.lastGet.toString("latin1", this.nameFrom, this.nameTo);
    }
    return this.lastName;
  }

  /** Whether the client has yet to log in, so that its requests must be small. */
  set isUnauthenticated(isUnauthenticated: boolean) {
    this.framer.isUnauthenticated = isUnauthenticated;
  }

  /** Adds a chunk that arrived. It is the decoder's now, which gives its memory back after use. */
  push(chunk: Buffer): void {
    const pending = this.pending + chunk.length;
    if (pending === chunk.length) {
      this.keep(chunk);
      this.start = 0;
      this.end = chunk.length;
      this.owned = false;
    } else if (chunk.length >= KEPT_BYTES_MIN) {
      this.later.push(chunk);
      this.keepLater(chunk.length);
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
    this.requestBytes = this.framer.length;
    this.start += this.requestBytes;
    const args =
      found === INLINE
        ? splitLine(this.bytes.toString("latin1", from, this.start - 1))?.map(copied)
        : takeApart(this.bytes.subarray(from, this.start));
    if (args === undefined) return this.failed("Protocol error: unbalanced quotes in request");
    this.args = args;
    this.requestWords = args.length;
    return args.length === 0 ? EMPTY_REQUEST : REQUEST;
  }

  /** Releases the arguments of the last request. */
  letGo(): void {
    this.args = NO_ARGUMENTS;
    this.requestBytes = 0;
  }

  /** Releases everything: there is no further request. */
  release(): void {
    this.letGo();
    this.keep(EMPTY);
    for (const chunk of this.later) free(chunk);
    this.later = [];
    this.keepLater(-this.laterBytes);
    this.start = 0;
    this.end = 0;
  }

  /** Takes other bytes to decode. Here and in keepLater() the memory held changes. */
  private keep(bytes: Buffer): void {
    this.ledger.add(bytes.length - this.bytes.length);
    free(this.bytes);
    this.bytes = bytes;
  }

  private keepLater(bytes: number): void {
    this.ledger.add(bytes);
    this.laterBytes += bytes;
  }

  private nothing(): number {
    // Chunks that were decoded are released, so that an idle connection holds none.
    if (this.start === this.end) {
      this.keep(EMPTY);
      this.start = 0;
      this.end = 0;
    } else if (!this.owned && this.end - this.start < this.bytes.length / 2) {
      this.own(this.end - this.start, 0);
    }
    return NOTHING;
  }

  /** Adds the kept chunks that the request under way needs. Answers whether there are enough. */
  private goOnLater(): boolean {
    const { later, framer } = this;
    if (later.length === 0 || this.pending < framer.needs) return false;
    if (this.start === this.end) {
      this.keepLater(-later[0]!.length);
      this.keep(later.shift()!);
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

  /** Copies `bytes` and the first `chunks` kept chunks into a new buffer of `size` bytes. */
  private own(size: number, chunks: number): void {
    const own = allocate(size);
    let end = this.bytes.copy(own, 0, this.start, this.end);
    for (const chunk of this.later.splice(0, chunks)) {
      end += chunk.copy(own, end);
      this.keepLater(-chunk.length);
      free(chunk);
    }
    this.start = 0;
    this.end = end;
    this.keep(own);
    this.owned = true;
  }

  private failed(error: string): number {
    this.error = error;
    this.release();
    return FAILED;
  }

  /**
   * Whether the next request has the same bytes as the last GET, so that its name is known. Names
   * mostly differ at their end, so the comparison begins there.
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

  /** Whether a whole GET of one name comes next; takes it. */
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

  /** Whether next() will find a GET. */
  get isGetNext(): boolean {
    return !this.framer.isUnderWay && this.fastGet.match(this.bytes, this.start, this.end);
  }

  /** Finds the names of the next GETs. */
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

/** Returns the arguments as bytes. */
const parser = createParser(true);
/** Returns them as UTF-8 texts. For ASCII these are byte strings as well, and cost half as much. */
const asciiParser = createParser(false);

/** The arguments of one whole multibulk request. */
function takeApart(request: Buffer): string[] {
  taken = undefined;
  const isText = isAscii(request);
  (isText ? asciiParser : parser).execute(request);
  // An array without arguments parses to null or to nothing.
  const found = taken;
  // The last request of all would otherwise be kept until the next one.
  taken = undefined;
  if (!Array.isArray(found)) return [];
  return isText ? found : found.map((argument: Buffer) => argument.toString("latin1"));
}

/** The same text, which does not keep the line that it is part of in memory. */
function copied(text: string): string {
  return Buffer.from(text, "latin1").toString("latin1");
}
