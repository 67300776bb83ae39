import { expect, test } from "bun:test";

import { ProgramCopy } from "../../support/program-copy.ts";
import { fuzzMutations } from "./mutations.ts";

const RUNS = 20_000;
const TIMEOUT_MS = 60_000;
const program = new ProgramCopy("campaigns/fuzz", "campaigns/simulation", "support");

test.each(fuzzMutations)(
  "the fuzzer catches it when $title",
  async ({ caught, ...change }) => {
    const args = ["--seed", "1", "--runs", String(RUNS)];
    const said = await program.runChanged(change, "test/campaigns/fuzz/soak.ts", ...args);
    expect(said).toEqual([1, expect.stringMatching(caught)]);
  },
  TIMEOUT_MS,
);
