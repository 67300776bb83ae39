/** `bun run fuzz --seed S --runs N`: N inputs from seed S on; the first that goes wrong ends it. */

import { anySeed, soakArguments } from "../../support/arguments.ts";
import { fuzz, HISTORY_INPUTS } from "./history.ts";

const PROGRESS_EVERY_MS = 10_000;

const { seed: first, runs } = soakArguments({ seed: anySeed(), runs: 1_000_000 });
console.log(`${runs} inputs from seed ${first} on`);
const began = performance.now();
let done = 0;
let toldMs = began;

const speed = () => {
  const seconds = (performance.now() - began) / 1000;
  return `${seconds.toFixed(0)} s, ${Math.round(done / seconds)} inputs a second`;
};

const fail = (error: unknown) => {
  const seed = first + Math.floor(done / HISTORY_INPUTS);
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const shown = message.startsWith("seed ") ? message : message.replace(/^Error: /, "");
  console.error(`${shown}\nreplay: bun run fuzz --seed ${seed} --runs ${HISTORY_INPUTS}`);
  process.exit(1);
};
process.on("uncaughtException", fail);

await fuzz(first, runs, (inputs) => {
  done += inputs;
  if (performance.now() - toldMs < PROGRESS_EVERY_MS) return;
  toldMs = performance.now();
  console.log(`${done} (${speed()})`);
}).catch(fail);
console.log(`every reply was in step for all of them (${speed()})`);
