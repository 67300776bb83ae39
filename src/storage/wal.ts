/**
 * Tells a write-ahead log (WAL) as a crash leaves it from a damaged one, as far as that is
 * possible.
 *
 * SQLite reads a log up to the first frame whose checksum is wrong and takes the rest for a commit
 * that the crash tore. So a single flipped bit silently loses every later commit. But each commit
 * is synced before the next one is written: if behind the broken frame a whole frame ends a commit
 * and another whole frame follows it, the broken frame was whole once, and is damaged. Weaker
 * evidence proves nothing: torn frames may lie over frames of older commits, and a frame's header
 * may be half old and half new. Damage within the last commit, and sometimes the last two, cannot
 * be told from a torn commit. The format: https://sqlite.org/fileformat2.html#walformat
 */

import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** The last bit of the magic number gives the byte order in which checksums read their words. */
const MAGIC = 0x377f0682;

/** The two running sums of a log's checksums. */
type Sums = readonly [number, number];

class WalFile {
  private readonly bytes: DataView;
  private readonly isLittleEndian: boolean;
  private readonly frameBytes: number;
  readonly frames: number;

  constructor(bytes: Buffer) {
    this.bytes = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.isLittleEndian = this.word(0) === MAGIC;
    this.frameBytes = FRAME_HEADER_BYTES + this.word(8);
    this.frames = Math.floor((bytes.length - HEADER_BYTES) / this.frameBytes);
  }

  get headerIsWhole(): boolean {
    if ((this.word(0) & ~1) >>> 0 !== MAGIC) return false;
    const [first, second] = this.sum([0, 0], 0, HEADER_BYTES - 8);
    return first === this.word(24) && second === this.word(28);
  }

  private word(at: number): number {
    return this.bytes.getUint32(at);
  }

  /**
   * The page in a frame, its bytes, and how many pages the database has after the commit that the
   * frame ends.
   */
  page(frame: number): { page: number; bytes: Buffer; pagesInAll: number } {
    const at = this.at(frame);
    const { buffer, byteOffset } = this.bytes;
    const bytes = Buffer.from(buffer, byteOffset + at + FRAME_HEADER_BYTES, this.word(8));
    return { page: this.word(at), bytes, pagesInAll: this.word(at + 4) };
  }

  private at(frame: number): number {
    return HEADER_BYTES + frame * this.frameBytes;
  }

  /**
   * Whether a frame belongs to this log, and is not left over from an earlier one in the same file.
   */
  private isOurs(frame: number): boolean {
    const at = this.at(frame);
    return this.word(at + 8) === this.word(16) && this.word(at + 12) === this.word(20);
  }

  /** Whether a whole frame ends a commit. */
  endsCommit(frame: number): boolean {
    return this.word(this.at(frame) + 4) !== 0;
  }

  /** Whether a frame is whole and continues the checksum of the frame before it. */
  follows(frame: number): boolean {
    if (!this.isOurs(frame)) return false;
    const at = this.at(frame);
    const before = frame === 0 ? 24 : this.at(frame - 1) + 16;
    const header = this.sum([this.word(before), this.word(before + 4)], at, 8);
    const [first, second] = this.sum(header, at + FRAME_HEADER_BYTES, this.word(8));
    return first === this.word(at + 16) && second === this.word(at + 20);
  }

  private sum([first, second]: Sums, from: number, count: number): Sums {
    const { bytes, isLittleEndian } = this;
    for (let at = from; at < from + count; at += 8) {
      first = (first + bytes.getUint32(at, isLittleEndian) + second) >>> 0;
      second = (second + bytes.getUint32(at + 4, isLittleEndian) + first) >>> 0;
    }
    return [first, second];
  }
}

/** What is wrong with a log; undefined if it is as a crash leaves it. */
export function damageOf(bytes: Buffer): string | undefined {
  if (bytes.length < HEADER_BYTES) return "it is missing or empty";
  const log = new WalFile(bytes);
  // A crash never tears the header: it is synced before the first frame and lies in one sector.
  if (!log.headerIsWhole) return "its header is damaged";
  let broken = 0;
  while (broken < log.frames && log.follows(broken)) broken++;
  for (let frame = broken + 1; frame + 1 < log.frames; frame++) {
    if (log.follows(frame) && log.endsCommit(frame) && log.follows(frame + 1)) {
      return `frame ${broken + 1} of it is damaged, and commits follow`;
    }
  }
  return undefined;
}

/** What the main file becomes by the commits of a log. */
export interface Committed {
  /** The pages in the log, counted from 1, as its last whole commit leaves them. */
  readonly pages: ReadonlyMap<number, Buffer>;
  readonly pagesInAll: number;
}

/** The result of a log's whole commits. damageOf() must have found nothing wrong with it. */
export function committedBy(bytes: Buffer): Committed {
  const log = new WalFile(bytes);
  const pages = new Map<number, Buffer>();
  let pagesInAll = 0;
  let commit: [number, Buffer][] = [];
  for (let frame = 0; frame < log.frames && log.follows(frame); frame++) {
    const { page, bytes, pagesInAll: after } = log.page(frame);
    commit.push([page, bytes]);
    if (!log.endsCommit(frame)) continue;
    for (const [number, content] of commit) pages.set(number, content);
    pagesInAll = after;
    commit = [];
  }
  return { pages, pagesInAll };
}

/**
 * Makes sure that a log is on the disk as it reads. After a failed sync the system shows bytes that
 * never reached the disk and that no later sync writes; a power cut during the next WAL checkpoint
 * would then leave a mix. Writing and syncing the log anew puts them on the disk; a power cut
 * meanwhile leaves each sector old or new. Answers what is wrong with the log, as damageOf() does,
 * and leaves a damaged log as it is.
 */
export function secureWal(path: string): string | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, "r+");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return damageOf(Buffer.alloc(0));
    throw error;
  }
  try {
    const bytes = readFileSync(descriptor);
    const damage = damageOf(bytes);
    if (damage !== undefined) return damage;
    for (let at = 0; at < bytes.length; )
      at += writeSync(descriptor, bytes, at, bytes.length - at, at);
    fsyncSync(descriptor);
    return undefined;
  } finally {
    closeSync(descriptor);
  }
}
