/**
 * `number-dispenser restore FILE`: makes a data folder of a backup. What was handed out after the
 * backup was made is not in it, and would be handed out again; so each line is moved ahead by a
 * margin, which only the operator can know.
 */

import { chmodSync, copyFileSync, existsSync, mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../config-file.ts";
import { parseNumber } from "../dispenser/definition.ts";
import { NUMBER_MAX } from "../dispenser/line.ts";
import { Engine } from "../engine.ts";
import { CannotStart, reasonOf } from "../refusal.ts";
import { checkBackup } from "../store/backup.ts";
import { DATABASE_FILE, isTaken, publish, RESTORING, readyForUse } from "../store/file.ts";
import {
  type FolderOptions,
  makeDurable,
  prepareFolder,
  removeLeftovers,
} from "../store/folder.ts";
import { openSqliteStore } from "../store/sqlite.ts";

/** Where to, and what is allowed there. */
export interface RestoreOptions extends FolderOptions {
  readonly dataDir: string;
}

/** So many lines are moved ahead in one commit. */
const LINES_PER_COMMIT = 10_000;

/** Answers one line that says what was done. Throws CannotStart, and UsageError. */
export function restore(
  file: string,
  flags: ReadonlyMap<string, string>,
  options: RestoreOptions,
): string {
  const margin = marginOf(flags.get("margin"));
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
    const dispensers = moveAhead(work, margin, options);
    makeDurable(unfinished);
    publish(unfinished, path);
    removeLeftovers(dataDir, DATABASE_FILE + RESTORING);
    makeDurable(dataDir);
    return (
      `restored ${dispensers} dispensers into ${path}, each line moved ahead by ${margin} numbers; where you know the ` +
      "highest number used of a line, ADVANCE name number goes past it"
    );
  } catch (error) {
    if (error instanceof CannotStart) throw error;
    if (isTaken(error)) throw exists(path);
    throw new CannotStart(`cannot restore ${file} to ${path}: ${reasonOf(error)}`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function marginOf(text: string | undefined): bigint {
  if (text === undefined) {
    throw new UsageError(
      "restore needs -margin N: how many numbers of each line may have been handed out since the " +
        "backup was made; each line skips so many",
    );
  }
  const margin = parseNumber(text);
  if (margin !== undefined) return margin;
  throw new UsageError(`-margin: '${text}' must be a whole number from 0 to ${NUMBER_MAX}`);
}

function exists(path: string): CannotStart {
  return new CannotStart(
    `${path} exists: restore overwrites nothing; name another folder, or move it away`,
  );
}

/**
 * Opens the database as a server would, moves its lines ahead and closes it cleanly. Answers how
 * many dispensers there are.
 */
function moveAhead(folder: string, margin: bigint, options: FolderOptions): number {
  const store = openSqliteStore(folder, options);
  const engine = new Engine(store, { now: () => 0, savesCounts: false });
  let count = 0;
  for (const dispenser of engine.all()) {
    engine.moves.skip(dispenser, margin);
    if (++count % LINES_PER_COMMIT === 0) commit(engine);
  }
  commit(engine);
  engine.close();
  return count;
}

function commit(engine: Engine): void {
  const failure = engine.commit() ?? engine.maintain();
  if (failure !== undefined) throw failure;
}
