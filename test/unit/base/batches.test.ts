import { expect, test } from "bun:test";
import { inBatches } from "../../../src/base/batches.ts";

test.each([
  [[], []],
  [[1], [[1]]],
  [[1, 2, 3], [[1, 2, 3]]],
  [
    [1, 2, 3, 4, 5, 6, 7],
    [[1, 2, 3], [4, 5, 6], [7]],
  ],
])("%j in batches of three", (items: number[], batches: number[][]) => {
  expect([...inBatches(items, 3)]).toEqual(batches);
});
