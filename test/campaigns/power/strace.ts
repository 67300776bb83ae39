/**
 * The real server under strace: as a recorder of all it does to its folder and its clients, and as
 * a disk that fails or a death at an exact system call.
 *
 * With -D the server stays our child and strace is a grandchild that holds stderr open: when
 * ServerProcess.exited() has read that to its end, the record is whole, too.
 */

import { join } from "node:path";
import { fromSource } from "../../../testkit/process.ts";

/** What of the system is recorded, or counted where a call is to be tampered with. */
const DISK_CALLS = [
  "pwrite64",
  "pwritev",
  "pwritev2",
  "write",
  "writev",
  "ftruncate",
  "truncate",
  "fallocate",
  "fsync",
  "fdatasync",
  "sync_file_range",
  "copy_file_range",
  "sendfile",
  "link",
  "linkat",
  "unlink",
  "unlinkat",
  "rename",
  "renameat",
  "renameat2",
  "mkdir",
  "mkdirat",
];
const CALLS = [
  ...DISK_CALLS,
  "open",
  "openat",
  "creat",
  "mmap",
  "accept",
  "accept4",
  "recvfrom",
  "recvmsg",
  "sendto",
  "sendmsg",
  "sendmmsg",
];

/** Why nothing can be traced here; undefined where it can. The one place that decides it. */
export const tracingMissing = ((): string | undefined => {
  if (process.platform !== "linux") return "strace traces Linux only";
  if (Bun.which("strace") === null) return "strace is not installed";
  const probe = Bun.spawnSync(["strace", "-D", "-f", "-o", "/dev/null", "true"]);
  return probe.exitCode === 0 ? undefined : `strace may not trace: ${probe.stderr.toString()}`;
})();
if (tracingMissing !== undefined) console.warn(`Power cuts are not tested: ${tracingMissing}.`);

/**
 * The server, recorded into a file for each of its threads, named by the prefix and a number.
 * `failing` says which of its fsync calls, counted from 1 over all files, fails.
 */
export function recorded(prefix: string, failing?: number): readonly string[] {
  const calls = `trace=${CALLS.join(",")}`;
  const text = ["-xx", "-s", "16000000", "-e", "signal=none"];
  const fault = failing === undefined ? [] : ["-e", `inject=fsync:error=EIO:when=${failing}`];
  const strace = ["strace", "-D", "-ff", "--seccomp-bpf", "-y", ...text, "-e", calls, ...fault];
  return [...strace, "-o", prefix, ...fromSource];
}

export interface Fault {
  readonly call: string;
  /** What happens to it: `error=EIO`, `signal=SIGKILL`. */
  readonly effect: string;
  /** Which of the calls on these files, counted from 1: `3`, or `3..5`, or `3+` for the rest. */
  readonly when: string;
  /** Files of the data folder that it is about; "" is the folder itself. PID stands for its pid. */
  readonly names: readonly string[];
}

export const DATABASE = "number-dispenser.db";
export const WAL = `${DATABASE}-wal`;
/** All files the server writes that matter to the numbers, also while it makes the database. */
export const ALL_FILES = [
  "",
  DATABASE,
  WAL,
  `${WAL}-kept`,
  `${DATABASE}.unfinished-PID`,
  `${DATABASE}.unfinished-PID-wal`,
  `${DATABASE}.unfinished-PID-shm`,
  `${DATABASE}.unfinished-PID-journal`,
];

/** The server whose calls on some files fail or kill it; recorded as well, if there is a prefix. */
export function tampered(dataDir: string, fault: Fault, prefix = "/dev/null"): readonly string[] {
  const { call, effect, when, names } = fault;
  // The shell's pid becomes strace's and then the server's, each by exec.
  const paths = names.flatMap((name) => [
    "-P",
    `"${join(
      dataDir,
      name.replace("PID", () => "$$"),
    )}"`,
  ]);
  const strace = `exec strace -D -f -qq -e signal=none -e trace=${DISK_CALLS.join(",")}`;
  const script = `${strace} -e inject=${call}:${effect}:when=${when} ${paths.join(" ")} -o ${prefix} "$@"`;
  return ["sh", "-c", script, "sh", ...fromSource];
}
