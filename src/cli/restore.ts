/**
 * `number-dispenser restore FILE`: makes a data folder of a backup. What was handed out after the
 * backup was made is not in it, and would be handed out again; so each line is moved ahead by a
 * margin, which only the operator can know.
 */

import { chmodSync, closeSync, copyFileSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../config-file.ts";
import { parseNumber } from "../dispenser/definition.ts";
import { NUMBER_MAX } from "../dispenser/line.ts";
import { toText } from "../dispenser/name.ts";
import { Engine } from "../engine.ts";
import { PRIVATE_FILE, PRIVATE_FOLDER } from "../files.ts";
import { CannotStart, reasonOf } from "../refusal.ts";
import { checkBackup } from "../store/backup.ts";
import { DATABASE_FILE, isTaken, publish, RESTORING, readyForUse } from "../store/file.ts";
import {
  type FolderOptions,
  giveToOwner,
  lockFolder,
  makeDurable,
  prepareFolder,
  removeLeftovers,
} from "../store/folder.ts";
import { openSqliteStore } from "../store/sqlite.ts";
import { noteHome } from "./home.ts";

/** Where to, and what is allowed there. */
export interface RestoreOptions extends FolderOptions {
  readonly dataDir: string;
}

/** So many names are told of lines that are at their end. */
const NAMED_MAX = 20;
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

/** What became of the lines that were moved ahead. */
export interface MovedAhead {
  readonly dispensers: number;
  /** Names of lines that have no number left. */
  readonly ended: readonly string[];
}

/**
 * Makes a database of a copied one, and of its log where that is given, too, each line moved ahead by a margin. `publish`
 * gets it when it is whole and durable; it lies in the data folder, which is locked.
 */
export function makeAhead(
  [main, log]: readonly [main: string, log?: string],
  dataDir: string,
  margin: bigint,
  options: FolderOptions,
  publish: (finished: string) => void,
): MovedAhead {
  const work = join(dataDir, `${DATABASE_FILE}${RESTORING}-${crypto.randomUUID()}`);
  mkdirSync(work, { mode: PRIVATE_FOLDER });
  try {
    const unfinished = join(work, DATABASE_FILE);
    copyFileSync(main, unfinished);
    if (log !== undefined) copyFileSync(log, `${unfinished}-wal`);
    // Not those of a backup put out of harm's way.
    chmodSync(unfinished, PRIVATE_FILE);
    readyForUse(unfinished);
    const moved = moveAhead(work, margin, options);
    giveToOwner(unfinished, dataDir);
    makeDurable(unfinished);
    publish(unfinished);
    return moved;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** What is said of lines that were moved ahead. */
export function aheadText({ ended }: MovedAhead, margin: bigint): string {
  return (
    `each line moved ahead by ${margin} numbers; where you know the highest number used of a line, ` +
    `ADVANCE name number goes past it${endedText(ended)}`
  );
}

function marginOf(text: string | undefined): bigint {
  if (text === undefined) {
    throw new UsageError(
      "restore needs -margin N: how many numbers of each line may have been handed out since the " +
        "backup was made; each line skips so many",
    );
  }
  return parseMargin(text);
}

/** The value of -margin. Throws UsageError. */
export function parseMargin(text: string): bigint {
  const margin = parseNumber(text);
  if (margin !== undefined) return margin;
  throw new UsageError(`-margin: '${text}' must be a whole number from 0 to ${NUMBER_MAX}`);
}

function exists(path: string): CannotStart {
  return new CannotStart(
    `${path} exists: restore overwrites nothing; name another folder, or move it away`,
  );
}

/** What the margin left nothing of. */
function endedText(ended: readonly string[]): string {
  if (ended.length === 0) return "";
  const more = ended.length > NAMED_MAX ? `, and ${ended.length - NAMED_MAX} more` : "";
  const named = ended.slice(0, NAMED_MAX).join(", ");
  return `\nat their end, as they had no more than the margin left: ${named}${more}`;
}

/** Opens the database as a server would, moves its lines ahead and closes it cleanly. */
function moveAhead(folder: string, margin: bigint, options: FolderOptions): MovedAhead {
  const store = openSqliteStore(folder, options);
  const engine = new Engine(store, { now: () => 0, savesCounts: false });
  noteHome(store);
  let dispensers = 0;
  const ended: string[] = [];
  for (const dispenser of engine.all()) {
    const hadMore = dispenser.remaining > 0;
    engine.moves.skip(dispenser, margin);
    if (hadMore && dispenser.remaining === 0) ended.push(toText(dispenser.name));
    if (++dispensers % LINES_PER_COMMIT === 0) commit(engine);
  }
  commit(engine);
  engine.close();
  return { dispensers, ended };
}

function commit(engine: Engine): void {
  const failure = engine.commit() ?? engine.maintain();
  if (failure !== undefined) throw failure;
}
