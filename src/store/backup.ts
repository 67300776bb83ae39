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
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { CannotStart, reasonOf } from "../refusal.ts";
import { publish, readValue, UNFINISHED } from "./file.ts";
import { syncFolder } from "./folder.ts";
import { BACKUP_ID, ID_OFFSET, migrations } from "./schema.ts";

/** So much is copied between two turns of the event loop, in less than a millisecond. */
const PIECE_BYTES = 1024 * 1024;

/**
 * Writes what `reader` reads to `path`, durably, or not at all. `check` is called between pieces,
 * and throws to end the copy. Throws what the file system throws, EEXIST where `path` exists.
 */
export async function copyDatabase(reader: number, path: string, check: () => void): Promise<void> {
  if (existsSync(path)) throw alreadyExists();
  const unfinished = `${path}${UNFINISHED}-${process.pid}`;
  const target = openSync(unfinished, "w");
  try {
    try {
      await copyPieces(reader, target, check);
      await promisify(fsync)(target);
    } finally {
      closeSync(target);
    }
    check();
    if (!publish(unfinished, path)) throw alreadyExists();
  } finally {
    rmSync(unfinished, { force: true });
  }
  syncFolder(dirname(path));
}

function alreadyExists(): Error {
  return Object.assign(new Error("file already exists"), { code: "EEXIST" });
}

async function copyPieces(reader: number, target: number, check: () => void): Promise<void> {
  const piece = Buffer.alloc(PIECE_BYTES);
  const { size } = fstatSync(reader);
  for (let at = 0; at < size; ) {
    const count = readSync(reader, piece, 0, Math.min(PIECE_BYTES, size - at), at);
    if (at === 0) piece.writeUInt32BE(BACKUP_ID, ID_OFFSET);
    for (let written = 0; written < count; )
      written += writeSync(target, piece, written, count - written, at + written);
    at += count;
    await new Promise((resolve) => void setImmediate(resolve));
    check();
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
    found = readValue(database, "PRAGMA quick_check(1)");
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
