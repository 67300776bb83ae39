/**
 * What a crash left in the write-ahead log, told from damage as far as that can be told.
 *
 * SQLite reads a log up to the first frame whose checksum does not fit and takes the rest for a
 * commit that the crash tore. A flipped bit so loses every later commit without a word. But a
 * commit is synced before the next one is written: where, behind the broken frame, a whole frame
 * ends a commit and a whole one carries on from it, the broken one was once whole, too. Nothing less
 * says so: what a crash tore may lie over frames of older commits, and a frame's header may be half
 * of the one and half of the other. Damage within the last commit, and sometimes the last two,
 * cannot be told from a torn one.
 * The format: https://sqlite.org/fileformat2.html#walformat
 */

import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** The last bit of it says in which byte order checksums read their words. */
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

  /** The page that a frame has, its bytes, and how many pages there are after the commit that it ends. */
  page(frame: number): { page: number; bytes: Buffer; pagesInAll: number } {
    const at = this.at(frame);
    const { buffer, byteOffset } = this.bytes;
    const bytes = Buffer.from(buffer, byteOffset + at + FRAME_HEADER_BYTES, this.word(8));
    return { page: this.word(at), bytes, pagesInAll: this.word(at + 4) };
  }

  private at(frame: number): number {
    return HEADER_BYTES + frame * this.frameBytes;
  }

  /** Whether a frame is of this log, not left over from the log that was here before. */
  private isOurs(frame: number): boolean {
    const at = this.at(frame);
    return this.word(at + 8) === this.word(16) && this.word(at + 12) === this.word(20);
  }

  /** Whether a frame that is whole ends a commit. */
  endsCommit(frame: number): boolean {
    return this.word(this.at(frame) + 4) !== 0;
  }

  /** Whether a frame is whole, by the checksum that the frame before it carries. */
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

/** What is wrong with the log that a crash left; undefined where it is as a crash leaves it. */
export function damageOf(bytes: Buffer): string | undefined {
  if (bytes.length < HEADER_BYTES) return "it is missing or empty";
  const log = new WalFile(bytes);
  // The header is synced before the first frame, and lies in one sector: it is never torn.
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

/** What a log says that the main file is to be. */
export interface Committed {
  /** The pages it has, counted from 1, as its last whole commit leaves them. */
  readonly pages: ReadonlyMap<number, Buffer>;
  readonly pagesInAll: number;
}

/** What the whole commits of a log leave; damageOf() has found it as a crash leaves it. */
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
 * Makes sure that a log is on the disk as it reads: after a failed sync the system shows bytes that
 * never got there, and no later sync writes them. A power cut while they are moved into the main
 * file would leave a mix. Written anew they are on the disk; a cut amid that leaves each sector as
 * it was or as it is to be. Answers what is wrong with the log, as damageOf() does; then it is left.
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
