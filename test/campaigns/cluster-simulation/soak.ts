/**
 * `bun run simulate:cluster --seed S --runs N [--subject everything|"going back"]`: histories of a cluster from
 * seed S on; of both subjects in turn where none is named.
 */

import { anySeed, soakArguments } from "../../support/arguments.ts";
import { isSubject, simulateCluster, subjects } from "./simulate.ts";

const options = soakArguments({ seed: anySeed(), runs: 1000 }, "subject");
const { seed: first, runs, text } = options;
if (text !== undefined && !isSubject(text)) {
  console.error(`--subject: '${text}' must be one of ${subjects.join(", ")}`);
  process.exit(2);
}
const told = text === undefined ? subjects : [text];
console.log(`${runs} histories of three nodes from seed ${first} on: ${told.join(" and ")}`);
const began = performance.now();
for (let seed = first; seed < first + runs; seed++) {
  const subject = told[seed % told.length]!;
  try {
    await simulateCluster(seed, subject);
  } catch (error) {
    const replay = `replay: bun run simulate:cluster --seed ${seed} --runs 1 --subject "${subject}"`;
    console.error(`${(error as Error).message}\n${replay}`);
    process.exit(1);
  }
}
const seconds = (performance.now() - began) / 1000;
console.log(`the invariants held in all of them (${seconds.toFixed(1)} s)`);
