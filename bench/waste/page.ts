/** Writes the figures of waste as markdown. */

import { markdownTable, whole } from "../support/page.ts";
import type { PacedFigures } from "./paced.ts";

/** A share in percent with three significant digits: 5 %, 0.526 %; "0" if nothing was wasted. */
export function percent(share: number): string {
  if (share === 0) return "0";
  const digits = share < 0.001 ? 2 : 3;
  return `${Number((share * 100).toPrecision(digits))} %`;
}

export function pacedTable(figures: readonly PacedFigures[]): string {
  return markdownTable(
    ["load", "strategy", "GETs a second", "commits a second", "held", "of GETs", "late, ms"],
    figures.map(({ load, strategy, perSecond, commitsPerSecond, held, gets, lateMs }) => [
      load,
      `\`${strategy}\``,
      whole(Math.round(perSecond)),
      commitsPerSecond.toFixed(1),
      whole(held),
      whole(gets),
      lateMs === undefined ? "" : lateMs.toFixed(1),
    ]),
  );
}
