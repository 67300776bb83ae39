/**
 * `bun run hostile --scale 2`: all attacks, with so many times the clients or requests that were
 * once found to do harm, as a table; `--only TEXT` runs those whose names have it. The status is 1
 * where a bound is broken.
 */

import { rmSync } from "node:fs";
import { temporaryRoot } from "../../../testkit/folder.ts";
import { endAll } from "../../../testkit/process.ts";
import { soakArguments } from "../../support/arguments.ts";
import { attacks } from "./attacks.ts";
import { bestOf, GET_MS_MAX, LOG_IN_MS_MAX } from "./siege.ts";

const MEBIBYTE = 1024 * 1024;
const TRIES = 3;

const { scale, text: only = "" } = soakArguments({ scale: 2 }, "only");
let isBroken = false;
console.log(
  "| attack | s | GETs | p99 ms | longest ms | durable GETs | p99 ms | longest ms | log-ins | p99 ms | longest ms | process MiB | held |\n" +
    "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
);
for (const attack of attacks.filter(({ name }) => name.includes(only))) {
  try {
    const { ahead, durable, arrivals, peakBytes, seconds } = await bestOf(TRIES, attack, scale);
    const isHeld = ahead.max < GET_MS_MAX && arrivals.max < LOG_IN_MS_MAX;
    isBroken ||= !isHeld;
    const waits = [ahead, durable, arrivals].flatMap(({ count, p99, max }) => [
      ...[String(count), p99.toFixed(1), max.toFixed(1)],
    ]);
    const cells = [seconds.toFixed(1), ...waits, (peakBytes / MEBIBYTE).toFixed(0)];
    console.log(`| ${[attack.name, ...cells, isHeld ? "yes" : "no"].join(" | ")} |`);
  } catch (error) {
    isBroken = true;
    console.log(
      `| ${attack.name} | ${(error as Error).message.replaceAll("\n", " ").slice(0, 1500)} |`,
    );
    endAll();
  }
}
rmSync(temporaryRoot, { recursive: true, force: true });
process.exit(isBroken ? 1 : 0);
