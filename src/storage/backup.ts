/**
 * Copies the database of a running server. Between two moves of the WAL nobody writes the main
 * file, so after one move it is a whole database as of that instant, and can be read in pieces
 * while the server goes on. The copy is marked as a backup: no server starts on it by mistake,
 * because what was handed out since then would be handed out again (cli/restore.ts).
 */

import { constants, Database } from "bun:sqlite";
import {
  closeSync,
  fstatSync,
  fsync,
  lstatSync,
  constants as open,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  unlinkSync,
  write,
} from "node:fs";
import { basename, dirname, join, relative, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { CannotStart, reasonOf } from "../base/errors.ts";
import { createPrivate, openRegular } from "../platform/files.ts";
import { DATABASE_FILE, publish, readValue, UNFINISHED } from "./file.ts";
import { OWNER_FILE } from "./folder.ts";
import { BACKUP_ID, ID_OFFSET, migrations } from "./schema.ts";

/** So much is copied between two turns of the event loop. */
const PIECE_BYTES = 1024 * 1024;

const writeAt = promisify(write);
const sync = promisify(fsync);

/** A backup may not be written there. */
export class PathRefused extends Error {
  override readonly name = "PathRefused";
}

/**
 * The path at which a backup to `path` is written, with no link on the way to it. Throws PathRefused where that is
 * not below `allowed` (empty: anywhere), and what the file system throws.
 */
export function targetOf(path: string, allowed: string): string {
  const folder = realpathSync(dirname(path));
  if (allowed !== "" && !isWithin(folder, realpathSync(allowed))) {
    throw new PathRefused(`storage.backup_dir allows only what is below ${allowed}`);
  }
  return join(folder, basename(path));
}

/**
 * Refuses a path in the data folder that the server takes for a file of its own, or that the next
 * start removes as unfinished. Throws PathRefused.
 */
export function refuseOwnPath(path: string, dataFolder: string): void {
  const folder = realpathSync(dataFolder);
  if (!isWithin(path, folder)) return;
  const [entry = ""] = relative(folder, path).split(sep);
  if (!entry.startsWith(DATABASE_FILE) && entry !== OWNER_FILE) return;
  throw new PathRefused(`names that begin with ${DATABASE_FILE} are the server's own there`);
}

function isWithin(path: string, folder: string): boolean {
  return `${path}${sep}`.startsWith(folder.endsWith(sep) ? folder : `${folder}${sep}`);
}

/**
 * Writes what `reader` reads to `path`, durably, or not at all. Only the reading is done in turns of
 * the event loop: what is written may be on a slower disk. `check` is called before each piece, and
 * throws to end the copy. Throws what the file system throws, EEXIST where `path` exists.
 *
 * Others may be able to write to the folder: the unfinished file has a name that nobody can guess, and only
 * a file that this call made is given the final name, or removed.
 */
export async function copyDatabase(reader: number, path: string, check: () => void): Promise<void> {
  // Not only at the end, when all is copied.
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) throw taken();
  const unfinished = `${path}${UNFINISHED}-${crypto.randomUUID()}`;
  const target = createPrivate(unfinished);
  try {
    await copyPieces(reader, target, check);
    await sync(target);
    check();
    publishAnywhere(unfinished, path, target);
  } finally {
    if (isAt(target, unfinished)) unlinkSync(unfinished);
    closeSync(target);
  }
  const folder = openSync(dirname(path), open.O_RDONLY | open.O_DIRECTORY);
  await sync(folder).finally(() => closeSync(folder));
}

const taken = () => Object.assign(new Error("file already exists"), { code: "EEXIST" });

/** Whether an open file is the one at this path. */
function isAt(descriptor: number, path: string): boolean {
  const there = lstatSync(path, { throwIfNoEntry: false });
  const { dev, ino } = fstatSync(descriptor);
  return there !== undefined && there.dev === dev && there.ino === ino;
}

/** As publish(), also on file systems without hard links. Overwrites nothing. */
function publishAnywhere(finished: string, path: string, descriptor: number): void {
  if (!isAt(descriptor, finished)) throw new PathRefused("others moved its unfinished file");
  try {
    publish(finished, path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EPERM" && code !== "ENOTSUP" && code !== "EOPNOTSUPP") throw error;
    // The name is taken first: only a file of our own is then renamed over.
    const placeholder = createPrivate(path);
    try {
      if (!isAt(placeholder, path)) throw taken();
      renameSync(finished, path);
    } finally {
      closeSync(placeholder);
    }
  }
}

async function copyPieces(reader: number, target: number, check: () => void): Promise<void> {
  const piece = Buffer.alloc(PIECE_BYTES);
  const { size } = fstatSync(reader);
  for (let at = 0; at < size; ) {
    check();
    const count = readSync(reader, piece, 0, Math.min(PIECE_BYTES, size - at), at);
    if (at === 0) piece.writeUInt32BE(BACKUP_ID, ID_OFFSET);
    for (let written = 0; written < count; ) {
      const left = count - written;
      written += (await writeAt(target, piece, written, left, at + written)).bytesWritten;
    }
    at += count;
  }
}

/** Reads a whole backup and answers how many dispensers are in it. Throws CannotStart. */
export function checkBackup(path: string): number {
  let found: unknown;
  try {
    closeSync(openRegular(path));
    // Immutable: SQLite makes no other file beside it.
    const uri = `${pathToFileURL(path).href}?immutable=1`;
    const flags = constants.SQLITE_OPEN_URI | constants.SQLITE_OPEN_READONLY;
    const database = new Database(uri, flags);
    if (Number(readValue(database, "PRAGMA application_id")) !== BACKUP_ID) {
      throw new CannotStart(
        `${path} is not a backup: BACKUP, or number-dispenser backup, makes one`,
      );
    }
    if (Number(readValue(database, "PRAGMA user_version")) > migrations.length) {
      throw new CannotStart(`${path} was written by a newer Number Dispenser`);
    }
    found = readValue(database, "PRAGMA integrity_check(1)");
    if (found === "ok") {
      const dispensers = Number(readValue(database, "SELECT count(*) FROM definitions"));
      database.close(true);
      return dispensers;
    }
  } catch (error) {
    if (error instanceof CannotStart) throw error;
    throw new CannotStart(`cannot read the backup ${path}: ${reasonOf(error)}`);
  }
  throw new CannotStart(`the backup ${path} is damaged: ${found}`);
}
