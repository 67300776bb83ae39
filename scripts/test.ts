/**
 * `bun run test`: all tests, several files at a time, and then, alone, those that look at how long something takes
 * (`*.timed.test.ts`). The status is 1 where one of them fails, or too little of src was run. Each step ends with the
 * counts of `bun test`.
 *
 * `bun run test:fast`: the unit tests, but for the longest with real stores, and one of each other kind, for
 * development; their coverage is not looked at.
 *
 * `bun run test ARGUMENT …`: one `bun test` with these arguments, be they parts of paths or flags.
 */

import { readFileSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import "../test/support/requirements.ts";
import { shortfalls } from "./coverage.ts";

const root = resolve(import.meta.dir, "..");
const TIMEOUT_MS = 30_000;
/** So many files at a time: most tests wait most of the time, for processes, disks and clocks. */
const SIDE_BY_SIDE = 2 * availableParallelism();
/** The unit tests wait more than the others. */
const UNITS_SIDE_BY_SIDE = 3 * availableParallelism();
/** How long each file takes, so that the longest are begun first; `--update-timings` writes it anew. */
const TIMINGS = "test/timings.json";

/** One of each kind, beside the unit tests. */
const samples = [
  "test/integration/process/transaction.test.ts",
  "test/integration/clients/bun.test.ts",
  "test/integration/documents/documents.test.ts",
  "test/campaigns/fuzz/fuzz.test.ts",
];

/** Unit tests that wait for stores and loads for seconds. */
const long = [
  "test/unit/cli/bench.test.ts",
  "test/unit/cli/cluster.test.ts",
  "test/unit/cluster/stores/etcd-node.test.ts",
  "test/unit/cluster/stores/going-back.test.ts",
];

const timed = ".timed.test.ts";
const sideBySide = (files: number) => [
  ...[`--parallel=${files}`, `--timings=${TIMINGS}`],
  `--path-ignore-patterns=**/*${timed}`,
];

let child: Bun.Subprocess | undefined;
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => child?.kill(signal));

/** Runs `bun test`; answers its exit status. */
async function run(...args: readonly string[]): Promise<number> {
  const command = [process.execPath, "test", "--timeout", String(TIMEOUT_MS), ...args];
  child = Bun.spawn(command, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  await child.exited;
  // Whoever wanted the step to end wants no further one.
  if (child.signalCode !== null) process.exit(1);
  return child.exitCode!;
}

/** What the unit tests run of src, in their own process. */
async function runUnit(...flags: readonly string[]): Promise<boolean> {
  const report = join(root, "coverage/lcov.info");
  rmSync(report, { force: true });
  const coverage = ["--coverage", "--coverage-reporter=lcov"];
  const status = await run("test/unit", ...sideBySide(UNITS_SIDE_BY_SIDE), ...coverage, ...flags);
  const short = shortfalls(readFileSync(report, "utf8"));
  for (const sentence of short) console.error(sentence);
  return status === 0 && short.length === 0;
}

async function runAll(...flags: readonly string[]): Promise<boolean> {
  const isUnitWell = await runUnit(...flags);
  const others = await run(
    "test/integration",
    "test/campaigns",
    ...sideBySide(SIDE_BY_SIDE),
    ...flags,
  );
  const alone = await run(timed);
  return isUnitWell && others === 0 && alone === 0;
}

const args = process.argv.slice(2);
const [first] = args;
let isWell: boolean;
if (first === undefined) isWell = await runAll();
else if (first === "--update-timings") isWell = await runAll(first);
else if (first === "--fast") {
  const left = long.map((file) => `--path-ignore-patterns=${file}`);
  isWell = (await run("test/unit", ...samples, ...sideBySide(UNITS_SIDE_BY_SIDE), ...left)) === 0;
  console.log(
    `left for bun run test: the other integration tests and campaigns, ${long.join(", ")}`,
  );
} else isWell = (await run(...args)) === 0;
process.exit(isWell ? 0 : 1);
