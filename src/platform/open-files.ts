/** How many clients the limit on open files leaves room for. */

import { readFileSync } from "node:fs";

/** Descriptors for the database, the log, listening sockets, and clients that are being refused. */
const RESERVED = 64;

/** The files that the process may open, less those it needs itself; Infinity if unknown. */
export function clientsByDescriptors(limits = "/proc/self/limits"): number {
  let text = "";
  try {
    text = readFileSync(limits, "utf8");
  } catch {
    // Not Linux: the setting alone decides.
  }
  const soft = /^Max open files +(\d+)/m.exec(text)?.[1];
  return soft === undefined ? Number.POSITIVE_INFINITY : Math.max(1, Number(soft) - RESERVED);
}
