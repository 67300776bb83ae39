/** The rates and patterns of requests that are measured, in simulated milliseconds. */

import { randomFrom } from "../../testkit/prng.ts";

export interface Rate {
  readonly title: string;
  readonly perSecond: number;
}

export const rates: readonly Rate[] = [
  { title: "1 a minute", perSecond: 1 / 60 },
  { title: "1 a second", perSecond: 1 },
  { title: "10 a second", perSecond: 10 },
  { title: "100 a second", perSecond: 100 },
  { title: "1,000 a second", perSecond: 1000 },
  { title: "100,000 a second", perSecond: 100_000 },
  // The most that one server hands out over sockets to deep pipelines from many clients.
  { title: "full speed (a million a second)", perSecond: 1_000_000 },
];

/** Answers the time of the next request, later or the same at each call. */
export type Arrivals = () => number;

const CLUMP = 10;
const CLUMP_SPREAD_MS = 0.1;
const SEED = 20_240_229;

/** A gap between two events of a Poisson process whose gaps have this mean. */
const poissonGap = (random: () => number, meanMs: number) => -Math.log(1 - random()) * meanMs;

/** The patterns in which requests may come at one mean rate. */
export const patterns: Record<string, (perSecond: number) => Arrivals> = {
  regular: (perSecond) => {
    let count = 0;
    return () => (++count * 1000) / perSecond;
  },
  Poisson: (perSecond) => {
    const random = randomFrom(SEED);
    let nowMs = 0;
    return () => {
      nowMs += poissonGap(random, 1000 / perSecond);
      return nowMs;
    };
  },
  "clumps of 10": (perSecond) => {
    let count = 0;
    return () => (Math.floor(count++ / CLUMP) * CLUMP * 1000) / perSecond;
  },
  // Ten clients act on one event: their requests are spread over a moment, and over two turns.
  "ragged clumps of 10 at random": (perSecond) => {
    const random = randomFrom(SEED);
    let [clumpMs, lastMs] = [0, 0];
    let due: number[] = [];
    return () => {
      if (due.length === 0) {
        clumpMs += poissonGap(random, (CLUMP * 1000) / perSecond);
        due = Array.from({ length: CLUMP }, () => clumpMs + random() * CLUMP_SPREAD_MS);
        due.sort((a, b) => b - a);
      }
      // A clump may begin before the last is over.
      lastMs = Math.max(lastMs, due.pop()!);
      return lastMs;
    };
  },
};
