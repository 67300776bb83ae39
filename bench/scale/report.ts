/** Writes the figures of scale as markdown, with the targets that they reach. */

import { type Spread, short, spreadText } from "../support/figures.ts";
import { markdownTable, whole } from "../support/page.ts";
import { TICK_MS } from "../support/process.ts";
import type { Crowded } from "./connections.ts";
import type { Lives } from "./dispensers.ts";
import type { Idle } from "./idle.ts";
import type { Tenth } from "./long-line.ts";

/** A promised figure, and the most or the least that it may be. */
export interface Target {
  readonly what: string;
  readonly wanted: string;
  readonly found: string;
  readonly isReached: boolean;
}

export function atMost(what: string, most: number, found: number, unit: string): Target {
  const [wanted, shown] = [most, found].map((value) => `${whole(Math.round(value))} ${unit}`);
  return { what, wanted: `≤ ${wanted}`, found: shown!, isReached: found <= most };
}

export function atLeast(what: string, least: number, found: number): Target {
  const isReached = found >= least;
  return { what, wanted: `≥ ${least.toFixed(2)}`, found: found.toFixed(2), isReached };
}

export function targetsTable(targets: readonly Target[]): string {
  return markdownTable(
    ["what", "wanted", "measured", "reached"],
    targets.map(({ what, wanted, found, isReached }) => {
      return [what, wanted, found, isReached ? "yes" : "**no**"];
    }),
  );
}

const ms = (value: number) => whole(Math.round(value));
const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

export function startsTable(starts: ReadonlyMap<string, Spread>): string {
  return markdownTable(
    ["program", "ms to the first answered PING"],
    [...starts].map(([title, spread]) => [title, spreadText(spread, 0)]),
  );
}

export function idleTable(idle: ReadonlyMap<string, Idle>, watchMs: number): string {
  return markdownTable(
    ["program", `CPU time in ${watchMs / 1000} s`, "resident"],
    [...idle].map(([title, { ticks, bytes }]) => {
      return [title, `${ticks * TICK_MS} ms`, mebibytes(bytes)];
    }),
  );
}

export interface NamedLives extends Lives {
  readonly title: string;
}

export function livesTable(all: readonly NamedLives[]): string {
  return markdownTable(
    [
      ...["dispensers", "start, ms", "clean stop, ms", "start after SIGKILL, ms"],
      ...["bytes each, started", "bytes each, in use"],
    ],
    all.map((lives) => [
      lives.title,
      ms(lives.startMs),
      ms(lives.stopMs),
      ms(lives.recoveryMs),
      ms(lives.bytesAtStart),
      ms(lives.bytesInUse),
    ]),
  );
}

export function spreadTable(all: readonly NamedLives[]): string {
  return markdownTable(
    [
      ...["dispensers", "one hot name, requests/s", "over all, requests/s", "ratio"],
      ...["one hot name, per CPU-second", "over all, per CPU-second", "ratio"],
    ],
    all.map(({ title, hot, spread, ratioPerSecond, ratioPerCpuSecond }) => [
      title,
      short(hot.perSecond),
      short(spread.perSecond),
      ratioPerSecond.toFixed(2),
      short(hot.perCpuSecond),
      short(spread.perCpuSecond),
      ratioPerCpuSecond.toFixed(2),
    ]),
  );
}

export function crowdTable(all: ReadonlyMap<string, Crowded>, connections: number): string {
  const middleOf = (rounds: Crowded["alone"], figure: "perCpuSecond" | "p99") =>
    rounds.map((each) => each[figure]).sort((a, b) => a - b)[rounds.length >> 1]!;
  return markdownTable(
    [
      ...["program", "busy", "alone, per CPU-second", `among ${whole(connections)}`],
      ...["cost of a GET, ratio", "p99 alone, ms", "p99 among all", "bytes a connection"],
    ],
    [...all].map(([title, { busy, alone, crowded, costRatio, bytesEach }]) => [
      title,
      `${busy}`,
      short(middleOf(alone, "perCpuSecond")),
      short(middleOf(crowded, "perCpuSecond")),
      costRatio.toFixed(2),
      middleOf(alone, "p99").toFixed(2),
      middleOf(crowded, "p99").toFixed(2),
      whole(Math.round(bytesEach)),
    ]),
  );
}

export function linesTable(lines: ReadonlyMap<string, readonly Tenth[]>): string {
  const heads = ["line", "numbers a second, 2nd tenth", "last tenth", "resident, 2nd tenth"];
  return markdownTable(
    [...heads, "last tenth"],
    [...lines].map(([title, tenths]) => {
      const [early, last] = [tenths[1]!, tenths.at(-1)!];
      const speeds = [short(early.perSecond), short(last.perSecond)];
      return [title, ...speeds, mebibytes(early.bytes), mebibytes(last.bytes)];
    }),
  );
}
