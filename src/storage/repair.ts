/**
 * Whether a database that its server did not close, and whose log is gone or damaged, has lost anything; and what
 * is safe to do about it. Nothing is written before that is known.
 *
 * While a database is in use its log has a second name (LOG_KEPT). So it is there where the log was moved into
 * the main file and removed by another program, as by SQLite's own tool that only looked, and where
 * somebody removed it. What is proven by it:
 *   all pages of its commits are in the main file: nothing is lost, the log is not needed any more;
 *   the main file did not change since the log was last written: put back, it makes the state of the crash.
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
import { DATABASE_FILE, LOG_KEPT, readValue, readyForUse, refusalOf } from "./file.ts";
import { makeDurable } from "./folder.ts";
import { APPLICATION_ID, IN_USE } from "./schema.ts";
import { committedBy, damageOf } from "./wal.ts";

/** What is so, and what repair() does about it. */
export type Finding =
  /** The next start goes on by itself. */
  | { readonly kind: "well"; readonly because: string }
  /** All of the log is in the main file. */
  | { readonly kind: "moved" }
  /** The log was removed, and is there under its second name. */
  | { readonly kind: "removed" }
  /** Something may be lost. */
  | { readonly kind: "doubtful"; readonly because: string };

/** Looks at the database of a folder that is locked. Throws CannotStart where there is none to be read. */
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

/** Does what is safe after these findings. */
export function mend(folder: string, { kind }: Finding): void {
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
 * Puts a finished database in the place of the one that is there, which is kept with its log in a folder of its own.
 * Answers that. A crash leaves the old one, without its log, or the new one.
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

/** How the main file alone says that its last life ended. */
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

/** Those of a file; none where there is none. */
function bytesOf(path: string): Buffer {
  return existsSync(path) ? readRegular(path) : Buffer.alloc(0);
}

/** Whether the main file is as the log's commits leave it. */
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
 * Whether a file is as it was when another was last written to. The time of the last change of any kind (ctime) is
 * the system's alone: who copies a file there cannot set it.
 */
function isOlder(path: string, than: string): boolean {
  return statSync(path, { bigint: true }).ctimeNs <= statSync(than, { bigint: true }).mtimeNs;
}
