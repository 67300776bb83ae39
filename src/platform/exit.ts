/**
 * How the process ends when the store was not closed cleanly.
 *
 * At process.exit() Bun closes open databases, and SQLite, closing one, moves its WAL into the main
 * file and removes it. After a failed sync that is just what must not be tried again; of a database
 * that was refused nothing may be overwritten; and a WAL that is gone without the mark of a clean
 * close looks lost to the next start. So the process is ended by _exit(2), which runs nothing.
 */

import { openLibc } from "./libc.ts";

/** Ends the process at once, with this status; open databases stay as a crash would leave them. */
export function leave(status: number): never {
  openLibc({ _exit: { args: ["int"], returns: "void" } })?._exit(status);
  // Another C library: a signal ends it as surely, though with a status of its own.
  process.kill(process.pid, "SIGKILL");
  throw new Error("the process outlived SIGKILL");
}
