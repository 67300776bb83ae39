/**
 * Power cuts: `bun run power --cuts 50 --seed 1`. Each life of the real
 * server begins on what the cut before left, so that harm adds up; every life is also cut at
 * further instants, which are recovered and looked at, but not lived on.
 */

import { rmSync } from "node:fs";
import { temporaryRoot } from "../../../testkit/folder.ts";
import { randomFrom } from "../../../testkit/prng.ts";
import { anySeed, soakArguments } from "../../support/arguments.ts";
import {
  type CutOptions,
  cutPower,
  materialise,
  record,
  recover,
  replay,
  sampleInstants,
} from "./cuts.ts";
import { Disk, type Image } from "./disk.ts";
import { Ledger } from "./ledger.ts";
import { tracingMissing } from "./strace.ts";
import { runWorkload } from "./workload.ts";

/** Each so manieth life moves its WAL while it runs, or is stopped and started in between. */
const EVERY_WAL_MOVED = 3;
const EVERY_RESTARTED = 4;

export interface SoakOptions {
  /** Cuts after which the real server goes on; each is one life. */
  readonly cuts: number;
  /** Further instants of each life to cut at. */
  readonly instantsPerLife: number;
  readonly seed: number;
}

export interface SoakResult {
  cuts: number;
  recoveries: number;
  syncs: number;
  acknowledged: number;
}

/** Runs one. Throws an Error that names the seed where something is lost or repeated. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const { cuts, instantsPerLife, seed } = options;
  const result = { cuts: 0, recoveries: 0, syncs: 0, acknowledged: 0 };
  const random = randomFrom(seed);
  let image: Image;
  let ledger = new Ledger();
  for (let life = 0; life < cuts; life++) {
    const lifeSeed = Math.floor(random() * 2 ** 31);
    const events = await recordLife(image, life);
    // Two replays: one that looks at many instants, one that stops where this life is to end.
    const begin = (): CutOptions => ({
      events,
      disk: new Disk(image),
      ledger: ledger.clone(),
      seed: lifeSeed,
    });
    try {
      const counts = cutPower(begin(), sampleInstants(events, instantsPerLife, lifeSeed));
      const last = begin();
      image = cutLife(last, random);
      result.acknowledged += last.ledger.acknowledged;
      ledger = last.ledger;
      recover(image, (engine) => {
        ledger.check(engine, false);
        ledger.beginLife(engine);
      });
      result.cuts += 1 + counts.instants;
      result.recoveries += 1 + counts.recoveries;
      result.syncs += counts.syncs;
    } catch (error) {
      const what = (error as Error).message;
      throw new Error(`seed ${seed}, life ${life + 1}: ${what}`, { cause: error });
    }
  }
  return result;
}

async function recordLife(image: Image, life: number) {
  const size = { rounds: 8, movesWal: life % EVERY_WAL_MOVED === 0 };
  const isRestarted = life % EVERY_RESTARTED === 1;
  const run = (server: { port: number }) => runWorkload(server.port, size);
  const first = { run, signal: isRestarted ? ("SIGTERM" as const) : ("SIGKILL" as const) };
  const lives = isRestarted ? [first, { run, signal: "SIGTERM" as const }] : [first];
  return record(materialise(image), lives);
}

/** Ends a life at an instant in its later half, or in its start, and answers what is left. */
function cutLife(options: CutOptions, random: () => number): Image {
  const { length } = options.events;
  const inStart = random() < 0.2;
  const instant = Math.floor(inStart ? random() * 100 : length * (0.5 + random() / 2));
  replay(options, Math.min(instant, length - 1));
  return options.disk.survivors(random() < 0.3 ? "synced" : random);
}

async function main(): Promise<number> {
  if (tracingMissing !== undefined) return 1;
  const given = soakArguments({ seed: anySeed(), cuts: 50, instants: 30 });
  const { seed, cuts, instants: instantsPerLife } = given;
  console.log(`seed ${seed}: ${cuts} lives, each cut at ${instantsPerLife} further instants`);
  const began = performance.now();
  try {
    const result = await soak({ cuts, instantsPerLife, seed });
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    console.log(
      `nothing repeated, nothing lost: ${cuts} lives, ${result.cuts} power cuts, ` +
        `${result.recoveries} recoveries, ${result.syncs} syncs, ` +
        `${result.acknowledged} numbers acknowledged, ${seconds} s, seed ${seed}`,
    );
    return 0;
  } catch (error) {
    console.error(error);
    return 1;
  } finally {
    rmSync(temporaryRoot, { recursive: true, force: true });
  }
}

if (import.meta.main) process.exit(await main());
