/**
 * Copies the database of a running server. Right after a WAL checkpoint the main file is a whole
 * database, and nobody writes it before the next one, so it can be read in pieces while the server
 * goes on. The copy is marked as a backup, so that no server starts on it by mistake: numbers
 * handed out since then would come again (cli/restore.ts).
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
import { readValue } from "./database.ts";
import { DATABASE_FILE, publish, UNFINISHED } from "./file.ts";
import { OWNER_FILE } from "./folder.ts";
import { BACKUP_ID, ID_OFFSET, migrations } from "./schema.ts";
import { DiskUnavailable } from "./store.ts";

/** How much is copied between two turns of the event loop. */
const PIECE_BYTES = 1024 * 1024;

const writeAt = promisify(write);
const sync = promisify(fsync);

/** A backup may not be written to this path. */
export class PathRefused extends Error {
  override readonly name = "PathRefused";
}

/**
 * `path` with the links of its folder resolved. Throws PathRefused if that is not below `allowed`
 * (empty: anywhere), and whatever the file system throws.
 */
export function targetOf(path: string, allowed: string): string {
  const folder = realpathSync(dirname(path));
  if (allowed !== "" && !isWithin(folder, realpathSync(allowed))) {
    throw new PathRefused(`storage.backup_dir allows only what is below ${allowed}`);
  }
  return join(folder, basename(path));
}

/**
 * Throws PathRefused for a path in the data folder that is the server's own, or that the next start
 * would remove as unfinished.
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
 * Copies what `reader` reads to `path`, durably, or not at all. It reads in the turns of the event
 * loop and writes beside them, because the target may be on a slower disk. `check` is called before
 * each piece, and throws to end the copy. Throws whatever the file system throws; EEXIST if `path`
 * exists.
 *
 * Others may be able to write to the target's folder. So the unfinished file has a name that nobody
 * can guess, and only a file that this call made is renamed or removed.
 */
export async function copyDatabase(reader: number, path: string, check: () => void): Promise<void> {
  // Checked now as well, and not only when all is copied.
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

/**
 * Whether an error of targetOf() or copyDatabase() ends the backup alone: the path is refused, the store
 * cannot be copied now, or the system refused a file (ENOSPC, EACCES …). Any other error is a mistake in
 * the program.
 */
export function isBackupFailure(error: unknown): error is Error {
  if (error instanceof DiskUnavailable || error instanceof PathRefused) return true;
  return error instanceof Error && /^E[A-Z0-9]+$/.test((error as NodeJS.ErrnoException).code ?? "");
}

const taken = () => Object.assign(new Error("file already exists"), { code: "EEXIST" });

/** Whether `path` leads to this open file. */
function isAt(descriptor: number, path: string): boolean {
  const there = lstatSync(path, { throwIfNoEntry: false });
  const { dev, ino } = fstatSync(descriptor);
  return there !== undefined && there.dev === dev && there.ino === ino;
}

/** As publish(), but also on file systems without hard links. Overwrites nothing. */
function publishAnywhere(finished: string, path: string, descriptor: number): void {
  if (!isAt(descriptor, finished)) throw new PathRefused("others moved its unfinished file");
  try {
    publish(finished, path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EPERM" && code !== "ENOTSUP" && code !== "EOPNOTSUPP") throw error;
    // An empty file of ours takes the name first, so that the rename replaces nothing else.
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

/** Reads a whole backup and answers how many dispensers it has. Throws CannotStart. */
export function checkBackup(path: string): number {
  let found: unknown;
  try {
    closeSync(openRegular(path));
    // "immutable" keeps SQLite from making other files beside it.
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
