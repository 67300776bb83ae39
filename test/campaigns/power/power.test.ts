/** Numbers survive power cuts: the real server, its real file, and a disk that loses its cache. */

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { temporaryFolder } from "../../../testkit/folder.ts";
import { cutPower, record, sampleInstants } from "./cuts.ts";
import { Disk } from "./disk.ts";
import { Ledger } from "./ledger.ts";
import { soak } from "./soak.ts";
import { tracingMissing } from "./strace.ts";
import { runWorkload } from "./workload.ts";

const SEED = Number(process.env.POWER_SEED ?? 1);

describe.skipIf(tracingMissing !== undefined)(`power cuts, POWER_SEED=${SEED}`, () => {
  test("anywhere in two lives with a clean stop between them lose and repeat nothing", async () => {
    const dataDir = join(temporaryFolder(), "data");
    const events = await record(dataDir, [
      { run: ({ port }) => runWorkload(port, { rounds: 20, movesWal: true }), signal: "SIGTERM" },
      { run: ({ port }) => runWorkload(port, { rounds: 5, movesWal: false }), signal: "SIGKILL" },
    ]);
    const ledger = new Ledger();
    const options = { events, disk: new Disk(undefined), ledger, seed: SEED };
    const counts = cutPower(options, sampleInstants(events, 90, SEED));
    // Else something was left out: the moves of the WAL, or the replies.
    expect(counts.instants).toBeGreaterThan(80);
    expect(counts.syncs).toBeGreaterThan(200);
    expect(ledger.acknowledged).toBeGreaterThan(5000);
  });

  test("one after another, each life beginning on what the last cut left, do no harm", async () => {
    const result = await soak({ cuts: 3, instantsPerLife: 9, seed: SEED });
    expect(result.cuts).toBeGreaterThanOrEqual(20);
    expect(result.acknowledged).toBeGreaterThan(1000);
  });

  test("while the database is made, at each instant, leave one that is started from", async () => {
    const dataDir = join(temporaryFolder(), "data");
    const events = await record(dataDir, [{ run: async () => {}, signal: "SIGKILL" }]);
    const options = { events, disk: new Disk(undefined), ledger: new Ledger(), seed: SEED };
    const counts = cutPower(options, new Set(events.keys()));
    expect(counts.instants).toBe(events.length);
    expect(events.map(({ kind }) => kind)).toContain("link");
  });
});
