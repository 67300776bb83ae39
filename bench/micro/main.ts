/**
 * What do the parts of a GET cost, and all of them together? Each group in bench/micro/ states its
 * question. All use the real engine on a real store without sockets; bench/compare/main.ts has
 * those.
 *
 * `bun run bench` runs all groups, `bun run bench decode` only those whose name begins so. With
 * BENCH_SMALL=1, as in the tests, each is called a few times only.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "mitata";
import { isSmall } from "../support/flags.ts";
import { InProcess } from "../support/in-process.ts";
import { benchChecks } from "./checks.ts";
import { benchCommit } from "./commit.ts";
import { benchDecode } from "./decode.ts";
import { benchEncode } from "./encode.ts";
import { benchEndToEnd } from "./end-to-end.ts";
import { benchNames } from "./names.ts";
import { benchTake } from "./take.ts";
import { benchCodes, benchFormats } from "./written.ts";

const folder = mkdtempSync(join(tmpdir(), "number-dispenser-bench-"));
const server = new InProcess(join(folder, "data"));
const wanted = process.argv[2] ?? "";

const groups: Record<string, () => void> = {
  decode: benchDecode,
  take: () => benchTake(server.engine),
  names: benchNames,
  encode: benchEncode,
  codes: benchCodes,
  formats: benchFormats,
  checks: benchChecks,
  commit: () => benchCommit(server.engine),
  end: () => benchEndToEnd(server),
};
const chosen = Object.keys(groups).filter((name) => name.startsWith(wanted));
if (chosen.length === 0) {
  console.error(`usage: bun run bench [${Object.keys(groups).join(" | ")}]`);
  process.exit(2);
}
for (const name of chosen) groups[name]!();
if (!isSmall) await run({ throw: true });
server.close();
rmSync(folder, { recursive: true });
