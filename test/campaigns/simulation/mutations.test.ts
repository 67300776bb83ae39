import { expect, test } from "bun:test";
import { Mutations } from "../../support/mutations.ts";
import { mutations } from "./mutations.ts";

const TIMEOUT_MS = 120_000;

/** What the soak says; an error that is none of an invariant comes with its name. */
const patterns = {
  invariant: /^seed \d+: (?!\w*(Error|Broken|CannotStart|Died): )/,
  SQLite: /^seed \d+: DiskBroken: /,
  start: /^seed \d+: CannotStart: .* is damaged: /,
  arithmetic: /^seed \d+: RangeError: /,
};

const program = new Mutations("campaigns/simulation", "support");

test.each(mutations)(
  "the simulation catches it when $title",
  async ({ title, caughtBy, ...change }) => {
    const said = await program.run(title, change);
    expect(said).toEqual([1, expect.stringMatching(patterns[caughtBy ?? "invariant"])]);
  },
  TIMEOUT_MS,
);
