/**
 * Finds out whether a database that its server did not close, and whose WAL is gone or damaged, has
 * lost anything, and does what is safe about it. Nothing is written before that is known.
 *
 * While a database is in use its WAL has a second name (LOG_KEPT). So it is still there after another
 * program, such as SQLite's own shell, checkpointed and removed it, and after somebody deleted it. It
 * can prove one of two things:
 *   the main file has all pages of its commits: nothing is lost, and the WAL is not needed any more;
 *   the main file did not change since the WAL was last written: putting the WAL back restores the
 *   state of the crash.
 */

import { constants, Database } from "bun:sqlite";
import {
  closeSync,
  existsSync,
  fstatSync,
  linkSync,
  mkdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { CannotStart } from "../base/errors.ts";
import { openRegular, PRIVATE_FOLDER, readRegular } from "../platform/files.ts";
import { readValue, readyForUse } from "./database.ts";
import { DATABASE_FILE, LOG_KEPT, refusalOf } from "./file.ts";
import { makeDurable } from "./folder.ts";
import { APPLICATION_ID, IN_USE } from "./schema.ts";
import { committedBy, damageOf } from "./wal.ts";

/** What examine() found. */
export type Finding =
  /** Nothing is to be done: the server can start. */
  | { readonly kind: "well"; readonly because: string }
  /** The main file has all content of the WAL. */
  | { readonly kind: "moved" }
  /** The WAL was removed, and still exists under its second name. */
  | { readonly kind: "removed" }
  /** Something may be lost. */
  | { readonly kind: "doubtful"; readonly because: string };

/**
 * Examines the database of a locked folder. Throws CannotStart if there is none that can be read.
 */
export function examine(folder: string): Finding {
  const path = join(folder, DATABASE_FILE);
  if (!existsSync(path)) throw new CannotStart(`${path} does not exist: restore a backup`);
  if (markOf(folder, path) !== IN_USE) {
    return { kind: "well", because: "its last server closed it, or it was put there by a command" };
  }
  const log = bytesOf(`${path}-wal`);
  const because = damageOf(log);
  if (because === undefined) {
    return { kind: "well", because: "its write-ahead log is there, as a crash leaves it" };
  }
  const kept = bytesOf(path + LOG_KEPT);
  if (log.length > 0 || damageOf(kept) !== undefined) return { kind: "doubtful", because };
  if (isIn(path, kept)) return { kind: "moved" };
  return isOlder(path, path + LOG_KEPT) ? { kind: "removed" } : { kind: "doubtful", because };
}

/** Makes the database ready for a start, as far as the finding makes that safe. */
export function repairDatabase(folder: string, { kind }: Finding): void {
  const path = join(folder, DATABASE_FILE);
  if (kind === "removed") {
    rmSync(`${path}-wal`, { force: true });
    linkSync(path + LOG_KEPT, `${path}-wal`);
  }
  if (kind === "moved") {
    rmSync(`${path}-wal`, { force: true });
    readyForUse(path);
    rmSync(path + LOG_KEPT);
  }
  makeDurable(folder);
}

/**
 * Replaces the database with a finished one. Keeps the old one and its WAL in a folder, and answers
 * that folder. A crash meanwhile leaves the old database without its WAL, or the new one.
 */
export function replace(folder: string, finished: string): string {
  const path = join(folder, DATABASE_FILE);
  const aside = join(folder, `before-repair-${new Date().toISOString().replace(/\W/g, "")}`);
  mkdirSync(aside, { mode: PRIVATE_FOLDER });
  linkSync(path, join(aside, DATABASE_FILE));
  for (const suffix of [LOG_KEPT, "-wal"]) {
    if (existsSync(path + suffix)) renameSync(path + suffix, join(aside, DATABASE_FILE + suffix));
  }
  makeDurable(aside);
  makeDurable(folder);
  renameSync(finished, path);
  makeDurable(folder);
  return aside;
}

/** The mark in the main file alone that says how its last life ended. */
function markOf(folder: string, path: string): number {
  try {
    closeSync(openRegular(path));
    const uri = `${pathToFileURL(path).href}?immutable=1`;
    const flags = constants.SQLITE_OPEN_URI | constants.SQLITE_OPEN_READONLY;
    const database = new Database(uri, flags);
    if (Number(readValue(database, "PRAGMA application_id")) !== APPLICATION_ID) {
      throw new CannotStart(`${path} is damaged, or not a Number Dispenser database`);
    }
    const mark = Number(readValue(database, "SELECT clean FROM server"));
    database.close(true);
    return mark;
  } catch (error) {
    throw refusalOf(error, folder, path);
  }
}

/** The bytes of a file; none if it does not exist. */
function bytesOf(path: string): Buffer {
  return existsSync(path) ? readRegular(path) : Buffer.alloc(0);
}

/** Whether the main file has all pages that the log's commits leave. */
function isIn(path: string, log: Buffer): boolean {
  const { pages, pagesInAll } = committedBy(log);
  const main = openRegular(path);
  try {
    for (const [page, content] of pages) {
      const found = Buffer.alloc(content.length);
      readSync(main, found, 0, found.length, (page - 1) * content.length);
      if (!found.equals(content)) return false;
    }
    const [first] = pages.values();
    return first === undefined || fstatSync(main).size >= pagesInAll * first.length;
  } finally {
    closeSync(main);
  }
}

/**
 * Whether a file has not changed since another one was last written. It compares the time of the
 * last change of any kind (ctime), which only the system sets: copying a file cannot fake it.
 */
function isOlder(path: string, than: string): boolean {
  return statSync(path, { bigint: true }).ctimeNs <= statSync(than, { bigint: true }).mtimeNs;
}
