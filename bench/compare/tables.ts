/** Writes the tables of the comparison: for each setting its works, medians, ratios and ranges. */

import { median, ratios, type Spread, short, spreadOf, spreadText } from "../support/figures.ts";
import { markdownTable } from "../support/page.ts";
import { figuresOf, inMemory, type Result } from "./targets.ts";
import { ALWAYS, CEILING, IN_MEMORY, IN_MEMORY_AGAIN, overNames } from "./works.ts";

const heads = [
  ...["work", "requests/s", "p50, ms", "p99, ms"],
  ...["÷ redis in memory", "÷ redis always"],
  ...["per CPU-second", "÷ redis in memory", "÷ ceiling"],
];

export function settingTable({ works, rounds }: Result): string {
  const rows = works.map(({ title, names }) => {
    const of = (figure: Parameters<typeof figuresOf>[2]) => figuresOf(rounds, title, figure);
    const [rate, perCpu] = [of("perSecond"), of("perCpuSecond")];
    const ratio = (these: readonly number[], those: readonly number[]) =>
      spreadText(spreadOf(ratios(these, those)));
    return [
      title,
      short(median(rate)),
      median(of("p50")).toFixed(2),
      median(of("p99")).toFixed(2),
      ratio(rate, inMemory(rounds, "perSecond", names)),
      ratio(rate, figuresOf(rounds, overNames(ALWAYS, names), "perSecond")),
      short(median(perCpu)),
      ratio(perCpu, inMemory(rounds, "perCpuSecond", names)),
      ratio(perCpu, figuresOf(rounds, CEILING, "perCpuSecond")),
    ];
  });
  return markdownTable(heads, rows);
}

/** The machine's noise: how much redis-server in memory differs from itself within a round. */
export function noiseTable(results: readonly Result[]): string {
  const rows = results.map(({ setting, rounds }) => {
    const noise = (figure: "perSecond" | "perCpuSecond") => {
      const again = figuresOf(rounds, IN_MEMORY_AGAIN, figure);
      return spreadText(spreadOf(ratios(again, figuresOf(rounds, IN_MEMORY, figure))));
    };
    const { clients, depth } = setting;
    return [`${clients}`, `${depth}`, noise("perSecond"), noise("perCpuSecond")];
  });
  return markdownTable(["clients", "deep", "requests/s", "per CPU-second"], rows);
}

/** The least CPU time of any run, to compare with clock ticks of 10 ms. */
export function leastCpuSeconds(results: readonly Result[]): number {
  const all = results.flatMap(({ rounds }) => [...rounds.values()].flat());
  return Math.min(...all.map(({ cpuSeconds }) => cpuSeconds));
}

/** The spread that the picture shows of a work in a setting. */
export function drawnSpread(result: Result, title: string, isDurable: boolean): Spread {
  const { rounds } = result;
  if (isDurable) {
    const rate = figuresOf(rounds, title, "perSecond");
    return spreadOf(ratios(rate, figuresOf(rounds, ALWAYS, "perSecond")));
  }
  const perCpu = figuresOf(rounds, title, "perCpuSecond");
  return spreadOf(ratios(perCpu, inMemory(rounds, "perCpuSecond", 1)));
}
