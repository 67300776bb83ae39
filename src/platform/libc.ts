/** The C library of this machine: the few calls that Bun has no function for. */

import { dlopen, type FFIFunction, ptr, read } from "bun:ffi";
import { fstatSync } from "node:fs";

/** Where it is, on the systems known. */
export function libcFiles(platform: string): readonly string[] {
  return platform === "darwin"
    ? ["libSystem.B.dylib"]
    : ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];
}

/** Opens the first of these files that is there, with these functions; undefined for none. */
export function openLibc<Functions extends Record<string, FFIFunction>>(
  functions: Functions,
  files = libcFiles(process.platform),
) {
  for (const file of files) {
    try {
      return dlopen(file, functions).symbols;
    } catch {
      // Another C library, then.
    }
  }
  return undefined;
}

/** Another descriptor of the same open file or socket: dup(2). Throws where there is none. */
export function duplicate(descriptor: number): number {
  const copy = openLibc({ dup: { args: ["int"], returns: "int" } })?.dup(descriptor) ?? -1;
  if (copy < 0) throw new Error(`descriptor ${descriptor} is not open`);
  return copy;
}

/** What an open file has of names, and of bytes. */
export interface Extent {
  nlink: number;
  size: number;
  /** When it was last written to, in milliseconds; 0 where that was not asked for. */
  mtimeMs: number;
}

/** From statx(2) and linux/stat.h. */
const AT_EMPTY_PATH = 0x1000;
const STATX_NLINK = 0x4;
const STATX_SIZE = 0x200;
const STATX_MTIME = 0x40;
const STATX_BYTES = 256;
const NLINK_AT = 16;
const SIZE_AT = 40;
const MTIME_AT = 112;

/**
 * What tells the extent of an open file, into one object that is used again, without its time unless `hasTime`.
 * Not by fstatSync() where there is another way, which takes ten times as long; and who asks Linux for the time of
 * the last write, as that does, makes the next write to the file keep a finer one, which cost a commit half its
 * processor time (multigrain timestamps, Linux 6.13).
 */
export function extents(
  hasTime: boolean,
  files = libcFiles(process.platform),
): (descriptor: number) => Extent {
  const extent: Extent = { nlink: 0, size: 0, mtimeMs: 0 };
  const args = ["int", "ptr", "int", "u32", "ptr"] as const;
  const libc =
    process.platform === "linux" ? openLibc({ statx: { args, returns: "int" } }, files) : undefined;
  const found = new DataView(new ArrayBuffer(STATX_BYTES));
  const [path, into] = [new Uint8Array(1), new Uint8Array(found.buffer)];
  const [pathAt, intoAt] = [ptr(path), ptr(into)];
  const mask = STATX_NLINK | STATX_SIZE | (hasTime ? STATX_MTIME : 0);
  return (descriptor) => {
    if (libc?.statx(descriptor, pathAt, AT_EMPTY_PATH, mask, intoAt) === 0) {
      extent.nlink = found.getUint32(NLINK_AT, true);
      extent.size = found.getUint32(SIZE_AT, true) + found.getUint32(SIZE_AT + 4, true) * 2 ** 32;
      if (hasTime) {
        const seconds = found.getUint32(MTIME_AT, true);
        extent.mtimeMs = seconds * 1000 + found.getUint32(MTIME_AT + 8, true) / 1e6;
      }
    } else {
      const { nlink, size, mtimeMs } = fstatSync(descriptor);
      Object.assign(extent, { nlink, size, mtimeMs: hasTime ? mtimeMs : 0 });
    }
    // The library writes into them, whatever the collector thinks.
    path[0] = 0;
    into[STATX_BYTES - 1] = 0;
    return extent;
  };
}

const LOCK_EX = 2;
const LOCK_NB = 4;
/** EAGAIN, which is EWOULDBLOCK: on Linux, on macOS. */
const TAKEN = [11, 35];

/**
 * Locks an open file or folder, without waiting, as long as the descriptor is open: flock(2). "taken": somebody else has
 * it; "unknown": there is no such lock here.
 */
export function lockExclusively(descriptor: number): "locked" | "taken" | "unknown" {
  const flock = { args: ["int", "int"], returns: "int" } as const;
  const errno = { args: [], returns: "ptr" } as const;
  const libc =
    process.platform === "darwin"
      ? openLibc({ flock, __error: errno })
      : openLibc({ flock, __errno_location: errno });
  if (libc === undefined) return "unknown";
  if (libc.flock(descriptor, LOCK_EX | LOCK_NB) === 0) return "locked";
  const at = "__error" in libc ? libc.__error() : libc.__errno_location();
  return at !== null && TAKEN.includes(read.i32(at)) ? "taken" : "unknown";
}
