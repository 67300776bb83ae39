/** The end of the process: its exit statuses, and the messages for the error that ends it. */

import { CannotStart } from "../base/errors.ts";
import { Fenced } from "../cluster/stores/fenced.ts";
import { UsageError } from "../config/file.ts";
import { leave } from "../platform/exit.ts";
import { LogWriter, outputOf } from "../platform/log-writer.ts";
import { DiskBroken, DiskUnavailable, DiskVanished } from "../storage/store.ts";

const EXIT_ENVIRONMENT = 1;
const EXIT_USAGE = 2;
/** The data vanished: a service manager must not restart the server by itself. */
const EXIT_VANISHED = 78;

/** The exit status of a process that an error ends. */
export function statusOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT_USAGE;
  return error instanceof DiskVanished ? EXIT_VANISHED : EXIT_ENVIRONMENT;
}

/** The log's message when an error ends the running server. */
export function endingOf(error: unknown): string {
  return error instanceof DiskVanished
    ? "stopped: no number leaves any more, and positions are not saved; find out what became of the data " +
        "before the next start"
    : "stopped: no number leaves any more; the next start recovers";
}

/** The log's message when the clean close fails. */
export function unsavedOf(error: unknown): string {
  return error instanceof DiskVanished
    ? endingOf(error)
    : "the clean close could not be saved: the next start takes it for a crash";
}

/** The log's field for an error: its message if that is meant for operators, or its stack. */
export function faultOf(error: unknown): { error: string } {
  const isForTheOperator = [DiskBroken, DiskUnavailable, Fenced];
  if (error instanceof Error && isForTheOperator.some((kind) => error instanceof kind)) {
    return { error: error.message };
  }
  return { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}

/** The one writer of stderr in this process, so that its lines keep their order. */
export const stderrLines = new LogWriter(outputOf(2));

/** Ends this process at once, after its last lines; open databases stay as a crash leaves them. */
export function leaveLogged(status: number): never {
  stderrLines.finish();
  leave(status);
}

/** Ends this process after a command failed or the server could not start. */
export function endWith(error: unknown): never {
  stderrLines.write(`number-dispenser: ${messageOf(error)}`);
  leaveLogged(statusOf(error));
}

/** What the last line of the process says of the error that ends it. */
export function messageOf(error: unknown): string {
  const isExpected = error instanceof UsageError || error instanceof CannotStart;
  return isExpected ? (error as Error).message.replace(/\s+/g, " ") : faultOf(error).error;
}
