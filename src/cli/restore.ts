/**
 * `number-dispenser restore FILE`: makes a data folder of a backup. What was handed out after the
 * backup was made is not in it, and would be handed out again; so each line is moved ahead by a
 * margin, which only the operator can know.
 */

import { chmodSync, copyFileSync, existsSync, mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../config-file.ts";
import { CannotStart, reasonOf } from "../refusal.ts";
import { checkBackup } from "../store/backup.ts";
import { DATABASE_FILE, isTaken, publish, RESTORING, readyForUse } from "../store/file.ts";
import {
  type FolderOptions,
  giveToOwner,
  makeDurable,
  prepareFolder,
  removeLeftovers,
} from "../store/folder.ts";
import { marginOf, moveAhead, named } from "./move-ahead.ts";

/** Where to, and what is allowed there. */
export interface RestoreOptions extends FolderOptions {
  readonly dataDir: string;
}

/** Answers one line that says what was done. Throws CannotStart, and UsageError. */
export function restore(
  file: string,
  flags: ReadonlyMap<string, string>,
  options: RestoreOptions,
): string {
  const margin = marginOf(
    flags.get("margin"),
    "restore needs -margin N: how many numbers of each line may have been handed out since the backup was made; " +
      "each line skips so many",
  );
  if (!flags.has("confirm")) {
    throw new UsageError(
      "restore needs -confirm: numbers handed out after the backup was made are handed out again " +
        `where they are more than the margin, ${margin} of a line; if you know the highest number ` +
        "that was used of a line, ADVANCE name number moves it past that once the server runs",
    );
  }
  const { dataDir } = options;
  const path = join(dataDir, DATABASE_FILE);
  checkBackup(file);
  prepareFolder(dataDir, options);
  for (const present of [path, `${path}-wal`]) {
    if (existsSync(present)) throw exists(present);
  }
  const work = `${path}${RESTORING}-${process.pid}`;
  try {
    rmSync(work, { recursive: true, force: true });
    mkdirSync(work);
    const unfinished = join(work, DATABASE_FILE);
    // The mode is that of the folder's other files, not that of a backup put out of harm's way.
    copyFileSync(file, unfinished);
    chmodSync(unfinished, statSync(work).mode & 0o666);
    readyForUse(unfinished);
    const { dispensers, ended } = moveAhead(work, margin, options);
    const over =
      ended.length === 0
        ? ""
        : `\nat their end, as they had no more than the margin left: ${named(ended)}`;
    giveToOwner(unfinished, dataDir);
    makeDurable(unfinished);
    publish(unfinished, path);
    removeLeftovers(dataDir, DATABASE_FILE + RESTORING);
    makeDurable(dataDir);
    return (
      `restored ${dispensers} dispensers into ${path}, each line moved ahead by ${margin} numbers; where you know the ` +
      `highest number used of a line, ADVANCE name number goes past it${over}`
    );
  } catch (error) {
    if (error instanceof CannotStart) throw error;
    if (isTaken(error)) throw exists(path);
    throw new CannotStart(`cannot restore ${file} to ${path}: ${reasonOf(error)}`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function exists(path: string): CannotStart {
  return new CannotStart(
    `${path} exists: restore overwrites nothing; name another folder, or move it away`,
  );
}
