/**
 * A server with very many dispensers: its start, its memory, GET spread over all of them beside GET
 * of one hot name, its clean stop, and the start after SIGKILL.
 */

import { rmSync } from "node:fs";
import { join } from "node:path";
import type { StrategyName } from "../../src/dispenser/strategy.ts";
import { nameOf } from "../compare/works.ts";
import { median, ratios } from "../support/figures.ts";
import { type Load, type Measured, measureLoad } from "../support/load.ts";
import { residentBytes } from "../support/process.ts";
import { answering, type RunningServer } from "../support/servers.ts";
import { endTimed, PREFIX, type Program, startTimed } from "./start.ts";

/** How many lines are asked at once for a number each, before anything is measured. */
const OPENED_AT_ONCE = 1000;
const CLIENTS = 50;
const DEPTH = 16;
const WARM_UP_REQUESTS_MAX = 100_000;
/** How many requests come before the SIGKILL; recovery reads what they wrote from the WAL. */
const KILLED_AFTER_REQUESTS = 100_000;

export interface Sizes {
  readonly dispensers: number;
  readonly rounds: number;
  /** The time in which the process may free the garbage of its start. */
  readonly settleMs: number;
  /** The CPU time of the server that a run of GETs should take, and its longest time. */
  readonly cpuSeconds: number;
  readonly secondsMax: number;
}

export interface Lives {
  readonly startMs: number;
  readonly stopMs: number;
  readonly recoveryMs: number;
  /**
   * Resident bytes per dispenser beyond an empty server's: after the start, and after many GETs.
   */
  readonly bytesAtStart: number;
  readonly bytesInUse: number;
  readonly hot: Measured;
  readonly spread: Measured;
  /** The ratio of GET over all names to GET of one name, by the medians of the rounds. */
  readonly ratioPerSecond: number;
  readonly ratioPerCpuSecond: number;
}

/** Fills a folder with dispensers. */
export function fill(dataDir: string, dispensers: number, strategy: StrategyName): void {
  const script = join(import.meta.dir, "fill.ts");
  const filled = Bun.spawnSync([process.execPath, script, dataDir, `${dispensers}`, strategy]);
  if (!filled.success) throw new Error(`the folder was not filled: ${filled.stderr}`);
}

/** How many bytes an empty server of this program holds. */
export async function emptyBytes(
  program: Program,
  dataDir: string,
  settleMs: number,
): Promise<number> {
  const { server } = await startTimed(program, dataDir);
  await Bun.sleep(settleMs);
  const bytes = residentBytes(server.pid);
  await server.end();
  rmSync(dataDir, { recursive: true });
  return bytes;
}

/** Measures lives of a server on a filled folder, and changes it. */
export async function measureLives(
  program: Program,
  dataDir: string,
  empty: number,
  sizes: Sizes,
): Promise<Lives> {
  const first = await startTimed(program, dataDir);
  const bytesEach = () => (residentBytes(first.server.pid) - empty) / sizes.dispensers;
  await Bun.sleep(sizes.settleMs);
  const bytesAtStart = bytesEach();
  const gets = await measureGets(first.server, sizes);
  const bytesInUse = bytesEach();
  const stopMs = await endTimed(first.server);

  const second = await startTimed(program, dataDir);
  const killedAfter = Math.min(sizes.dispensers, KILLED_AFTER_REQUESTS);
  await measureLoad(second.server, spreadLoad(sizes, killedAfter));
  await second.server.end("SIGKILL");
  const third = await startTimed(program, dataDir);
  await third.server.end();
  const lives = { startMs: first.tookMs, stopMs, recoveryMs: third.tookMs };
  return { ...lives, bytesAtStart, bytesInUse, ...gets };
}

const hotLoad = (requests: number): Load => {
  return { ...common, requests, names: 1, words: ["get", nameOf(PREFIX, 0)] };
};

const spreadLoad = ({ dispensers }: Sizes, requests: number): Load => {
  return { ...common, requests, names: dispensers, words: ["get", `${PREFIX}:__rand_int__`] };
};

const common = { clients: CLIENTS, depth: DEPTH };

/** Takes a number from each line: its first GET in a life costs more, and loads it into memory. */
async function openAll({ port }: RunningServer, dispensers: number): Promise<void> {
  const client = await answering(port);
  for (let from = 0; from < dispensers; from += OPENED_AT_ONCE) {
    const count = Math.min(OPENED_AT_ONCE, dispensers - from);
    const names = Array.from({ length: count }, (_, index) => nameOf(PREFIX, from + index));
    const reply = await client.command("MGET", ...names);
    if (!Array.isArray(reply)) throw new Error(String(reply));
  }
  client.close();
}

/** Measures GET of one name and GET over all names in turn, after a short run of each. */
async function measureGets(server: RunningServer, sizes: Sizes) {
  const enough = ({ perCpuSecond, perSecond }: Measured) => {
    const count = Math.min(perCpuSecond * sizes.cpuSeconds, perSecond * sizes.secondsMax);
    return Math.max(CLIENTS * DEPTH, Math.ceil(count));
  };
  await openAll(server, sizes.dispensers);
  const warmUp = Math.min(sizes.dispensers, WARM_UP_REQUESTS_MAX);
  const opened = await measureLoad(server, spreadLoad(sizes, warmUp));
  const warm = await measureLoad(server, hotLoad(warmUp));
  const [hot, spread]: [Measured[], Measured[]] = [[], []];
  for (let round = 0; round < sizes.rounds; round++) {
    hot.push(await measureLoad(server, hotLoad(enough(warm))));
    spread.push(await measureLoad(server, spreadLoad(sizes, enough(opened))));
  }
  const ratio = (figure: "perSecond" | "perCpuSecond") =>
    median(
      ratios(
        spread.map((each) => each[figure]),
        hot.map((each) => each[figure]),
      ),
    );
  return {
    hot: medians(hot),
    spread: medians(spread),
    ratioPerSecond: ratio("perSecond"),
    ratioPerCpuSecond: ratio("perCpuSecond"),
  };
}

function medians(rounds: readonly Measured[]): Measured {
  const middle = (figure: keyof Measured) => median(rounds.map((each) => each[figure]));
  return {
    perSecond: middle("perSecond"),
    perCpuSecond: middle("perCpuSecond"),
    cpuSeconds: middle("cpuSeconds"),
    p50: middle("p50"),
    p99: middle("p99"),
  };
}
