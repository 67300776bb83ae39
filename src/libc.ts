/** The C library of this machine: the few calls that Bun has no function for. */

import { dlopen, type FFIFunction, read } from "bun:ffi";

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
