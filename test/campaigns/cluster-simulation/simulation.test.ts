import { expect, test } from "bun:test";
import { simulateCluster, subjects } from "./simulate.ts";

/** SIMULATION_SEED=n SIMULATION_RUNS=1 replays a failure here; so does `bun run simulate:cluster`. */
const RUNS = Number(process.env.SIMULATION_RUNS ?? 50);
const FIRST = Number(process.env.SIMULATION_SEED ?? Date.now() % 1_000_000_000);
const TIMEOUT_MS = 30_000 + RUNS * 200;

test.each(subjects)(
  `the invariants hold in ${RUNS} simulated histories of a cluster from seed ${FIRST} on: %s`,
  async (subject) => {
    for (let seed = FIRST; seed < FIRST + RUNS; seed++) await simulateCluster(seed, subject);
  },
  TIMEOUT_MS,
);

test("a seed gives the same history again, another seed another", async () => {
  expect(await simulateCluster(7)).toBe(await simulateCluster(7));
  expect(await simulateCluster(7)).not.toBe(await simulateCluster(8));
});
