/** `bun run simulate --seed S --runs N`: histories from seed S on; the first broken one ends it. */

import { parseArgs } from "node:util";
import { simulate } from "./simulate.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(Date.now() % 1_000_000_000) },
    runs: { type: "string", default: "1000" },
  },
});
const first = Number(values.seed);
const runs = Number(values.runs);
if (!Number.isSafeInteger(first) || !Number.isSafeInteger(runs)) {
  console.error("usage: bun run simulate [--seed S] [--runs N], whole numbers");
  process.exit(2);
}
console.log(`${runs} histories from seed ${first} on`);
const began = performance.now();
for (let seed = first; seed < first + runs; seed++) {
  try {
    simulate(seed);
  } catch (error) {
    console.error(`${(error as Error).message}\nreplay: bun run simulate --seed ${seed} --runs 1`);
    process.exit(1);
  }
}
const seconds = (performance.now() - began) / 1000;
console.log(`the law held in all of them (${seconds.toFixed(1)} s)`);
