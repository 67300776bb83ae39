/** SECURITY.md says by which attacks of the hostile campaign each defence is shown. */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../../testkit/process.ts";
import { attacks } from "../../campaigns/hostile/attacks.ts";

const text = readFileSync(join(root, "SECURITY.md"), "utf8");
const chosen = [...text.matchAll(/--only (?:"([^"]+)"|([\w-]+))/g)].map(
  ([, long, word]) => long ?? word!,
);

test.each(chosen)("there is an attack with '%s' in its name", (words) => {
  expect(attacks.filter(({ name }) => name.includes(words))).not.toEqual([]);
});

test("attacks have different names", () => {
  expect(new Set(attacks.map(({ name }) => name)).size).toBe(attacks.length);
});
