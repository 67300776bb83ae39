/** `bun run kills [--rounds N] [--seed S] [--program path]`: real servers killed, round after round. */

import { rmSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { temporaryRoot } from "../support/folder.ts";
import { fromSource } from "../support/server.ts";
import { Rounds } from "./rounds.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(Date.now() % 1_000_000_000) },
    rounds: { type: "string", default: "200" },
    program: { type: "string" },
  },
});
const seed = Number(values.seed);
const count = Number(values.rounds);
if (!Number.isSafeInteger(seed) || !Number.isSafeInteger(count)) {
  console.error("usage: bun run kills [--rounds N] [--seed S] [--program path]");
  process.exit(2);
}
const rounds = new Rounds(values.program ? [resolve(values.program)] : fromSource, seed);
console.log(`${count} lives on one data folder, seed ${seed}`);
try {
  for (let round = 0; round < count; round++) await rounds.round();
} catch (error) {
  console.error(`seed ${seed}: ${(error as Error).message}`);
  console.error(`the data folder is left as it is: ${rounds.dataDir}`);
  process.exit(1);
}
const endings = Object.entries(rounds.ended).map(([ending, times]) => `${times} ${ending}`);
console.log(`${rounds.numbers} numbers received, none repeated: ${endings.join(", ")}`);
console.log(`${rounds.killedBeforeReady} of the starts were killed before they were ready`);
rmSync(temporaryRoot, { recursive: true, force: true });
process.exit(0);
