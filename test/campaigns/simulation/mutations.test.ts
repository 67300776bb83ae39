import { expect, test } from "bun:test";
import { ProgramCopy } from "../../support/program-copy.ts";
import { mutations } from "./mutations.ts";

const RUNS_MAX = 3000;
const TIMEOUT_MS = 120_000;

/** What the campaign says; an error that is not the law's comes with its name. */
const patterns = {
  law: /^seed \d+: (?!\w*(Error|Broken|CannotStart|Died): )/,
  SQLite: /^seed \d+: DiskBroken: /,
  start: /^seed \d+: CannotStart: .* is damaged: /,
  arithmetic: /^seed \d+: RangeError: /,
};

const program = new ProgramCopy("campaigns/simulation", "support");

test.each(mutations)(
  "the simulation catches it when $title",
  async ({ file, find, replace, caughtBy }) => {
    const change = { file, find, replace };
    const args = ["--seed", "1", "--runs", String(RUNS_MAX)];
    const said = await program.runChanged(change, "test/campaigns/simulation/campaign.ts", ...args);
    const caught = patterns[caughtBy ?? "law"];
    expect(said).toEqual([1, expect.stringMatching(caught)]);
  },
  TIMEOUT_MS,
);
