/**
 * How much does a stop of the server waste, at every length of life and every rate of requests, and
 * does a pre mode stay off the disk? It runs lives of 1 to 10^7 numbers in simulated time, with the
 * real engine, each ended by a crash and by a clean close; then steady traffic, simulated and
 * against the real server. It fails if a promise of the contract is broken.
 *
 * `bun run bench:waste` takes some minutes and writes docs/WASTE.md and docs/waste.svg. With
 * BENCH_SMALL=1, as in the tests, lives are short, the real server runs a moment, and no file is
 * written.
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { isSmall } from "../support/flags.ts";
import { docs, markdownTable, Report, whole, writeBetweenMarkers } from "../support/page.ts";
import { patterns, rates } from "./arrivals.ts";
import { type ByRate, curvesOf, worstOf } from "./curves.ts";
import {
  BoundBroken,
  bounds,
  type Measured,
  measuredStrategies,
  measureLife,
  measureMixed,
  measureSteady,
  preModes,
  STEADY_FROM_MS,
} from "./measure.ts";
import { measureFullSpeed, measurePaced, type PacedFigures, setRealTime } from "./paced.ts";
import { pacedTable, percent } from "./page.ts";
import { wastedByOneSegment, wastedByTwoSegments } from "./peers.ts";
import { drawPicture } from "./picture.ts";

const LIVES = isSmall ? [1, 5, 10, 100, 1000] : [1, 5, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7];
const MIXED_LIVES = isSmall ? [5, 100] : [5, 19, 20, 100, 1e3, 1e4, 1e5];
const CLEAN_STOPS = 99;
const MIXED_SHARE_MAX = 0.001;
const STEADY_RATE_MAX = isSmall ? 1000 : rates.at(-1)!.perSecond;
const STEADY_NUMBERS = isSmall ? 3000 : 100_000;
/**
 * How many rates per decade are measured: also between those of the table, where rounding matters.
 */
const STEADY_RATES_PER_DECADE = isSmall ? 1 : 8;
const COMMITS_PER_SECOND_MAX = 100;
const HELD_MAX = 0.001;
const HELD_RATE_MAX = 1000;
const PACED_RATES = [10, 100, 1000];
/** The most that a load may be late; past it, its clump is larger than the promises cover. */
const LATE_MS_MAX = 10;
const FULL_SPEED_DEPTHS = [1, 16];
const PACED_MS = 20_000;
const FULL_SPEED_MS = 5000;
const SMALL_MS = 300;

const broken: string[] = [];
const report = new Report();

/** The waste of each strategy and length of life at each rate, at the worst pattern. */
function measureLives(): Map<Measured, ByRate[]> {
  const measured = new Map<Measured, ByRate[]>();
  for (const strategy of measuredStrategies) {
    measured.set(
      strategy,
      LIVES.map((numbers) => {
        const byRate = rates.map(({ title, perSecond }) => {
          const lives = Object.entries(patterns).map(([pattern, arrivals]) => {
            try {
              return measureLife(strategy, arrivals(perSecond), numbers);
            } catch (error) {
              if (!(error instanceof BoundBroken)) throw error;
              broken.push(
                `${strategy}, ${numbers} numbers, ${title}, ${pattern}: ${error.message}`,
              );
              return { crashWorst: 1, crashMedian: 1, close: 1 };
            }
          });
          return [title, worstOf(lives)] as const;
        });
        return new Map(byRate);
      }),
    );
  }
  return measured;
}

function reportLives(measured: ReadonlyMap<Measured, readonly ByRate[]>): void {
  const figures = (strategy: Measured, life: number) =>
    worstOf([...measured.get(strategy)![life]!.values()]);
  report.add(
    "By length of life: crash at worst (median) / clean close",
    markdownTable(
      ["numbers handed out", ...measuredStrategies.map((strategy) => `\`${strategy}\``)],
      [
        ...LIVES.map((numbers, life) => [
          whole(numbers),
          ...measuredStrategies.map((strategy) => {
            const { crashWorst, crashMedian, close } = figures(strategy, life);
            return `${percent(crashWorst)} (${percent(crashMedian)}) / ${percent(close)}`;
          }),
        ]),
        [
          "bound",
          ...measuredStrategies.map((strategy) => {
            return `${percent(bounds[strategy].crash)} / ${percent(bounds[strategy].close)}`;
          }),
        ],
      ],
    ),
  );
  for (const strategy of ["pre_close", "pre-base"] as const) {
    report.add(
      `By rate: \`${strategy}\`, crash at worst`,
      markdownTable(
        ["rate", ...LIVES.map((numbers) => whole(numbers))],
        rates.map(({ title }) => [
          title,
          ...LIVES.map((_, life) => percent(measured.get(strategy)![life]!.get(title)!.crashWorst)),
        ]),
      ),
    );
  }
  report.add(
    "Generators of whole segments, step 1000: computed, not measured",
    markdownTable(
      ["numbers handed out", ...LIVES.map((numbers) => whole(numbers))],
      [
        ["one segment lost", ...LIVES.map((numbers) => percent(wastedByOneSegment(numbers)))],
        [
          "the next one fetched early and lost too",
          ...LIVES.map((numbers) => percent(wastedByTwoSegments(numbers))),
        ],
      ],
    ),
  );
}

function reportMixed(): void {
  const rows = MIXED_LIVES.map((numbers) => {
    const shares = rates.flatMap(({ title, perSecond }) =>
      Object.entries(patterns).map(([pattern, arrivals]) => {
        const share = measureMixed(() => arrivals(perSecond), numbers, CLEAN_STOPS);
        if (share < MIXED_SHARE_MAX) return share;
        broken.push(`mixed lives of ${numbers}, ${title}, ${pattern}: ${percent(share)} wasted`);
        return share;
      }),
    );
    return [whole(numbers), percent(Math.max(...shares)), percent(MIXED_SHARE_MAX)];
  });
  report.add(
    `\`pre_close\`, ${CLEAN_STOPS} clean stops and 1 crash: wasted of all numbers, worst of all rates`,
    markdownTable(["numbers in each life", "wasted", "must be below"], rows),
  );
}

function reportSteady(): void {
  const { log10 } = Math;
  const [slowest, fastest] = [rates[0]!.perSecond, STEADY_RATE_MAX];
  const steps = Math.round((log10(fastest) - log10(slowest)) * STEADY_RATES_PER_DECADE);
  const rows = preModes.map((strategy) => {
    let [commits, held] = [0, 0];
    for (let step = 0; step <= steps; step++) {
      const perSecond = slowest * (fastest / slowest) ** (step / steps);
      for (const [pattern, arrivals] of Object.entries(patterns)) {
        const steady = measureSteady(strategy, arrivals(perSecond), perSecond, STEADY_NUMBERS);
        commits = Math.max(commits, steady.commitsPerSecond);
        if (perSecond <= HELD_RATE_MAX) held = Math.max(held, steady.held);
        const where = `${strategy}, ${perSecond.toFixed(2)} a second, ${pattern}`;
        checkSteady(where, perSecond, steady.commitsPerSecond, steady.held);
      }
    }
    return [`\`${strategy}\``, whole(commits), percent(held)];
  });
  report.add(
    `Steady traffic at ${steps + 1} rates from 1 a minute to ${whole(fastest)} a second, simulated`,
    markdownTable(["strategy", "commits in the busiest second", "GETs held, at worst"], rows),
  );
}

function checkSteady(where: string, perSecond: number, commits: number, held: number): void {
  if (commits >= COMMITS_PER_SECOND_MAX) broken.push(`${where}: ${commits} commits a second`);
  if (perSecond <= HELD_RATE_MAX && held >= HELD_MAX) broken.push(`${where}: ${held} held`);
}

async function reportPaced(): Promise<void> {
  const all: PacedFigures[] = [];
  const traffic = { strategies: preModes, patterns: Object.keys(patterns), riseMs: STEADY_FROM_MS };
  setRealTime(true);
  for (const perSecond of PACED_RATES) {
    all.push(...(await measurePaced({ ...traffic, perSecond, measuredMs: PACED_MS })));
  }
  setRealTime(false);
  for (const { load, strategy, perSecond, commitsPerSecond, held, gets, lateMs } of all) {
    const where = `server, ${strategy}, ${load}`;
    const isSteady = lateMs! < LATE_MS_MAX;
    if (!isSteady) console.log(`${where}: the load was ${lateMs} ms late, held not judged`);
    checkSteady(where, perSecond, commitsPerSecond, isSteady ? held / gets : 0);
  }
  for (const depth of FULL_SPEED_DEPTHS) {
    const figures = await measureFullSpeed(preModes, depth, FULL_SPEED_MS);
    for (const { load, strategy, commitsPerSecond } of figures) {
      checkSteady(`server, ${strategy}, ${load}`, Number.POSITIVE_INFINITY, commitsPerSecond, 0);
    }
    all.push(...figures);
  }
  report.add("Steady traffic, the real server over sockets", pacedTable(all));
}

/** Runs it for a moment, too short to judge its figures, to test that it works. */
async function runPacedBriefly(): Promise<void> {
  const works = { strategies: ["pre_close"], patterns: ["regular"] };
  const times = { riseMs: SMALL_MS, measuredMs: SMALL_MS };
  await measurePaced({ ...works, ...times, perSecond: 1000 });
}

const measured = measureLives();
reportLives(measured);
reportMixed();
reportSteady();
if (isSmall) await runPacedBriefly();
else {
  await reportPaced();
  writeFileSync(join(docs, "waste.svg"), drawPicture(LIVES, curvesOf(LIVES, measured)));
  writeBetweenMarkers(join(docs, "WASTE.md"), "measured", report.text);
}
for (const promise of broken) console.error(`broken: ${promise}`);
console.log(broken.length === 0 ? "\nEvery bound holds." : "\nA bound is broken.");
process.exitCode = broken.length === 0 ? 0 : 1;
