/** Does a GET cost more if very many connections are open, and few of them busy? */

import { join } from "node:path";
import { median, ratios } from "../support/figures.ts";
import { type Measured, measureLoad } from "../support/load.ts";
import { residentBytes } from "../support/process.ts";
import { answering } from "../support/servers.ts";
import { type Program, startTimed } from "./start.ts";

/** One in this many connections is busy. */
const BUSY = 100;

export interface Crowded {
  readonly busy: number;
  readonly alone: readonly Measured[];
  readonly crowded: readonly Measured[];
  /** The ratio of a GET's CPU time among all connections to that among the busy ones alone. */
  readonly costRatio: number;
  readonly bytesEach: number;
}

/** Measures the busy connections alone, and among all, in turn. */
export async function measureCrowd(
  program: Program,
  folder: string,
  connections: number,
  rounds: number,
  requests: number,
): Promise<Crowded> {
  const dataDir = join(folder, `crowd-${program.title}`);
  // The default limit equals the idle connections, so it is raised for the busy ones.
  const roomy = ["env", `NUMBER_DISPENSER_CLIENTS=${connections + BUSY}`];
  const { server } = await startTimed(program, dataDir, roomy);
  const client = await answering(server.port);
  await client.command("HSET", "x", "type", "3", "auto_disk", "memory");
  const busy = Math.max(1, Math.round(connections / BUSY));
  const load = { clients: busy, depth: 1, requests, names: 1, words: ["get", "x"] };
  const [alone, crowded]: [Measured[], Measured[]] = [[], []];
  let bytesEach = 0;
  await measureLoad(server, load);
  for (let round = 0; round < rounds; round++) {
    alone.push(await measureLoad(server, load));
    const before = residentBytes(server.pid);
    const leave = await gather(server.port, connections - busy);
    bytesEach = Math.max(bytesEach, (residentBytes(server.pid) - before) / (connections - busy));
    crowded.push(await measureLoad(server, load));
    await leave();
  }
  client.close();
  await server.end();
  const cost = (measured: readonly Measured[]) => measured.map((each) => 1 / each.perCpuSecond);
  return { busy, alone, crowded, costRatio: median(ratios(cost(crowded), cost(alone))), bytesEach };
}

/** Opens idle connections. Answers a function that closes them. */
async function gather(port: number, count: number): Promise<() => Promise<unknown>> {
  const script = join(import.meta.dir, "crowd.ts");
  const crowd = Bun.spawn([process.execPath, script, `${port}`, `${count}`], {
    stdin: "pipe",
    stdout: "pipe",
  });
  const { value } = await crowd.stdout.getReader().read();
  if (value === undefined) throw new Error("the connections could not be opened");
  return () => {
    crowd.stdin.end();
    return crowd.exited;
  };
}
