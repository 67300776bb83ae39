import { expect, test } from "bun:test";
import { simulate } from "./simulation.ts";

/** SIMULATION_SEED=n SIMULATION_RUNS=1 bun test test/simulation.test.ts replays a failure. */
const RUNS = Number(process.env.SIMULATION_RUNS ?? 500);
const FIRST = Number(process.env.SIMULATION_SEED ?? Date.now() % 1_000_000_000);
const TIMEOUT_MS = 10_000 + RUNS * 50;

test(
  `the law holds in ${RUNS} simulated histories from seed ${FIRST} on`,
  () => {
    for (let seed = FIRST; seed < FIRST + RUNS; seed++) simulate(seed);
  },
  TIMEOUT_MS,
);

test(
  "the law holds whichever commit of a history fails, once or for good",
  () => {
    for (const lasting of [1, 30]) {
      for (let nth = 1; nth <= 60; nth++) {
        expect(() => simulate(FIRST, 300, { nth, lasting })).not.toThrow();
      }
    }
  },
  TIMEOUT_MS,
);
