/** Deliberate changes of the program that a simulation has to catch, each from the seed on that caught it last. */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Change, ProgramCopy } from "./program-copy.ts";

/** Histories in which each has to be caught. */
const RUNS_MAX = 3000;

/** Whether the seeds are looked for from 1 on and written: `MUTATION_SEEDS=write bun run test mutations`. */
const isWriting = process.env.MUTATION_SEEDS === "write";

export class Mutations {
  private readonly program: ProgramCopy;
  private readonly soak: string;
  private readonly seedsFile: string;
  /** By title. A simulation that changed catches most of them elsewhere, which only takes longer. */
  private readonly seeds: Record<string, number>;

  /** Of the program, run by a campaign's soak.ts; `folders` of test/ are copied with it. */
  constructor(folder: string, ...others: readonly string[]) {
    this.program = new ProgramCopy(folder, ...others);
    this.soak = `test/${folder}/soak.ts`;
    this.seedsFile = join(import.meta.dir, "..", folder, "seeds.json");
    this.seeds =
      !isWriting && existsSync(this.seedsFile)
        ? JSON.parse(readFileSync(this.seedsFile, "utf8"))
        : {};
  }

  /** Answers the exit status and what was said on stderr. */
  async run(title: string, change: Change, ...args: readonly string[]): Promise<[number, string]> {
    const seed = String(this.seeds[title] ?? 1);
    const flags = ["--seed", seed, "--runs", String(RUNS_MAX), ...args];
    const said = await this.program.runChanged(change, this.soak, ...flags);
    const [, caughtAt] = /^seed (\d+): /.exec(said[1]) ?? [];
    if (isWriting && caughtAt !== undefined) {
      this.seeds[title] = Number(caughtAt);
      writeFileSync(this.seedsFile, `${JSON.stringify(this.seeds, null, 2)}\n`);
    }
    return said;
  }
}
