/**
 * What the tests have to run of each folder of src: `shortfalls(lcov)` says which are short. By folder and not by
 * file, so that cutting a file in two never fails. Code that only runs in a child process (main.ts, the binary) is
 * in no report, and counts neither way.
 */

import { dirname } from "node:path";

/** Of a folder's lines, and of its functions, at least this share has to run. */
const SHARE_MIN = 0.9;

interface Counts {
  linesFound: number;
  linesHit: number;
  functionsFound: number;
  functionsHit: number;
}

const fields: Readonly<Record<string, keyof Counts>> = {
  LF: "linesFound",
  LH: "linesHit",
  FNF: "functionsFound",
  FNH: "functionsHit",
};

/** The sums of an lcov report by folder. */
export function foldersOf(lcov: string): Map<string, Counts> {
  const folders = new Map<string, Counts>();
  let counts: Counts | undefined;
  for (const line of lcov.split("\n")) {
    const [, key, value] = /^([A-Z]+):(.*)$/.exec(line) ?? [];
    if (key === "SF") {
      const folder = dirname(value!);
      counts = folders.get(folder);
      if (counts === undefined) {
        counts = { linesFound: 0, linesHit: 0, functionsFound: 0, functionsHit: 0 };
        folders.set(folder, counts);
      }
    }
    const field = fields[key ?? ""];
    if (field !== undefined && counts !== undefined) counts[field] += Number(value);
  }
  return folders;
}

/** What is short, a sentence each; nothing where all is well. */
export function shortfalls(lcov: string): string[] {
  const folders = [...foldersOf(lcov)].filter(([folder]) => /^src(\/|$)/.test(folder));
  if (folders.length === 0) return ["the report of the coverage has no folder of src"];
  return folders.flatMap(([folder, { linesFound, linesHit, functionsFound, functionsHit }]) => {
    const shares = [
      ["lines", linesHit, linesFound],
      ["functions", functionsHit, functionsFound],
    ] as const;
    return shares
      .filter(([, hit, found]) => hit < SHARE_MIN * found)
      .map(
        ([what, hit, found]) =>
          `the tests run ${hit} of ${found} ${what} of ${folder}: under ${100 * SHARE_MIN} %`,
      );
  });
}
