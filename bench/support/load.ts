/** Loads a server with redis-benchmark, and reads its figures and the CPU time of the server. */

import { cpuSeconds } from "./process.ts";
import type { Target } from "./servers.ts";

export interface Load {
  readonly clients: number;
  /** How many requests each client sends before it waits for their replies. */
  readonly depth: number;
  readonly requests: number;
  /** How many names __rand_int__ in the words stands for; 1 if the words do not have it. */
  readonly names: number;
  readonly words: readonly string[];
}

export interface Measured {
  readonly perSecond: number;
  /** Requests per second of CPU time of the server's process. */
  readonly perCpuSecond: number;
  readonly cpuSeconds: number;
  /** Milliseconds from a request, or a pipeline of them, to its reply. */
  readonly p50: number;
  readonly p99: number;
}

/** The warning of redis-benchmark about a server that answers CONFIG GET in its own way. */
const HARMLESS = /^WARNING: Could not fetch server CONFIG$/m;
/** The least CPU time of a run, so that a run without a tick does not divide by zero. */
const CPU_SECONDS_LEAST = 0.01;

/** Loads a server, and measures it during the load. */
export async function measureLoad(target: Target, load: Load): Promise<Measured> {
  const before = cpuSeconds(target.pid);
  const row = await runBenchmark(target.port, load);
  const used = Math.max(CPU_SECONDS_LEAST, cpuSeconds(target.pid) - before);
  const [, perSecond, , , p50, , p99] = row.split(",").map((cell) => cell.replaceAll('"', ""));
  return {
    perSecond: Number(perSecond),
    perCpuSecond: load.requests / used,
    cpuSeconds: used,
    p50: Number(p50),
    p99: Number(p99),
  };
}

/** Answers the row of figures: test, requests per second, average, least, p50, p95, p99, most. */
async function runBenchmark(port: number, load: Load): Promise<string> {
  const child = Bun.spawn(
    [
      ...["redis-benchmark", "-p", `${port}`, "--csv", "-n", `${load.requests}`],
      ...["-c", `${load.clients}`, "-P", `${load.depth}`],
      ...(load.names > 1 ? ["-r", `${load.names}`] : []),
      ...load.words,
    ],
    { stdout: "pipe", stderr: "pipe" },
  );
  const [text, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  const status = await child.exited;
  const complaint = errors.replace(HARMLESS, "").trim();
  if (status !== 0 || complaint !== "") throw new Error(`redis-benchmark: ${complaint}`);
  return text.trim().split("\n").at(-1)!;
}
