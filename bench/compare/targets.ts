/** The targets of the figures, at 50 clients and with medians over the rounds. */

import { median, ratios } from "../support/figures.ts";
import type { Measured } from "../support/load.ts";
import { markdownTable } from "../support/page.ts";
import type { Rounds, Setting } from "./measure.ts";
import { ALWAYS, IN_MEMORY, IN_MEMORY_AGAIN, overNames, type Work } from "./works.ts";

export interface Result {
  readonly setting: Setting;
  readonly works: readonly Work[];
  readonly rounds: Rounds;
}

type Figure = "perSecond" | "perCpuSecond";

const CLIENTS = 50;
/** The least ratio at each depth that is wanted. */
const lines: Record<number, number> = { 1: 1, 16: 1.25, 64: 1.8 };
const random: Record<number, number> = { 1: 0.95, 16: 1.1, 64: 1.5 };
const durable: Record<number, number> = { 1: 1, 16: 1.3, 64: 1.5 };
const durableAlone: Record<number, number> = { 1: 1 };

/**
 * The figure of redis-server in memory in each round: the mean of its two runs; over many names it
 * has only one.
 */
export function inMemory(rounds: Rounds, figure: Figure, names: number): number[] {
  const first = figuresOf(rounds, overNames(IN_MEMORY, names), figure);
  if (names > 1) return first;
  const again = figuresOf(rounds, IN_MEMORY_AGAIN, figure);
  return first.map((value, round) => (value + again[round]!) / 2);
}

export const figuresOf = (rounds: Rounds, title: string, figure: keyof Measured): number[] =>
  rounds.get(title)!.map((measured) => measured[figure]);

interface Wanted {
  readonly least: number;
  readonly against: string;
  readonly ratio: number;
}

/** The target of a work in a setting, and its figure; undefined if it has no target. */
function wanted({ ours, title }: Work, { setting, rounds }: Result): Wanted | undefined {
  if (ours === undefined) return undefined;
  const { clients, depth } = setting;
  if (ours.strategy === "elegant_close" && ours.type !== "1") {
    const least = { 1: durableAlone, [CLIENTS]: durable }[clients]?.[depth];
    if (least === undefined) return undefined;
    const rate = figuresOf(rounds, title, "perSecond");
    const ratio = median(ratios(rate, figuresOf(rounds, ALWAYS, "perSecond")));
    return { least, ratio, against: "requests a second, redis always" };
  }
  const least = clients === CLIENTS ? (ours.type === "1" ? random : lines)[depth] : undefined;
  if (least === undefined) return undefined;
  const perCpu = figuresOf(rounds, title, "perCpuSecond");
  const ratio = median(ratios(perCpu, inMemory(rounds, "perCpuSecond", 1)));
  return { least, ratio, against: "per CPU-second, redis in memory" };
}

/** The table of all targets, and whether they are reached. */
export function targetsTable(results: readonly Result[]): string {
  const rows = results.flatMap((result) =>
    result.works.flatMap((work) => {
      const found = wanted(work, result);
      if (found === undefined) return [];
      const { least, ratio, against } = found;
      const { clients, depth } = result.setting;
      const isReached = ratio >= least ? "yes" : "**no**";
      const figures = [least.toFixed(2), ratio.toFixed(2), isReached];
      return [[work.title, `${clients}`, `${depth}`, against, ...figures]];
    }),
  );
  return markdownTable(
    ["work", "clients", "deep", "ratio of", "wanted", "median", "reached"],
    rows,
  );
}
