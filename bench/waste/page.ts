/** Writes what was measured as markdown, into the page between its markers. No measuring here. */

import { readFileSync, writeFileSync } from "node:fs";
import type { PacedFigures } from "./paced.ts";

const MARKERS = { begin: "<!-- measured: begin -->", end: "<!-- measured: end -->" };

export function markdownTable(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(heads), `|${" --- |".repeat(heads.length)}`, ...rows.map(line)].join("\n");
}

/** Three digits that say something: 5 %, 0.526 %, 0.0042 %; "0" where nothing was wasted. */
export function percent(share: number): string {
  if (share === 0) return "0";
  const digits = share < 0.001 ? 2 : 3;
  return `${Number((share * 100).toPrecision(digits))} %`;
}

export const whole = (count: number) => count.toLocaleString("en");

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

export function writeBetweenMarkers(path: string, text: string): void {
  const page = readFileSync(path, "utf8");
  const begin = page.indexOf(MARKERS.begin);
  const end = page.indexOf(MARKERS.end);
  if (begin < 0 || end < begin) throw new Error(`${path} has not both of its markers`);
  const head = page.slice(0, begin + MARKERS.begin.length);
  writeFileSync(path, `${head}\n\n${text}\n\n${page.slice(end)}`);
}
