import { expect, test } from "bun:test";
import fc from "fast-check";
import { nextUsageStep, usageStep } from "../../../src/dispenser/usage.ts";

test("the steps of a line of a thousand", () => {
  expect([799n, 800n, 899n, 900n, 990n, 999n, 1000n].map((at) => usageStep(at, 1000n))).toEqual([
    undefined,
    80,
    80,
    90,
    99,
    99,
    100,
  ]);
  expect(nextUsageStep(0n, 1000n)).toBe(800n);
  expect(nextUsageStep(999n, 1000n)).toBe(1000n);
  expect(nextUsageStep(1000n, 1000n)).toBeUndefined();
});

test("a step is reached exactly where the one before said, on lines of any size", () => {
  fc.assert(
    fc.property(fc.bigInt(1n, 2n ** 63n), fc.bigInt(0n, 2n ** 63n), (positions, some) => {
      const position = some % (positions + 1n);
      const next = nextUsageStep(position, positions);
      if (next === undefined) return expect(position).toBe(positions);
      expect(next > position && next <= positions).toBe(true);
      expect(usageStep(next, positions)! > (usageStep(position, positions) ?? 0)).toBe(true);
      expect(usageStep(next - 1n, positions)).toEqual(usageStep(position, positions));
    }),
  );
});
