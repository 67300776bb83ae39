/** The C library of this machine: the few calls that Bun has no function for. */

import { dlopen, type FFIFunction } from "bun:ffi";

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
