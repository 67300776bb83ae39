/**
 * What a start checks of a database before it writes: sqlite.ts for a server, checkDatabase() for
 * `repair`, which changes nothing.
 */

import { Database } from "bun:sqlite";
import { existsSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { CannotStart } from "../base/errors.ts";
import { hasTable, readValue } from "./database.ts";
import { refusalOf } from "./file.ts";
import { loadDispensers } from "./loading.ts";
import { APPLICATION_ID, CLOSED, migrations } from "./schema.ts";

/**
 * A larger database is not checked page by page at the start, because that takes about 4 ms a MiB,
 * and more on a cold disk. Loading still reads all its rows.
 */
const CHECKED_BYTES_MAX = 512 * 1024 * 1024;

/** Makes the first access, which takes the lock or throws SQLITE_BUSY. */
export function checkIdentity(database: Database, path: string): void {
  const version = Number(readValue(database, "PRAGMA user_version"));
  if (Number(readValue(database, "PRAGMA application_id")) !== APPLICATION_ID) {
    throw new CannotStart(`${path} is damaged, or not a Number Dispenser database`);
  }
  if (version > migrations.length) {
    throw new CannotStart(
      `${path} was written by a newer Number Dispenser: its schema version is ${version}, ` +
        `this one knows ${migrations.length}`,
    );
  }
}

/** How the last life of the server ended: a mark of schema.ts. */
export function markOf(database: Database): number {
  return Number(readValue(database, "SELECT clean FROM server"));
}

/** Reads all pages, if they are not too many. */
export function checkPages(database: Database, path: string): void {
  const pages = Number(readValue(database, "PRAGMA page_count"));
  if (pages * Number(readValue(database, "PRAGMA page_size")) > CHECKED_BYTES_MAX) return;
  const found = readValue(database, "PRAGMA quick_check(1)");
  if (found === "ok") return;
  // A page that could not be read is not a damaged one: the next try may read it.
  const isUnread = String(found).includes("unable to get the page");
  throw new CannotStart(
    isUnread
      ? `cannot read all of ${path}: ${found}`
      : `${path} is damaged: ${found}; restore a backup`,
  );
}

/** The state of the node that the folder is of, as it was saved; undefined if there is none. */
export function nodeIn(database: Database): string | undefined {
  if (!hasTable(database, "node")) return undefined;
  if (readValue(database, "SELECT count(*) FROM node") === 0n) return undefined;
  return String(readValue(database, "SELECT state FROM node"));
}

/**
 * Checks the database of a stopped server, with its WAL, as a start does. Both stay as they are: a
 * connection that may only read makes no WAL checkpoint when it closes. Throws CannotStart.
 */
export function checkDatabase(path: string): void {
  const made = [`${path}-shm`, `${path}-wal`].filter((file) => !existsSync(file));
  let database: Database | undefined;
  try {
    database = new Database(path, { readonly: true, strict: true, safeIntegers: true });
    checkIdentity(database, path);
    checkPages(database, path);
    for (const _ of loadDispensers(database, path, markOf(database) === CLOSED));
  } catch (error) {
    throw refusalOf(error, dirname(path), path);
  } finally {
    database?.close();
    for (const file of made) rmSync(file, { force: true });
  }
}
