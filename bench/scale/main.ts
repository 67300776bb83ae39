/**
 * Does it stay as fast and as small with a million dispensers, ten thousand connections, a billion
 * numbers of one line? How long does it take to start, and what does it cost when nobody asks?
 *
 * bun run bench:scale [-parts starts,idle,dispensers,connections,lines] [-dispensers 1000000]
 *   [-strategies pre_close,pre-base,memory,elegant_close] [-programs source,binary]
 *   [-connections 10000] [-rounds 3] [-numbers 100000000] [-day 1000000000]
 *
 * Each part is a file in bench/scale/. Needs redis-benchmark and Linux. A run with all flags at
 * their defaults takes about eight minutes and writes its part of docs/PERFORMANCE.md; any other
 * only prints. With BENCH_SMALL=1, as in the tests, it measures a thousand dispensers, fifty
 * connections, and only the source.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { strategyNames } from "../../src/dispenser/strategy.ts";
import type { Spread } from "../support/figures.ts";
import { Flags, isSmall, requireTools } from "../support/flags.ts";
import { describeMachine } from "../support/machine.ts";
import { docs, Report, whole, writeBetweenMarkers } from "../support/page.ts";
import { TICK_MS } from "../support/process.ts";
import { buildBinary, fromSource } from "../support/servers.ts";
import { type Crowded, measureCrowd } from "./connections.ts";
import { emptyBytes, fill, measureLives } from "./dispensers.ts";
import { type Idle, measureIdle } from "./idle.ts";
import { measureLine, type Tenth } from "./long-line.ts";
import * as tables from "./report.ts";
import { measureStarts, type Program } from "./start.ts";

const partNames = ["starts", "idle", "dispensers", "connections", "lines"] as const;
const flags = new Flags("bench:scale", {
  parts: partNames.join(","),
  dispensers: isSmall ? "1000" : "1000000",
  strategies: isSmall ? "pre_close" : "pre_close,pre-base,memory,elegant_close",
  programs: isSmall ? "source" : "source,binary",
  connections: isSmall ? "50" : "10000",
  rounds: isSmall ? "1" : "3",
  numbers: isSmall ? "100000" : "100000000",
  day: isSmall ? "100000" : "1000000000",
});
const parts = flags.words("parts", partNames);
const strategies = flags.words("strategies", strategyNames);
const [dispensers, connections] = [flags.count("dispensers"), flags.count("connections")];
const [rounds, numbers, day] = [flags.count("rounds"), flags.count("numbers"), flags.count("day")];

const STARTS = isSmall ? 2 : 20;
const [SETTLE_MS, WATCH_MS] = isSmall ? [100, 200] : [2000, 10_000];
const CROWD_REQUESTS = isSmall ? 500 : 100_000;
const sizes = {
  dispensers,
  rounds,
  settleMs: SETTLE_MS!,
  cpuSeconds: isSmall ? 0 : 0.6,
  secondsMax: 4,
};
/** The limits for a million dispensers and for an idle server. */
const START_MS_MAX = 3000;
const STOP_MS_MAX = 2000;
const BYTES_EACH_MAX = 600;
const SPREAD_RATIO_MIN = 0.6;
const IDLE_MEBIBYTES_MAX = 60;
/** One clock tick, because less cannot be told from none. */
const IDLE_CPU_MS_MAX = 10;
/** The largest ratio of costs that counts as no growth, because of noise. */
const COST_RATIO_MAX = 1.15;

requireTools("redis-benchmark");
const folder = mkdtempSync(join(tmpdir(), "number-dispenser-scale-"));
const programs: readonly Program[] = flags
  .words("programs", ["source", "binary"])
  .map((title) => ({ title, words: title === "source" ? fromSource : buildBinary(folder) }));
const report = new Report();
const targets: tables.Target[] = [];

async function eachProgram<T>(measure: (program: Program) => Promise<T>): Promise<Map<string, T>> {
  const measured = new Map<string, T>();
  for (const program of programs) measured.set(program.title, await measure(program));
  return measured;
}

async function reportStarts(): Promise<void> {
  const starts = await eachProgram<Spread>((program) => measureStarts(program, folder, STARTS));
  report.add(`Start-up: ${STARTS} starts, median (range)`, tables.startsTable(starts));
}

async function reportIdle(): Promise<void> {
  const measured = await eachProgram<Idle>((program) =>
    measureIdle(program, folder, SETTLE_MS!, WATCH_MS!),
  );
  for (const [title, { ticks, bytes }] of measured) {
    targets.push(tables.atMost(`${title}, idle, CPU time`, IDLE_CPU_MS_MAX, ticks * TICK_MS, "ms"));
    targets.push(tables.atMost(`${title}, idle`, IDLE_MEBIBYTES_MAX, bytes / 2 ** 20, "MiB"));
  }
  report.add("Idle", tables.idleTable(measured, WATCH_MS!));
}

async function reportDispensers(): Promise<void> {
  const all: tables.NamedLives[] = [];
  for (const program of programs) {
    const empty = await emptyBytes(program, join(folder, "empty"), SETTLE_MS!);
    // One strategy shows what the binary changes.
    for (const strategy of program === programs[0] ? strategies : strategies.slice(0, 1)) {
      const dataDir = join(folder, "filled");
      fill(dataDir, dispensers, strategy);
      const title = `\`${strategy}\`, ${program.title}`;
      const lives = await measureLives(program, dataDir, empty, sizes);
      rmSync(dataDir, { recursive: true });
      all.push({ title, ...lives });
      targets.push(
        tables.atMost(`${title}: start`, START_MS_MAX, lives.startMs, "ms"),
        tables.atMost(`${title}: clean stop`, STOP_MS_MAX, lives.stopMs, "ms"),
        tables.atMost(`${title}: each, started`, BYTES_EACH_MAX, lives.bytesAtStart, "bytes"),
        tables.atMost(`${title}: each, in use`, BYTES_EACH_MAX, lives.bytesInUse, "bytes"),
        tables.atLeast(
          `${title}: GET over all to one name, per CPU-second`,
          SPREAD_RATIO_MIN,
          lives.ratioPerCpuSecond,
        ),
      );
    }
  }
  report.add(`${whole(dispensers)} dispensers`, tables.livesTable(all));
  report.add(`GET over ${whole(dispensers)} dispensers`, tables.spreadTable(all));
}

async function reportConnections(): Promise<void> {
  const measured = await eachProgram<Crowded>((program) =>
    measureCrowd(program, folder, connections, rounds, CROWD_REQUESTS),
  );
  for (const [title, { costRatio }] of measured) {
    const cost = 1 / costRatio;
    const what = `${title}: GET of the busy among ${whole(connections)} connections to alone`;
    targets.push(tables.atLeast(`${what}, per CPU-second`, 1 / COST_RATIO_MAX, cost));
  }
  report.add(
    `${whole(connections)} connections, 1 % of them busy`,
    tables.crowdTable(measured, connections),
  );
}

function reportLines(): void {
  const lines = new Map<string, readonly Tenth[]>([
    [`${whole(numbers)} for real`, measureLine("real", numbers, join(folder, "line"))],
    [`${whole(day)}, a day, simulated`, measureLine("simulated", day, folder)],
  ]);
  report.add("A long line", tables.linesTable(lines));
}

try {
  if (parts.includes("starts")) await reportStarts();
  if (parts.includes("idle")) await reportIdle();
  if (parts.includes("dispensers")) await reportDispensers();
  if (parts.includes("connections")) await reportConnections();
  if (parts.includes("lines")) reportLines();
  report.add("Reached or not", tables.targetsTable(targets));
  report.add("Machine", describeMachine(folder));
  if (flags.areDefaults && !isSmall) {
    writeBetweenMarkers(join(docs, "PERFORMANCE.md"), "scale", report.text);
  }
} finally {
  rmSync(folder, { recursive: true });
}
