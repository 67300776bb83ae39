/**
 * Whether the database and its write-ahead log are still there while the server uses them. SQLite writes on
 * into a file that was unlinked, and behind the end of one that was cut, without a word: numbers
 * would leave whose reservation no later start can read.
 *
 * By descriptors of our own, at each commit: a file that was unlinked or cut, or the main one copied over. By
 * the paths, now and then: one that was moved or replaced, too. Nothing but SQLite writes to the two,
 * and to the main file only while it moves the log there; neither gets shorter but for the log, which
 * begins anew no shorter than `journal_size_limit`.
 */

import { closeSync, fstatSync, openSync, readSync, type Stats, statSync } from "node:fs";
import { type Extent, extents } from "../platform/libc.ts";
import { DiskVanished } from "./store.ts";

/** A file whose name leads nowhere, or through what is no folder, is not there. */
const GONE = ["ENOENT", "ENOTDIR", "ELOOP"];

const extentOf = extents(false);
const timedExtentOf = extents(true);

class UsedFile {
  private readonly path: string;
  readonly descriptor: number;
  private readonly shortenedTo: number;
  private readonly found: Stats;
  private links: number;
  /** At least so long it is from now on. */
  private bytes = 0;

  /** `shortenedTo`: SQLite itself may cut it to no less than so many bytes. */
  constructor(path: string, descriptor: number, shortenedTo: number) {
    this.path = path;
    this.descriptor = descriptor;
    this.shortenedTo = shortenedTo;
    this.found = fstatSync(descriptor);
    this.links = this.found.nlink;
    this.check(this.found);
  }

  /** Throws where it has fewer names than it had, or is shorter. */
  check({ nlink, size }: Extent): void {
    if (nlink < this.links) this.lostLink(nlink);
    if (size < this.bytes) throw this.vanished(`was cut from ${this.bytes} to ${size} bytes`);
    this.bytes = Math.min(size, this.shortenedTo);
  }

  /** It may have had others than the one that the server needs. */
  private lostLink(left: number): void {
    this.links = left;
    if (left === 0) throw this.vanished("was removed");
    this.checkPath();
  }

  checkPath(): void {
    let there: Stats;
    try {
      there = statSync(this.path);
    } catch (error) {
      // What may not be looked at now, as its folder's permissions changed, may be there.
      if (!GONE.includes((error as NodeJS.ErrnoException).code ?? "")) return;
      throw this.vanished("was removed or moved away, or its folder was");
    }
    const { dev, ino } = this.found;
    if (there.dev !== dev || there.ino !== ino) throw this.vanished("was replaced by another file");
  }

  /** Where the first bytes of what was cut are written again, as zeros, its length says nothing. */
  checkStart(): void {
    const start = Buffer.alloc(4);
    const count = readSync(this.descriptor, start, 0, start.length, 0);
    if (count === start.length && start.readUInt32BE() === 0) {
      throw this.vanished("was cut and written to again");
    }
  }

  vanished(what: string): DiskVanished {
    return new DiskVanished(`${this.path} ${what} while the server used it`);
  }
}

/** The database and its log, from the moment on when both are in use. */
export class Presence {
  private readonly main: UsedFile;
  private readonly log: UsedFile;
  /** When SQLite last wrote to the main file; undefined where the file system does not keep to that. */
  private writtenMs: number | undefined;

  /**
   * `reader` is a descriptor of the main file, and stays the caller's; `isPlainDisk`: the time of the last write is that
   * of the last write, which a network or another program may set late. Throws DiskVanished.
   */
  constructor(
    path: string,
    reader: number,
    logPath: string,
    logBytesKept: number,
    isPlainDisk: boolean,
  ) {
    this.main = new UsedFile(path, reader, Number.POSITIVE_INFINITY);
    // There are no locks on the log that closing this descriptor could drop.
    this.log = new UsedFile(logPath, openSync(logPath, "r"), logBytesKept);
    this.writtenMs = isPlainDisk ? timedExtentOf(reader).mtimeMs : undefined;
    this.checkPaths();
  }

  /** SQLite has just written to the main file. */
  noteWritten(): void {
    const found = timedExtentOf(this.main.descriptor);
    this.main.check(found);
    if (this.writtenMs !== undefined) this.writtenMs = found.mtimeMs;
  }

  /**
   * Throws DiskVanished where one of them was unlinked or cut, or the main one written to. Takes about
   * two microseconds.
   */
  check(): void {
    const found = timedExtentOf(this.main.descriptor);
    this.main.check(found);
    if (this.writtenMs !== undefined && found.mtimeMs !== this.writtenMs) {
      throw this.main.vanished("was written to by others");
    }
    this.checkLog();
  }

  /** The same of the log alone. */
  checkLog(): void {
    this.log.check(extentOf(this.log.descriptor));
  }

  /** The same where one of them is not at its path any more. */
  checkPaths(): void {
    this.check();
    this.main.checkPath();
    this.log.checkPath();
    this.log.checkStart();
  }

  /** SQLite moved the log into the main file, removed it and let go of both. Throws DiskVanished. */
  end(): void {
    closeSync(this.log.descriptor);
    this.main.check(timedExtentOf(this.main.descriptor));
    this.main.checkPath();
  }
}
