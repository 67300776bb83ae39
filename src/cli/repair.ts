/**
 * `number-dispenser repair`: repairs a data folder whose server refuses to start because the WAL of
 * a crash is gone or damaged. If it can prove that nothing is lost, it makes the folder fit for the
 * next start; otherwise each line moves ahead by a margin, which only the operator can know.
 */

import { closeSync, existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { CannotStart, reasonOf } from "../base/errors.ts";
import { UsageError } from "../config/file.ts";
import { checkDatabase } from "../storage/check.ts";
import { DATABASE_FILE } from "../storage/file.ts";
import { type FolderOptions, lockFolder, prepareFolder } from "../storage/folder.ts";
import { examine, type Finding, repairDatabase, replace } from "../storage/repair.ts";
import { marginIn, requireConfirmed } from "./margin.ts";
import { aheadText, makeAhead } from "./restore.ts";

/** Answers lines that say what was found and done. Throws CannotStart and UsageError. */
export function repair(
  dataDir: string,
  flags: ReadonlyMap<string, string>,
  settings: FolderOptions,
): string {
  const margin = marginIn(flags);
  const options = { ...settings, create: false };
  prepareFolder(dataDir, options);
  const lock = lockFolder(dataDir);
  const path = join(dataDir, DATABASE_FILE);
  try {
    const finding = examine(dataDir);
    if (finding.kind === "doubtful") {
      return moveAhead(path, dataDir, finding.because, margin, flags, options);
    }
    // A database that is damaged stays as it is. A WAL that was removed has to be put back first.
    if (finding.kind !== "removed") checkDatabase(path);
    repairDatabase(dataDir, finding);
    if (finding.kind === "removed") checkDatabase(path);
    return saidOf(path, finding);
  } catch (error) {
    if (error instanceof CannotStart || error instanceof UsageError) throw error;
    throw new CannotStart(`cannot repair ${path}: ${reasonOf(error)}`);
  } finally {
    closeSync(lock);
  }
}

function saidOf(path: string, finding: Exclude<Finding, { kind: "doubtful" }>): string {
  switch (finding.kind) {
    case "well":
      return `nothing to repair: ${path} is fit for a start: ${finding.because}`;
    case "moved":
      return (
        `repaired: the write-ahead log of ${path} is gone, but all that it held is in the database: another program moved it ` +
        "there. Nothing is lost, and the next start goes on behind the last number"
      );
    case "removed":
      return (
        `repaired: the write-ahead log of ${path} was removed, and is put back from its second name; the database did not ` +
        "change since. Nothing is lost, and the next start goes on behind the last number"
      );
  }
}

function moveAhead(
  path: string,
  dataDir: string,
  because: string,
  margin: bigint | undefined,
  flags: ReadonlyMap<string, string>,
  options: FolderOptions,
): string {
  const found =
    `${path} was in use when its server stopped, and of its write-ahead log: ${because}; what was committed last may be ` +
    "lost, and nothing here shows that it is not";
  if (margin === undefined) {
    throw new CannotStart(
      `${found}. Put the log back, or restore a backup, or say how many numbers of each line may have been handed out ` +
        "since the log was last moved into the database (some 4,000 writes): repair -margin N -confirm skips so many",
    );
  }
  requireConfirmed(
    flags,
    "repair",
    `${found}; a line that lost more than ${margin} numbers repeats numbers`,
  );
  let aside = "";
  const log = `${path}-wal`;
  const hasLog = existsSync(log) && statSync(log).size > 0;
  const moved = makeAhead(hasLog ? [path, log] : [path], dataDir, margin, options, (finished) => {
    aside = replace(dataDir, finished);
  });
  return (
    `${found}. Repaired: ${moved.dispensers} dispensers, ${aheadText(moved, margin)}; ` +
    `what was there is in ${aside}`
  );
}
