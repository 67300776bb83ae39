/**
 * Copies the database of a running server. Between two moves of the WAL nobody writes the main
 * file, so after one move it is a whole database as of that instant, and can be read in pieces
 * while the server goes on. The copy is marked as a backup: no server starts on it by mistake,
 * because what was handed out since then would be handed out again (cli/restore.ts).
 */

import { closeSync, fstatSync, fsync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { syncFolder } from "./folder.ts";
import { publish } from "./file.ts";
import { BACKUP_ID, ID_OFFSET } from "./schema.ts";

/** So much is copied between two turns of the event loop: well under a millisecond. */
const PIECE_BYTES = 256 * 1024;

/**
 * Writes what `reader` reads to `path`, durably, or not at all. `check` is called between pieces,
 * and throws to end the copy. Throws what the file system throws, EEXIST where `path` exists.
 */
export async function copyDatabase(reader: number, path: string, check: () => void): Promise<void> {
  const unfinished = `${path}.unfinished-${process.pid}`;
  const target = openSync(unfinished, "wx");
  try {
    try {
      await copyPieces(reader, target, check);
      await promisify(fsync)(target);
    } finally {
      closeSync(target);
    }
    check();
    if (!publish(unfinished, path)) throw Object.assign(new Error("exists"), { code: "EEXIST" });
  } finally {
    rmSync(unfinished, { force: true });
  }
  syncFolder(dirname(path));
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
