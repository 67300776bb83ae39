/** The few calls of the C library that Bun has no function for. */

import { dlopen, type FFIFunction, ptr, read } from "bun:ffi";
import { fstatSync } from "node:fs";

/** The names of the C library on a platform. */
export function libcFiles(platform: string): readonly string[] {
  return platform === "darwin"
    ? ["libSystem.B.dylib"]
    : ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];
}

/** Binds functions of the first of these libraries that can be opened; undefined if none can. */
export function openLibc<Functions extends Record<string, FFIFunction>>(
  functions: Functions,
  files = libcFiles(process.platform),
) {
  for (const file of files) {
    try {
      return dlopen(file, functions).symbols;
    } catch {
      // The next name may be the right one.
    }
  }
  return undefined;
}

/**
 * Another descriptor of the same open file or socket: dup(2). Throws if `descriptor` is not open.
 */
export function duplicate(descriptor: number): number {
  const copy = openLibc({ dup: { args: ["int"], returns: "int" } })?.dup(descriptor) ?? -1;
  if (copy < 0) throw new Error(`descriptor ${descriptor} is not open`);
  return copy;
}

/** How many names and bytes an open file has. */
export interface Extent {
  nlink: number;
  size: number;
  /** When it was last written to, in milliseconds; 0 if that was not asked for. */
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
 * Returns a function that reads the extent of an open file into one reused object; with its time
 * only if `hasTime`. On Linux it calls statx(2), because fstatSync() takes ten times as long and
 * always asks for the time of the last write. That makes the kernel keep a finer time at the next
 * write, which costs a commit half its processor time (multigrain timestamps, Linux 6.13).
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
    // Used here so that the collector keeps both buffers: the library writes into them.
    path[0] = 0;
    into[STATX_BYTES - 1] = 0;
    return extent;
  };
}

/** The clocks that go on while the machine sleeps: CLOCK_BOOTTIME, and CLOCK_MONOTONIC of macOS. */
const BOOT_CLOCKS: Readonly<Record<string, number>> = { linux: 7, darwin: 6 };

/**
 * Returns a function that reads a clock which only goes forwards, also while the machine sleeps, in
 * milliseconds: clock_gettime(2). Where the C library is unknown it stands still meanwhile.
 */
export function bootClock(
  platform: string = process.platform,
  files = libcFiles(platform),
): () => number {
  const args = ["int", "ptr"] as const;
  const clock = BOOT_CLOCKS[platform];
  const libc = openLibc({ clock_gettime: { args, returns: "int" } }, files);
  const time = new BigInt64Array(2);
  if (clock === undefined || libc?.clock_gettime(clock, ptr(time)) !== 0) {
    return () => performance.now();
  }
  return () => {
    libc.clock_gettime(clock, ptr(time));
    return Number(time[0]) * 1000 + Number(time[1]) / 1e6;
  };
}

const LOCK_EX = 2;
const LOCK_NB = 4;
/** EWOULDBLOCK on Linux and on macOS. */
const TAKEN = [11, 35];

/**
 * Locks an open file or folder for as long as the descriptor is open, without waiting: flock(2).
 * "taken": another process holds the lock; "unknown": it cannot be locked here.
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

/** From poll.h: a struct pollfd is { int fd; short events, revents; } on Linux and on macOS. */
const POLLFD_SHORTS = 4;
const EVENTS = 2;
const REVENTS = 3;
const POLLOUT = 4;

/**
 * Returns a function that asks whether a descriptor takes bytes, now or within so many
 * milliseconds: poll(2). It also says so if writing would fail at once, because the reader has
 * left; and always if the C library is unknown.
 */
export function writability(
  descriptor: number,
  files = libcFiles(process.platform),
): (withinMs: number) => boolean {
  const args = ["ptr", "u64", "int"] as const;
  const libc = openLibc({ poll: { args, returns: "int" } }, files);
  if (libc === undefined) return () => true;
  const pollfd = new Int16Array(POLLFD_SHORTS);
  new Int32Array(pollfd.buffer)[0] = descriptor;
  pollfd[EVENTS] = POLLOUT;
  return (withinMs) => {
    pollfd[REVENTS] = 0;
    return libc.poll(pollfd, 1, withinMs) > 0 && pollfd[REVENTS] !== 0;
  };
}
