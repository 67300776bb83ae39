import { expect, test } from "bun:test";
import { Mutations } from "../../support/mutations.ts";
import { clusterMutations } from "./mutations.ts";

const TIMEOUT_MS = 120_000;

/** What the soak says where a number came twice or out of order, and where something else is wrong. */
const patterns = {
  invariant: /^seed \d+: [^\n]*( came twice| after \d+)$/m,
  "another check": /^seed \d+: /,
};

const folder = "campaigns/cluster-simulation";
const program = new Mutations(folder, "campaigns/simulation", "support");

test.each(clusterMutations)(
  "the simulated cluster catches it when $title",
  async ({ title, caughtBy, subject = "everything", ...change }) => {
    const said = await program.run(title, change, "--subject", subject);
    expect(said).toEqual([1, expect.stringMatching(patterns[caughtBy ?? "invariant"])]);
  },
  TIMEOUT_MS,
);
