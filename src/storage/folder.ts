/**
 * The data folder around the database: made and synced so that a power cut cannot take it back,
 * refused where locks and WAL do not work, locked, and marked with the process that uses it.
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
  /** Whether a folder without a database may be started afresh. */
  readonly create: boolean;
  readonly allowNetworkFileSystem: boolean;
}

/**
 * Makes the folder where it is missing, each new level synced into its parent, for this user alone. Answers
 * what the operator should know of a folder that was there. Throws CannotStart.
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

/** What is safe to do where a database is missing that may not be made. */
export const FIRST_START =
  "if there was one, find out what became of it (a mount that is missing?) and bring it back; " +
  "for a first start, 'number-dispenser init' makes it";

/** The levels of a path that are not there, the topmost first. */
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

/** Only the warning: who else may write there may be meant to. */
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
 * Locks the folder itself, for as long as the descriptor that it answers is open: the lock on the database is gone
 * with the file where that is removed. Throws CannotStart where another process has it.
 */
export function lockFolder(folder: string): number {
  const descriptor = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  // Where it cannot be locked at all, the lock on the database decides alone.
  if (lockExclusively(descriptor) !== "taken") return descriptor;
  closeSync(descriptor);
  throw inUse(folder);
}

export function inUse(folder: string): CannotStart {
  return new CannotStart(`data folder ${folder} is in use by ${ownerOf(folder)}`);
}

/** Where root makes a file in the folder of another user, as a command may for a service, it is that user's. */
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

/** Which process has the folder: only what a second server is told rests on it. */
export const OWNER_FILE = "number-dispenser.pid";

/** Writes down, for a second server's refusal, which process has the folder. */
export function markOwner(folder: string): void {
  const path = join(folder, OWNER_FILE);
  try {
    // One that another user's run left may be removed, but not written to.
    rmSync(path, { force: true });
    const descriptor = createPrivate(path);
    try {
      writeSync(descriptor, `${process.pid}\n`);
    } finally {
      closeSync(descriptor);
    }
    giveToOwner(path, folder);
  } catch {
    // Then the refusal says less.
  }
}

export function unmarkOwner(folder: string): void {
  try {
    rmSync(join(folder, OWNER_FILE), { force: true });
  } catch {
    // It is no file of ours.
  }
}

/** "process N", as far as it is known who has the folder. */
export function ownerOf(folder: string): string {
  const pid = lockOwner(folder) ?? writtenOwner(folder);
  return pid === undefined ? "another process" : `process ${pid}`;
}

function writtenOwner(folder: string): string | undefined {
  try {
    const text = readRegular(join(folder, OWNER_FILE), constants.O_NOFOLLOW).toString().trim();
    return /^\d+$/.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

/** Who has the lock on the folder, as Linux tells it, which no crash leaves behind and nobody removes. */
function lockOwner(folder: string): string | undefined {
  try {
    const { ino } = statSync(folder);
    const locks = readFileSync("/proc/locks", "utf8");
    return new RegExp(`FLOCK +ADVISORY +WRITE +([1-9]\\d*) [0-9a-f]+:[0-9a-f]+:${ino} `).exec(
      locks,
    )?.[1];
  } catch {
    return undefined;
  }
}

/** Removes what a crash left of making a database; only who has the lock may call it. */
export function removeLeftovers(folder: string, prefix: string): void {
  for (const entry of readdirSync(folder)) {
    if (entry.startsWith(prefix)) rmSync(join(folder, entry), { force: true, recursive: true });
  }
}
