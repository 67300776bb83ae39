/**
 * Copies the database of a running server. Between two moves of the WAL nobody writes the main
 * file, so after one move it is a whole database as of that instant, and can be read in pieces
 * while the server goes on. The copy is marked as a backup: no server starts on it by mistake,
 * because what was handed out since then would be handed out again (cli/restore.ts).
 */

import { constants, Database } from "bun:sqlite";
import {
  closeSync,
  existsSync,
  fstatSync,
  fsync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  write,
} from "node:fs";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { CannotStart, reasonOf } from "../refusal.ts";
import { publish, readValue, UNFINISHED } from "./file.ts";
import { BACKUP_ID, ID_OFFSET, migrations } from "./schema.ts";

/** So much is copied between two turns of the event loop. */
const PIECE_BYTES = 1024 * 1024;

const writeAt = promisify(write);
const sync = promisify(fsync);

/**
 * Writes what `reader` reads to `path`, durably, or not at all. Only the reading is done in turns of
 * the event loop: what is written may be on a slower disk. `check` is called before each piece, and
 * throws to end the copy. Throws what the file system throws, EEXIST where `path` exists.
 */
export async function copyDatabase(reader: number, path: string, check: () => void): Promise<void> {
  // Not only at the end, when all is copied.
  if (existsSync(path)) throw Object.assign(new Error("file already exists"), { code: "EEXIST" });
  const unfinished = `${path}${UNFINISHED}-${process.pid}`;
  try {
    const target = openSync(unfinished, "w");
    try {
      await copyPieces(reader, target, check);
      await sync(target);
    } finally {
      closeSync(target);
    }
    check();
    publishAnywhere(unfinished, path);
  } finally {
    rmSync(unfinished, { force: true });
  }
  const folder = openSync(dirname(path), "r");
  await sync(folder).finally(() => closeSync(folder));
}

/** As publish(), also on file systems without hard links. */
function publishAnywhere(finished: string, path: string): void {
  try {
    publish(finished, path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EPERM" && code !== "ENOTSUP" && code !== "EOPNOTSUPP") throw error;
    renameSync(finished, path);
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
