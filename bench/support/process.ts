/** Reads from Linux how much CPU time a process used and how much memory it holds. */

import { readFileSync } from "node:fs";

/** The unit of times in /proc/PID/stat: sysconf(_SC_CLK_TCK) is 100 on every Linux. */
export const TICK_MS = 10;

/** Ticks of CPU time in user and system mode. */
export function cpuTicks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

export const cpuSeconds = (pid: number) => (cpuTicks(pid) * TICK_MS) / 1000;

/** Bytes of memory that are resident. */
export function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)![1]) * 1024;
}
