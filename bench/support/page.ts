/** Writes results as markdown into a page, between its markers. */

import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";

export const docs = resolve(import.meta.dir, "../../docs");

export function markdownTable(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(heads), `|${" --- |".repeat(heads.length)}`, ...rows.map(line)].join("\n");
}

export const whole = (count: number) => count.toLocaleString("en");

/** Replaces the text between the two markers of this part in the page. */
export function writeBetweenMarkers(path: string, part: string, text: string): void {
  const page = readFileSync(path, "utf8");
  const [beginMarker, endMarker] = [`<!-- ${part}: begin -->`, `<!-- ${part}: end -->`];
  const begin = page.indexOf(beginMarker);
  const end = page.indexOf(endMarker);
  if (begin < 0 || end < begin) throw new Error(`${path} has not both markers of '${part}'`);
  const head = page.slice(0, begin + beginMarker.length);
  writeFileSync(path, `${head}\n\n${text}\n\n${page.slice(end)}`);
}

/** The sections of a part of a page; each is printed when it is added, and kept for the page. */
export class Report {
  private readonly sections: string[] = [];

  add(title: string, text: string): void {
    console.log(`\n${title}\n\n${text}`);
    this.sections.push(`### ${title}\n\n${text}`);
  }

  get text(): string {
    return this.sections.join("\n\n");
  }
}
