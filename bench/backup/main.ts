/**
 * How long do other clients wait while BACKUP copies a large database? One client takes numbers
 * from memory, one at a time, and another takes durable numbers, with and without a backup in turn.
 *
 * bun run bench:backup [-dispensers 200000] [-rounds 3]
 */

import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ServerProcess } from "../../testkit/process.ts";
import { TestClient } from "../../testkit/resp.ts";
import { Flags, isSmall } from "../support/flags.ts";

const DEFINED_AT_ONCE = 1000;
const GETS_MIN = 2000;

const flags = new Flags("bench:backup", {
  dispensers: isSmall ? "2000" : "200000",
  rounds: isSmall ? "1" : "3",
});
const [dispensers, rounds] = [flags.count("dispensers"), flags.count("rounds")];

const folder = mkdtempSync(join(tmpdir(), "number-dispenser-bench-"));
const server = await ServerProcess.start({ dataDir: join(folder, "data") });
const [measuring, durable, administrator] = (await Promise.all(
  [1, 2, 3].map(() => TestClient.connect(server.port)),
)) as [TestClient, TestClient, TestClient];

async function define(): Promise<void> {
  for (let from = 0; from < dispensers; from += DEFINED_AT_ONCE) {
    const count = Math.min(DEFINED_AT_ONCE, dispensers - from);
    const names = Array.from({ length: count }, (_, index) => `order:line:${from + index}`);
    await administrator.pipeline(names.map((name) => ["HSET", name, "type", "3"]));
    await administrator.command("MGET", ...names);
  }
  await administrator.command("HSET", "memory", "type", "3", "auto_disk", "memory");
}

/** The sorted latencies, in milliseconds, of GETs while `work` is under way, and at least some. */
async function latencies(work: Promise<unknown>): Promise<number[]> {
  let isDone = false;
  void work.then(() => {
    isDone = true;
  });
  const taken: number[] = [];
  const writes = (async () => {
    while (!isDone || taken.length < GETS_MIN) await durable.command("GET", "order:line:0");
  })();
  while (!isDone || taken.length < GETS_MIN) {
    const began = performance.now();
    await measuring.command("GET", "memory");
    taken.push(performance.now() - began);
  }
  await writes;
  return taken.sort((a, b) => a - b);
}

const at = (sorted: readonly number[], share: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!.toFixed(2).padStart(7);

await define();
const file = join(folder, "backup.db");
console.log(
  `${dispensers} dispensers; ms of a memory GET beside a durable one:    p50     p99     max`,
);
for (let round = 0; round < rounds; round++) {
  for (const isBackup of [false, true]) {
    rmSync(file, { force: true });
    const began = performance.now();
    let tookMs = 0;
    const backUp = async () => {
      const reply = await administrator.command("BACKUP", file);
      if (reply !== "OK") throw new Error(String(reply));
      tookMs = performance.now() - began;
    };
    const sorted = await latencies(isBackup ? backUp() : Promise.resolve());
    const mebibytes = ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) / 2 ** 20).toFixed(1);
    const what = isBackup ? `BACKUP of ${mebibytes} MiB in ${tookMs.toFixed(0)} ms` : "no backup";
    console.log(`${what.padEnd(58)} ${at(sorted, 0.5)} ${at(sorted, 0.99)} ${at(sorted, 1)}`);
  }
}
await server.end("SIGTERM");
rmSync(folder, { recursive: true, force: true });
process.exit(0);
