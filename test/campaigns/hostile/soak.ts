/**
 * `bun run hostile --scale 2`: all attacks, with so many times the clients or requests of the
 * tests, as a table. The status is 1 where a bound is broken.
 */

import { rmSync } from "node:fs";
import { temporaryRoot } from "../../../testkit/folder.ts";
import { soakArguments } from "../../support/arguments.ts";
import { attacks } from "./attacks.ts";
import { besiege } from "./siege.ts";

const MEBIBYTE = 1024 * 1024;
const GET_MS_MAX = 100;

const { scale } = soakArguments({ scale: 2 });
let isBroken = false;
console.log(
  "| attack | a GET, p99 ms | longest ms | memory grew by MiB | at most |\n|---|---|---|---|---|",
);
for (const attack of attacks) {
  const { p99, max, grewBy } = await besiege(attack, scale);
  const bound = attack.bytesMax;
  isBroken ||= max >= GET_MS_MAX || grewBy >= bound;
  const cells = [attack.name, p99.toFixed(1), max.toFixed(1)];
  cells.push((grewBy / MEBIBYTE).toFixed(0), (bound / MEBIBYTE).toFixed(0));
  console.log(`| ${cells.join(" | ")} |`);
}
rmSync(temporaryRoot, { recursive: true, force: true });
process.exit(isBroken ? 1 : 0);
