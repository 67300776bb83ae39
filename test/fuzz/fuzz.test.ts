import { test } from "bun:test";
import { anySeed } from "../support/campaign.ts";
import { fuzz } from "./history.ts";

const seed = Number(process.env.FUZZ_SEED ?? anySeed());
const runs = Number(process.env.FUZZ_RUNS ?? 20_000);
const TIMEOUT_MS = 60_000;

test(
  `every reply is in step for ${runs} inputs, FUZZ_SEED=${seed}`,
  async () => {
    await fuzz(seed, runs);
  },
  TIMEOUT_MS,
);
