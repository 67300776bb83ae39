/** Selects the measured waste that the picture shows. */

import { rates } from "./arrivals.ts";
import { bounds, type Measured, type Waste } from "./measure.ts";
import { wastedByOneSegment } from "./peers.ts";
import type { Curve } from "./picture.ts";

/** The waste of lives of one length at each rate, by the rate's title. */
export type ByRate = ReadonlyMap<string, Waste>;

/** The most requests per second that most lines ever see. */
const ORDINARY_RATE_MAX = 1000;

/** The worst of several lives in each figure; the median is the worst of their medians. */
export function worstOf(lives: readonly Waste[]): Waste {
  const most = (figure: keyof Waste) => Math.max(0, ...lives.map((life) => life[figure]));
  return { crashWorst: most("crashWorst"), crashMedian: most("crashMedian"), close: most("close") };
}

/** The curves of the picture: each strategy's waste by a crash, its bound, and its peers'. */
export function curvesOf(
  lives: readonly number[],
  measured: ReadonlyMap<Measured, readonly ByRate[]>,
): Curve[] {
  const crash = (strategy: Measured, perSecondMax = Number.POSITIVE_INFINITY) => {
    const shown = rates.filter(({ perSecond }) => perSecond <= perSecondMax);
    return measured
      .get(strategy)!
      .map((byRate) => worstOf(shown.map(({ title }) => byRate.get(title)!)).crashWorst);
  };
  const flat = (share: number) => lives.map(() => share);
  return [
    { title: "whole segments of 1000*", colour: "#a06000", shares: lives.map(wastedByOneSegment) },
    { title: "bound of pre-base", colour: "#808080", shares: flat(bounds["pre-base"].crash) },
    { title: "bound of the other two", colour: "#808080", shares: flat(bounds.pre_close.crash) },
  ]
    .map((curve) => ({ ...curve, isDashed: true }))
    .concat(
      [
        { title: "pre-base, full speed", colour: "#d55e00", shares: crash("pre-base") },
        { title: "the other two, full speed", colour: "#2a82da", shares: crash("pre_close") },
        {
          title: "pre_close, up to 1,000 a second",
          colour: "#8e5bc0",
          shares: crash("pre_close", ORDINARY_RATE_MAX),
        },
        { title: "elegant_close: nothing", colour: "#1a9850", shares: crash("elegant_close") },
      ].map((curve) => ({ ...curve, isDashed: false })),
    );
}
