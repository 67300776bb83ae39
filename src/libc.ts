/** The C library of this machine: the few calls that Bun has no function for. */

import { dlopen, type FFIFunction } from "bun:ffi";

const FILES =
  process.platform === "darwin"
    ? ["libSystem.B.dylib"]
    : ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];

/** Opens it with these functions; undefined where it is none of those known. */
export function openLibc<Functions extends Record<string, FFIFunction>>(functions: Functions) {
  for (const file of FILES) {
    try {
      return dlopen(file, functions).symbols;
    } catch {
      // Another C library, then.
    }
  }
  return undefined;
}
