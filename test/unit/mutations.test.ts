/** The places that the mutations change are there: told at once, and not after minutes. */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../testkit/process.ts";
import { clusterMutations } from "../campaigns/cluster-simulation/mutations.ts";
import { fuzzMutations } from "../campaigns/fuzz/mutations.ts";
import { mutations } from "../campaigns/simulation/mutations.ts";

const all = [...mutations, ...clusterMutations, ...fuzzMutations];
const MARK = /\/\/ mutation: [\w -]+/g;

test.each(all)("$title: its anchor stands once in $file, and is no comment", ({ file, find }) => {
  const text = readFileSync(join(root, file), "utf8");
  expect([find, text.split(find).length - 1]).toEqual([find, 1]);
  // What stands in a comment is worded anew now and then; marks are made for this.
  expect(find.replaceAll(MARK, "")).not.toMatch(/\/\/|\/\*|\*\//);
});

test("no two mutations of a campaign have the same title", () => {
  for (const some of [mutations, clusterMutations, fuzzMutations]) {
    const titles = some.map(({ title }) => title);
    expect(titles.length).toBe(new Set(titles).size);
  }
});
