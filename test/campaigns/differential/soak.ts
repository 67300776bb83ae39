/**
 * `bun run differential --seed S --runs N`: generated streams to redis-server and to this server,
 * from seed S on. Shows the first few on which they differ; the status is then 1.
 */

import { rmSync } from "node:fs";
import { temporaryRoot } from "../../../testkit/folder.ts";
import { anySeed, soakArguments } from "../../support/arguments.ts";
import { compareAll, isSame, report } from "./compare.ts";
import { generate } from "./generate.ts";
import { startServers, whyNot } from "./servers.ts";

/** So many streams are generated at a time. */
const BATCH = 1000;
const SHOWN_MAX = 10;

const { seed: first, runs } = soakArguments({ seed: anySeed(), runs: 10_000 });
if (whyNot !== undefined) {
  console.error(whyNot);
  process.exit(1);
}
console.log(`${runs} streams from seed ${first} on`);
const began = performance.now();
const servers = await startServers();
let differing = 0;
for (let from = 0; from < runs && differing < SHOWN_MAX; from += BATCH) {
  const count = Math.min(BATCH, runs - from);
  const streams = Array.from({ length: count }, (_, index) => generate(first + from + index));
  const results = await Promise.all(compareAll(Promise.resolve(servers), streams));
  for (const [index, compared] of results.entries()) {
    if (isSame(compared)) continue;
    differing++;
    if (differing <= SHOWN_MAX) console.error(`${report(streams[index]!, compared)}\n`);
  }
}
await servers.stop();
rmSync(temporaryRoot, { recursive: true, force: true });
const seconds = ((performance.now() - began) / 1000).toFixed(1);
console.log(`${differing === 0 ? "the same" : `${differing} differ`} (${seconds} s)`);
if (differing > 0) console.log("replay one: bun run differential --runs 1 --seed (its number)");
process.exit(differing === 0 ? 0 : 1);
