/** The CPU time and memory of an idle server. */

import { join } from "node:path";
import { cpuTicks, residentBytes } from "../support/process.ts";
import { type Program, startTimed } from "./start.ts";

export interface Idle {
  /** CPU time in clock ticks. */
  readonly ticks: number;
  readonly bytes: number;
}

/** Measures an idle server for some time, after it has settled. */
export async function measureIdle(
  program: Program,
  folder: string,
  settleMs: number,
  watchMs: number,
): Promise<Idle> {
  const { server } = await startTimed(program, join(folder, `idle-${program.title}`));
  await Bun.sleep(settleMs);
  const before = cpuTicks(server.pid);
  await Bun.sleep(watchMs);
  const idle = { ticks: cpuTicks(server.pid) - before, bytes: residentBytes(server.pid) };
  await server.end();
  return idle;
}
