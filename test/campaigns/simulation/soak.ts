/** `bun run simulate --seed S --runs N`: histories from seed S on; the first broken one ends it. */

import { anySeed, soakArguments } from "../../support/arguments.ts";
import { simulate } from "./simulate.ts";

const { seed: first, runs } = soakArguments({ seed: anySeed(), runs: 1000 });
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
console.log(`the invariants held in all of them (${seconds.toFixed(1)} s)`);
