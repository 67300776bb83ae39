/**
 * The data folder: made and synced so that a power cut cannot undo it, refused on file systems
 * where locks and WAL do not work, locked, and marked with the process that uses it.
 */

import {
  accessSync,
  chownSync,
  closeSync,
  constants,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  type Stats,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { CannotStart, reasonOf } from "../base/errors.ts";
import { createPrivate, PRIVATE_FOLDER, readRegular } from "../platform/files.ts";
import { lockExclusively } from "../platform/libc.ts";
import { doubtsAbout } from "./file-systems.ts";

export interface FolderOptions {
  /** Whether a new database may be made in a folder that has none. */
  readonly create: boolean;
  readonly allowNetworkFileSystem: boolean;
}

/**
 * Makes the folder if it is missing, for this user alone, and syncs each new level into its parent.
 * Answers warnings about a folder that existed. Throws CannotStart.
 */
export function prepareFolder(folder: string, options: FolderOptions): readonly string[] {
  const missing = missingOf(folder);
  if (missing.length > 0 && !options.create) {
    throw new CannotStart(
      `data folder ${folder} does not exist, and storage.create is false: ${FIRST_START}`,
    );
  }
  try {
    for (const path of missing) {
      mkdirSync(path, { mode: PRIVATE_FOLDER });
      makeDurable(dirname(path));
    }
  } catch (error) {
    throw new CannotStart(`cannot make data folder ${folder}: ${reasonOf(error)}`);
  }
  const found = statSync(folder);
  if (!found.isDirectory()) {
    throw new CannotStart(`data folder ${folder} is not a folder`);
  }
  requireAccess(folder);
  return [...warningsOf(folder, found), ...checkFileSystem(folder, options)];
}

/** Advice for a missing database that may not be made. */
export const FIRST_START =
  "if there was one, find out what became of it (a mount that is missing?) and bring it back; " +
  "for a first start, 'number-dispenser init' makes it";

/** The missing levels of a path, the topmost first. */
function missingOf(folder: string): string[] {
  const missing: string[] = [];
  for (let path = resolve(folder); ; path = dirname(path)) {
    let found: Stats | undefined;
    try {
      found = statSync(path, { throwIfNoEntry: false });
    } catch (error) {
      throw new CannotStart(`cannot make data folder ${folder}: ${reasonOf(error)}`);
    }
    if (found !== undefined) return missing.reverse();
    if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) {
      throw new CannotStart(
        `data folder ${folder}: ${path} is a link to ${readlinkSync(path)}, which does not exist; ` +
          "make that folder (a mount that is missing?), or remove the link",
      );
    }
    missing.push(path);
  }
}

/** A folder that all users may write to is only warned of, because it may be intended. */
function warningsOf(folder: string, { mode }: Stats): string[] {
  if ((mode & 0o002) === 0) return [];
  const shown = (mode & 0o7777).toString(8).padStart(4, "0");
  return [
    `every user of this machine may write to the data folder ${folder} (mode ${shown}): chmod o-w it`,
  ];
}

function checkFileSystem(folder: string, { allowNetworkFileSystem }: FolderOptions): string[] {
  const doubts = doubtsAbout(folder);
  if (doubts === undefined || allowNetworkFileSystem) return [];
  if (doubts.isLocal) {
    return [`data folder ${folder} is on ${doubts.title}: its locks and syncs are that program's`];
  }
  throw new CannotStart(
    `data folder ${folder} is on ${doubts.title}, where locks, syncs and the write-ahead log may fail and ` +
      "numbers repeat: put it on a disk of this machine, in a container on a volume instead of a folder of the host; " +
      "storage.allow_network_fs: true allows it",
  );
}

/** Refuses a file or folder that this process may not read and write. */
export function requireAccess(path: string): void {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
  } catch (error) {
    throw new CannotStart(`cannot read and write ${path}: ${reasonOf(error)}`);
  }
}

/**
 * Locks the folder itself for as long as the returned descriptor is open, because the lock on the
 * database goes with the file if that is removed. Throws CannotStart if another process holds the
 * lock.
 */
export function lockFolder(folder: string): number {
  const descriptor = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  // If the folder cannot be locked at all, the lock on the database alone decides.
  if (lockExclusively(descriptor) !== "taken") return descriptor;
  closeSync(descriptor);
  throw inUse(folder, folder);
}

/** The error for a folder of which another process has locked `file`: itself, or its database. */
export function inUse(folder: string, file: string): CannotStart {
  return new CannotStart(`data folder ${folder} is in use by ${holderOf(folder, file)}`);
}

/**
 * Gives a file that root made to the owner of the folder, as when a command works for a service's
 * user.
 */
export function giveToOwner(path: string, folder: string): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(folder);
  chownSync(path, uid, gid);
}

/** Makes the bytes of a file, or the entries of a folder, durable. */
export function makeDurable(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Names the process that uses the folder. Only the error of a second server depends on it. */
export const OWNER_FILE = "number-dispenser.pid";

/** Writes this process into the owner file. */
export function markOwner(folder: string): void {
  const path = join(folder, OWNER_FILE);
  try {
    // A file of another user can be removed, but perhaps not written to.
    rmSync(path, { force: true });
    const descriptor = createPrivate(path);
    try {
      writeSync(descriptor, `${process.pid}\n`);
    } finally {
      closeSync(descriptor);
    }
    giveToOwner(path, folder);
  } catch {
    // A second server's error says less then.
  }
}

export function unmarkOwner(folder: string): void {
  try {
    rmSync(join(folder, OWNER_FILE), { force: true });
  } catch {
    // The file is not ours.
  }
}

/**
 * "process N", never this one, or "another program" if it is not known which one has locked `file`:
 * the folder, or its database.
 */
export function holderOf(folder: string, file: string): string {
  const holders = holdersOf(file) ?? (file === folder ? writtenOwner(folder) : []);
  const holder = holders.find((pid) => pid !== process.pid);
  return holder === undefined ? `another program (fuser ${file} shows it)` : `process ${holder}`;
}

/** The process that the owner file names. A crash leaves it, so it says nothing of the database. */
function writtenOwner(folder: string): readonly number[] {
  try {
    const text = readRegular(join(folder, OWNER_FILE), constants.O_NOFOLLOW).toString().trim();
    return /^\d+$/.test(text) ? [Number(text)] : [];
  } catch {
    return [];
  }
}

/**
 * The processes that hold a lock on a file, or on the index of its WAL, by Linux's own list, which a
 * crash cannot leave stale. The list leaves out processes of other containers. Undefined if there is
 * no list.
 */
function holdersOf(file: string): readonly number[] | undefined {
  try {
    const inodes = [file, `${file}-shm`].flatMap(
      (path) => statSync(path, { throwIfNoEntry: false })?.ino ?? [],
    );
    const held = /^\d+: (?:FLOCK|POSIX) +\S+ +\S+ +([1-9]\d*) [0-9a-f]+:[0-9a-f]+:(\d+) /gm;
    return [...readFileSync("/proc/locks", "utf8").matchAll(held)]
      .filter(([, , inode]) => inodes.includes(Number(inode)))
      .map(([, pid]) => Number(pid));
  } catch {
    return undefined;
  }
}

/** Removes the unfinished files that a crash left. The caller must hold the lock. */
export function removeLeftovers(folder: string, prefix: string): void {
  for (const entry of readdirSync(folder)) {
    if (entry.startsWith(prefix)) rmSync(join(folder, entry), { force: true, recursive: true });
  }
}
