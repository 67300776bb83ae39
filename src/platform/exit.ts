/**
 * Ends the process when the store was not closed cleanly.
 *
 * At process.exit() Bun closes open databases, and SQLite then copies the WAL into the main file
 * and removes it. That must not happen after a failed sync, nor to a database that was refused; and
 * a WAL that is gone without the mark of a clean close looks lost to the next start. So the process
 * ends by _exit(2), which runs no such code.
 */

import { openLibc } from "./libc.ts";

/** Ends the process at once. Open databases stay as a crash would leave them. */
export function leave(status: number): never {
  openLibc({ _exit: { args: ["int"], returns: "void" } })?._exit(status);
  // The C library is unknown: a signal ends the process as surely, but with another status.
  process.kill(process.pid, "SIGKILL");
  throw new Error("the process outlived SIGKILL");
}
