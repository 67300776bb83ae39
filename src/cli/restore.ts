/**
 * `number-dispenser restore FILE`: makes a data folder from a backup. The backup does not know the
 * numbers handed out after it was made; so that they do not come again, each line moves ahead by a
 * margin, which only the operator can know.
 */

import { chmodSync, closeSync, copyFileSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { CannotStart, reasonOf } from "../base/errors.ts";
import { PRIVATE_FILE, PRIVATE_FOLDER } from "../platform/files.ts";
import { checkBackup } from "../storage/backup.ts";
import { readyForUse } from "../storage/database.ts";
import { DATABASE_FILE, isTaken, publish, RESTORING } from "../storage/file.ts";
import {
  type FolderOptions,
  giveToOwner,
  lockFolder,
  makeDurable,
  prepareFolder,
  removeLeftovers,
} from "../storage/folder.ts";
import type { FolderSettings } from "./data-folder.ts";
import { noteHomeOf } from "./home.ts";
import { confirmedMargin } from "./margin.ts";
import { type Moved, moveAhead, named } from "./move-ahead.ts";

/** Answers one line that says what was done. Throws CannotStart and UsageError. */
export function restore(
  file: string,
  flags: ReadonlyMap<string, string>,
  options: FolderSettings,
): string {
  const margin = confirmedMargin(
    flags,
    "restore",
    "handed out since the backup was made",
    (margin) =>
      `a line that handed out more than ${margin} numbers after the backup was made hands out numbers again; if you ` +
      "know the highest number that was used of a line, ADVANCE name number moves it past that once the server runs",
  );
  const { dataDir } = options;
  const path = join(dataDir, DATABASE_FILE);
  checkBackup(file);
  prepareFolder(dataDir, options);
  for (const present of [path, `${path}-wal`]) {
    if (existsSync(present)) throw exists(present);
  }
  const lock = lockFolder(dataDir);
  try {
    const moved = makeAhead([file], dataDir, margin, options, (finished) => {
      publish(finished, path);
      removeLeftovers(dataDir, DATABASE_FILE + RESTORING);
      makeDurable(dataDir);
    });
    return `restored ${moved.dispensers} dispensers into ${path}, ${aheadText(moved, margin)}`;
  } catch (error) {
    if (error instanceof CannotStart) throw error;
    if (isTaken(error)) throw exists(path);
    throw new CannotStart(`cannot restore ${file} to ${path}: ${reasonOf(error)}`);
  } finally {
    closeSync(lock);
  }
}

/**
 * Makes a database from a copy of another, and of its WAL if that is given, with each line moved
 * ahead by a margin. `publish` gets its path in the data folder, which is locked, once it is
 * durable.
 */
export function makeAhead(
  [main, log]: readonly [main: string, log?: string],
  dataDir: string,
  margin: bigint,
  options: FolderOptions,
  publish: (finished: string) => void,
): Moved {
  const work = join(dataDir, `${DATABASE_FILE}${RESTORING}-${crypto.randomUUID()}`);
  mkdirSync(work, { mode: PRIVATE_FOLDER });
  try {
    const unfinished = join(work, DATABASE_FILE);
    copyFileSync(main, unfinished);
    if (log !== undefined) copyFileSync(log, `${unfinished}-wal`);
    // The backup may have been made read-only.
    chmodSync(unfinished, PRIVATE_FILE);
    readyForUse(unfinished);
    const moved = moveAhead(work, margin, options);
    // The new database takes the place of its source, so it is no copy to warn of.
    noteHomeOf(work, options);
    giveToOwner(unfinished, dataDir);
    makeDurable(unfinished);
    publish(unfinished);
    return moved;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The text that reports the lines that were moved ahead. */
export function aheadText({ ended }: Moved, margin: bigint): string {
  const over =
    ended.length === 0
      ? ""
      : `\nat their end, as they had no more than the margin left: ${named(ended)}`;
  return (
    `each line moved ahead by ${margin} numbers; where you know the highest number used of a line, ` +
    `ADVANCE name number goes past it${over}`
  );
}

function exists(path: string): CannotStart {
  return new CannotStart(
    `${path} exists: restore overwrites nothing; name another folder, or move it away`,
  );
}
