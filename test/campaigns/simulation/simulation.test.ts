import { expect, test } from "bun:test";
import { simulate } from "./simulate.ts";

/** SIMULATION_SEED=n SIMULATION_RUNS=1 replays a failure here; so does `bun run simulate`. */
const RUNS = Number(process.env.SIMULATION_RUNS ?? 300);
const FIRST = Number(process.env.SIMULATION_SEED ?? Date.now() % 1_000_000_000);
const STEPS = 150;
const TIMEOUT_MS = 30_000 + RUNS * 50;

test(
  `the invariants hold in ${RUNS} simulated histories from seed ${FIRST} on`,
  () => {
    for (let seed = FIRST; seed < FIRST + RUNS; seed++) simulate(seed, STEPS);
  },
  TIMEOUT_MS,
);

test("a seed gives the same history again, another seed another", () => {
  expect(simulate(7)).toBe(simulate(7));
  expect(simulate(7)).not.toBe(simulate(8));
});
