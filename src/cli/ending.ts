/** How the process ends: its exit statuses, and what is said of an error that ends it. */

import { writeSync } from "node:fs";
import { CannotStart } from "../base/errors.ts";
import { Fenced } from "../cluster/stores/fenced.ts";
import { UsageError } from "../config/file.ts";
import { leave } from "../platform/exit.ts";
import { DiskBroken, DiskUnavailable, DiskVanished } from "../storage/store.ts";

const EXIT_ENVIRONMENT = 1;
const EXIT_USAGE = 2;
/** The data is not where it was: whoever starts servers must not start this one again by itself. */
const EXIT_VANISHED = 78;

/** The exit status of a process that an error ends. */
export function statusOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT_USAGE;
  return error instanceof DiskVanished ? EXIT_VANISHED : EXIT_ENVIRONMENT;
}

/** What the log says as the server ends in the middle of its work. */
export function endingOf(error: unknown): string {
  return error instanceof DiskVanished
    ? "stopped: no number leaves any more, and positions are not saved; find out what became of the data " +
        "before the next start"
    : "stopped: no number leaves any more; the next start recovers";
}

/** What the log says as the clean close fails. */
export function unsavedOf(error: unknown): string {
  return error instanceof DiskVanished
    ? endingOf(error)
    : "the clean close could not be saved: the next start takes it for a crash";
}

/** What the log says of an error: its message where that is meant for the operator. */
export function faultOf(error: unknown): { error: string } {
  const isForTheOperator = [DiskBroken, DiskUnavailable, Fenced];
  if (error instanceof Error && isForTheOperator.some((kind) => error instanceof kind)) {
    return { error: error.message };
  }
  return { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}

/** At once, so that the last line before an exit is written; a reader that left is no error. */
export function writeToStderr(line: string): void {
  try {
    writeSync(2, `${line}\n`);
  } catch {
    // Nobody reads the log: the server goes on.
  }
}

/** Ends this process, as a command failed or the server could not start. */
export function endWith(error: unknown): never {
  const isExpected = error instanceof UsageError || error instanceof CannotStart;
  const message = isExpected ? (error as Error).message.replace(/\s+/g, " ") : faultOf(error).error;
  writeToStderr(`number-dispenser: ${message}`);
  leave(statusOf(error));
}
