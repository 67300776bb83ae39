import { expect, test } from "bun:test";
import { fromSource } from "../support/server.ts";
import { Rounds } from "./rounds.ts";

const SEED = Number(process.env.KILLS_SEED ?? Date.now() % 1_000_000_000);
const ROUNDS = 24;
const TIMEOUT_MS = 120_000;

/** The binary runs the same in a campaign: `bun run kills --program dist/number-dispenser`. */
test(
  `${ROUNDS} lives ended by SIGKILL and SIGTERM repeat nothing, seed ${SEED}`,
  async () => {
    const rounds = new Rounds(fromSource, SEED);
    for (let round = 0; round < ROUNDS; round++) await rounds.round();
    expect(rounds.numbers).toBeGreaterThan(1000);
  },
  TIMEOUT_MS,
);
