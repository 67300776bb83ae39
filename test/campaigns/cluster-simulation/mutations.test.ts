import { expect, test } from "bun:test";
import { ProgramCopy } from "../../support/program-copy.ts";
import { clusterMutations } from "./mutations.ts";

const RUNS_MAX = 2000;
const TIMEOUT_MS = 120_000;

/** What the campaign says where a number came twice or out of order, and where something else is wrong. */
const patterns = {
  law: /^seed \d+: [^\n]*( came twice| after \d+)$/m,
  "another check": /^seed \d+: /,
};

const program = new ProgramCopy("campaigns/cluster-simulation", "campaigns/simulation", "support");

test.each(clusterMutations)(
  "the simulated cluster catches it when $title",
  async ({ file, find, replace, caughtBy, subject = "everything" }) => {
    const change = { file, find, replace };
    const args = ["--seed", "1", "--runs", String(RUNS_MAX), "--subject", subject];
    const said = await program.runChanged(
      change,
      "test/campaigns/cluster-simulation/soak.ts",
      ...args,
    );
    expect(said).toEqual([1, expect.stringMatching(patterns[caughtBy ?? "law"])]);
  },
  TIMEOUT_MS,
);
