/**
 * Measures in rounds. Each round measures every work once, so that a disturbance of the machine
 * affects all of them; the order rotates, so that none always comes after the same one.
 */

import { type Load, type Measured, measureLoad } from "../support/load.ts";
import type { Work } from "./works.ts";

/** The kind of the load. */
export interface Setting {
  readonly clients: number;
  readonly depth: number;
}

/** The figures of each round, by the title of the work. */
export type Rounds = ReadonlyMap<string, readonly Measured[]>;

export interface Amount {
  /** How many requests each run has; 0 for as many as take the CPU time below. */
  readonly requests: number;
  /** The CPU time of a run; it should be many clock ticks of 10 ms. */
  readonly cpuSeconds: number;
  /** The longest run, because a server that waits for the disk uses little CPU time. */
  readonly secondsMax: number;
  /** How many requests the first run has, which warms up, 1 deep. */
  readonly warmUp: number;
}

const WARM_UP_DEPTH_MAX = 16;

/** Measures all works in rounds, after two runs of each that do not count. */
export async function measureRounds(
  works: readonly Work[],
  setting: Setting,
  rounds: number,
  amount: Amount,
): Promise<Rounds> {
  const measured = new Map<string, Measured[]>(works.map(({ title }) => [title, []]));
  const requests = new Map<string, number>();
  for (const work of works) {
    const count = amount.warmUp * Math.min(setting.depth, WARM_UP_DEPTH_MAX);
    // The first run is slower than later ones, and would lead to too few requests.
    await measureLoad(work.server, loadOf(work, setting, count));
    const warm = await measureLoad(work.server, loadOf(work, setting, 2 * count));
    const enough = Math.min(
      warm.perCpuSecond * amount.cpuSeconds,
      warm.perSecond * amount.secondsMax,
    );
    requests.set(work.title, amount.requests || Math.max(count, Math.ceil(enough)));
  }
  for (let round = 0; round < rounds; round++) {
    const first = Math.floor((round * works.length) / rounds);
    for (const work of [...works.slice(first), ...works.slice(0, first)]) {
      const load = loadOf(work, setting, requests.get(work.title)!);
      measured.get(work.title)!.push(await measureLoad(work.server, load));
    }
  }
  return measured;
}

function loadOf({ names, words }: Work, setting: Setting, requests: number): Load {
  return { ...setting, requests, names, words };
}
