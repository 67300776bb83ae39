/** `bun run kills [--rounds N] [--seed S] [--program path]`: real servers killed, round after round. */

import { rmSync } from "node:fs";
import { resolve } from "node:path";
import { temporaryRoot } from "../../../testkit/folder.ts";
import { fromSource } from "../../../testkit/process.ts";
import { anySeed, soakArguments } from "../../support/arguments.ts";
import { Rounds } from "./rounds.ts";

const given = soakArguments({ seed: anySeed(), rounds: 200 }, "program");
const { seed, rounds: count, text: program } = given;
const rounds = new Rounds(program === undefined ? fromSource : [resolve(program)], seed);
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
