/** `bun run simulate:cluster --seed S --runs N`: histories of a cluster from seed S on. */

import { anySeed, campaignArguments } from "../support/campaign.ts";
import { simulateCluster } from "./simulate.ts";

const { seed: first, runs } = campaignArguments({ seed: anySeed(), runs: 1000 });
console.log(`${runs} histories of three nodes from seed ${first} on`);
const began = performance.now();
for (let seed = first; seed < first + runs; seed++) {
  try {
    await simulateCluster(seed);
  } catch (error) {
    const replay = `replay: bun run simulate:cluster --seed ${seed} --runs 1`;
    console.error(`${(error as Error).message}\n${replay}`);
    process.exit(1);
  }
}
const seconds = (performance.now() - began) / 1000;
console.log(`the law held in all of them (${seconds.toFixed(1)} s)`);
