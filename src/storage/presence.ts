/**
 * Checks that the database and its write-ahead log (WAL) are still there while the server uses
 * them. SQLite silently writes on into a file that was unlinked, and behind the end of one that was
 * cut: numbers would leave whose reservation no later start can read.
 *
 * Each commit checks descriptors of our own: they show that a file was unlinked or cut, or that the
 * main file was copied over. Now and then the paths are checked: they also show that a file was
 * moved or replaced. This relies on SQLite alone writing to both files, to the main file only
 * during a WAL checkpoint, and on neither getting shorter, except that the WAL may be cut to
 * `journal_size_limit` when it begins anew.
 */

import { closeSync, fstatSync, openSync, readSync, type Stats, statSync } from "node:fs";
import { type Extent, extents } from "../platform/libc.ts";
import { DiskVanished } from "./store.ts";

/** Errors that say that a file is not at its path. */
const GONE = ["ENOENT", "ENOTDIR", "ELOOP"];

const extentOf = extents(false);
const timedExtentOf = extents(true);

class UsedFile {
  private readonly path: string;
  readonly descriptor: number;
  private readonly shortenedTo: number;
  private readonly found: Stats;
  private links: number;
  /** The least size that the file must have from now on. */
  private bytes = 0;

  /** `shortenedTo`: SQLite itself may cut the file, but not below this. */
  constructor(path: string, descriptor: number, shortenedTo: number) {
    this.path = path;
    this.descriptor = descriptor;
    this.shortenedTo = shortenedTo;
    this.found = fstatSync(descriptor);
    this.links = this.found.nlink;
    this.check(this.found);
  }

  /** Throws if the file was removed or is shorter than it was. */
  check({ nlink, size }: Extent): void {
    if (nlink < this.links) this.lostLink(nlink);
    if (size < this.bytes) throw this.vanished(`was cut from ${this.bytes} to ${size} bytes`);
    this.bytes = Math.min(size, this.shortenedTo);
  }

  /** The file lost a name, which need not be the one that the server uses. */
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
      // If the path cannot be read now, as after a change of permissions, the file may still be
      // there.
      if (!GONE.includes((error as NodeJS.ErrnoException).code ?? "")) return;
      throw this.vanished("was removed or moved away, or its folder was");
    }
    const { dev, ino } = this.found;
    if (there.dev !== dev || there.ino !== ino) throw this.vanished("was replaced by another file");
  }

  /**
   * A file that was cut and then written behind its end begins with zeros, while its length looks
   * right.
   */
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

/** The database and its WAL, once both are in use. */
export class Presence {
  private readonly main: UsedFile;
  private readonly log: UsedFile;
  /**
   * When SQLite last wrote to the main file; undefined if the file system's times cannot be relied
   * on.
   */
  private writtenMs: number | undefined;

  /**
   * `reader` is a descriptor of the main file that the caller closes. `isPlainDisk`: the time of
   * the last write can be relied on; a network file system or another program may set it late.
   * Throws DiskVanished.
   */
  constructor(
    path: string,
    reader: number,
    logPath: string,
    logBytesKept: number,
    isPlainDisk: boolean,
  ) {
    this.main = new UsedFile(path, reader, Number.POSITIVE_INFINITY);
    // Closing this descriptor drops no lock, because SQLite holds none on the WAL.
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
   * Throws DiskVanished if one of the two was unlinked or cut, or if others wrote to the main file.
   * Takes about two microseconds.
   */
  check(): void {
    const found = timedExtentOf(this.main.descriptor);
    this.main.check(found);
    if (this.writtenMs !== undefined && found.mtimeMs !== this.writtenMs) {
      throw this.main.vanished("was written to by others");
    }
    this.checkLog();
  }

  /** Throws DiskVanished if the WAL was unlinked or cut. */
  checkLog(): void {
    this.log.check(extentOf(this.log.descriptor));
  }

  /** As check(), and throws DiskVanished also if one of the two is not at its path any more. */
  checkPaths(): void {
    this.check();
    this.main.checkPath();
    this.log.checkPath();
    this.log.checkStart();
  }

  /** SQLite has checkpointed and removed the WAL and closed both files. Throws DiskVanished. */
  end(): void {
    closeSync(this.log.descriptor);
    this.main.check(timedExtentOf(this.main.descriptor));
    this.main.checkPath();
  }
}
