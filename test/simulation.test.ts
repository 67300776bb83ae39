import { test } from "bun:test";
import { simulate } from "./simulation.ts";

const RUNS = 500;
const TIMEOUT_MS = 60_000;

test(
  `the law holds in ${RUNS} simulated histories`,
  () => {
    const first = Date.now() % 1_000_000_000;
    for (let seed = first; seed < first + RUNS; seed++) simulate(seed);
  },
  TIMEOUT_MS,
);
