/**
 * Files at paths that come from outside the program: whatever lies there is never waited for, as for a FIFO;
 * what is made there is new, this user's alone, and no link leads elsewhere.
 */

import { closeSync, constants, fchmodSync, fstatSync, openSync, readFileSync } from "node:fs";

/** Permissions of what only the server's user may read. */
export const PRIVATE_FILE = 0o600;
export const PRIVATE_FOLDER = 0o700;

/** Opens a regular file for reading; links are followed. Throws for anything else, a FIFO among them. */
export function openRegular(path: string, more = 0): number {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | more);
  if (fstatSync(descriptor).isFile()) return descriptor;
  closeSync(descriptor);
  throw Object.assign(new Error("it is not a regular file"), { code: "EINVAL", errno: -22 });
}

/** The bytes of a regular file; links are followed. Throws as openRegular() does. */
export function readRegular(path: string, more = 0): Buffer {
  const descriptor = openRegular(path, more);
  try {
    return readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Makes a new file, whatever the umask, and opens it. Throws EEXIST where there is anything, be it a link. */
export function createPrivate(path: string): number {
  const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const descriptor = openSync(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, PRIVATE_FILE);
  fchmodSync(descriptor, PRIVATE_FILE);
  return descriptor;
}
