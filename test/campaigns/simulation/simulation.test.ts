import { describe, expect, test } from "bun:test";
import { Checker } from "./checker.ts";
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

describe("a number of a line in memory that comes after a durable line took its name", () => {
  const shape = { type: "3", length: 0, starting: 7n, step: 1n, format: "" } as const;
  const inUse = new Set<bigint>();
  const memory = new Checker("x", shape, "memory", inUse);
  const askedBefore = memory.ask("memory");
  const durable = new Checker("x", shape, "elegant_close", inUse);
  durable.acknowledge("7", durable.ask("elegant_close"));

  test("may be one that the durable line hands out, too", () => {
    expect(memory.acknowledge("7", askedBefore)).toBe(7n);
  });

  test("may be none that was in use when it was asked for", () => {
    const other = new Checker("x", shape, "memory", inUse);
    expect(() => other.acknowledge("7", other.ask("memory"))).toThrow("7 a second time");
  });
});
