/**
 * Files at paths that come from outside the program. Opening one never blocks, as a FIFO would. A
 * file made there is new, belongs to this user alone, and is never made through a link.
 */

import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  openSync,
  readFileSync,
} from "node:fs";

/** Permissions of files and folders that only the server's user may use. */
export const PRIVATE_FILE = 0o600;
export const PRIVATE_FOLDER = 0o700;

/** Whether a file or folder is on a file system that is read-only, as after errors of its disk. */
export function isReadOnly(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EROFS";
  }
}

/** Opens a regular file for reading and follows links. Throws for anything else, such as a FIFO. */
export function openRegular(path: string, more = 0): number {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | more);
  if (fstatSync(descriptor).isFile()) return descriptor;
  closeSync(descriptor);
  throw Object.assign(new Error("it is not a regular file"), { code: "EINVAL", errno: -22 });
}

/** The bytes of a regular file. Follows links, and throws as openRegular() does. */
export function readRegular(path: string, more = 0): Buffer {
  const descriptor = openRegular(path, more);
  try {
    return readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Makes a private file, whatever the umask, and opens it. Throws EEXIST if anything is there, even
 * a link.
 */
export function createPrivate(path: string): number {
  const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const descriptor = openSync(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, PRIVATE_FILE);
  fchmodSync(descriptor, PRIVATE_FILE);
  return descriptor;
}
