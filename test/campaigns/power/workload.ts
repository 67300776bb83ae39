/**
 * What clients do in a recorded life: all strategies and both types of lines under pipelines, a
 * line that runs out, definitions and strategies that change, and so many rows that the WAL is
 * moved into the main file while the server runs.
 */

import { strategyNames } from "../../../src/dispenser/strategy.ts";
import { TestClient } from "../../../testkit/resp.ts";

export interface Size {
  /** Rounds of each pipelining client. */
  readonly rounds: number;
  /** Whether to write the rows that let the WAL be moved. */
  readonly movesWal: boolean;
}

/** Lines that are taken together, a row each in the one commit. */
const WIDE_LINES = 210;
const DEFINED_TOGETHER = 15;
/** So many of these commits write more than the 4000 rows after which the WAL is moved. */
const WIDE_COMMITS = 22;

/** Definitions get a `starting` of their own, so that none is mistaken for the one before. */
let definitions = 0;
const ownStarting = () => String(1_000_000 + 1000 * definitions++);

/** Runs it against the server on this port. Its connections are left open. */
export async function runWorkload(port: number, { rounds, movesWal }: Size): Promise<void> {
  const changer = await TestClient.connect(port);
  for (const strategy of strategyNames) {
    await changer.command("HSET", strategy, "type", "3", "step", "3", "auto_disk", strategy);
  }
  const runsOut = ["type", "2", "length", "3", "starting", "989", "step", "2"];
  await changer.command("HSET", "runs-out", ...runsOut, "auto_disk", "pre-base");
  await changer.command("HSET", "fixed", "type", "2", "length", "9", "step", "7");
  const takers = [
    takeInPipelines(port, rounds, [...strategyNames, "runs-out"]),
    takeInPipelines(port, rounds, [...strategyNames, "fixed"].reverse()),
    takeOneByOne(port, rounds * 8, "elegant_close"),
  ];
  await changeThings(changer, Math.ceil(rounds / 4));
  if (movesWal) await takeWide(port);
  await Promise.all(takers);
}

async function takeInPipelines(port: number, rounds: number, names: string[]): Promise<void> {
  const client = await TestClient.connect(port);
  for (let round = 0; round < rounds; round++) {
    const gets = names.flatMap((name) => Array.from({ length: 7 }, () => ["GET", name]));
    await client.pipeline([...gets, ["MGET", "pre_close", "elegant_close"]]);
  }
}

async function takeOneByOne(port: number, count: number, name: string): Promise<void> {
  const client = await TestClient.connect(port);
  for (let taken = 0; taken < count; taken++) await client.command("GET", name);
}

/** One client, one request after the other: the same calls each time, to count a fault by. */
export async function runInOrder(port: number): Promise<void> {
  const client = await TestClient.connect(port);
  for (const strategy of strategyNames) {
    await client.command("HSET", strategy, "type", "3", "auto_disk", strategy);
  }
  // How often a line of pre-base reserves depends on the rate from its second number on.
  const steady = strategyNames.filter((strategy) => strategy !== "pre-base");
  const takeAll = async (rounds: number) => {
    await client.command("GET", "pre-base");
    for (let round = 0; round < rounds; round++) {
      for (const strategy of steady) await client.command("GET", strategy);
    }
  };
  await takeAll(5);
  await takeWide(port);
  await takeAll(5);
}

async function takeWide(port: number): Promise<void> {
  const client = await TestClient.connect(port);
  const names = Array.from({ length: WIDE_LINES }, (_, index) => `wide:${index}`);
  // So few at a time that they surely share a turn, and with it a commit.
  for (let from = 0; from < WIDE_LINES; from += DEFINED_TOGETHER) {
    const some = names.slice(from, from + DEFINED_TOGETHER);
    await client.pipeline(some.map((name) => ["HSET", name, "type", "3"]));
  }
  for (let commit = 0; commit < WIDE_COMMITS; commit++) await client.command("MGET", ...names);
}

/** Definitions made, deleted and made again, advanced, and led through all strategies. */
async function changeThings(client: TestClient, rounds: number): Promise<void> {
  const gets = (name: string) => Array.from({ length: 25 }, () => ["GET", name]);
  await client.command("HSET", "switched", "type", "3", "starting", ownStarting());
  for (let round = 0; round < rounds; round++) {
    const passing = ["HSET", "passing", "type", "3", "reuse", "yes", "starting"];
    await client.command(...passing, ownStarting());
    await client.pipeline([...gets("passing"), ["ADVANCE", "passing", "9000000", "FORCE"]]);
    await client.pipeline(gets("passing"));
    for (const strategy of strategyNames) {
      const words = ["HSET", "switched", "auto_disk", strategy];
      const reuse = strategy === "memory" ? ["reuse", "yes"] : [];
      await client.pipeline([[...words, ...reuse], ...gets("switched")]);
    }
    await client.pipeline([
      ["DEL", "passing"],
      [...passing, ownStarting(), "auto_disk", "pre_close"],
      ...gets("passing"),
    ]);
    // Deleted and defined again it is one line, which goes on.
    const returning = ["HSET", "returning", "type", "3", "auto_disk"];
    for (const strategy of ["elegant_close", "pre_close", "pre-base"]) {
      await client.pipeline([[...returning, strategy], ...gets("returning"), ["DEL", "returning"]]);
    }
    if (round % 2 === 0 || round + 1 < rounds) await client.command("DEL", "passing");
  }
}
