import { expect, test } from "bun:test";
import fc from "fast-check";
import { nextUsageStep, STEPS_OF_LINE, usageStep } from "../../../src/dispenser/usage.ts";

const of = (used: bigint, size: bigint) => ({ used, size, steps: STEPS_OF_LINE });

test("the steps of a line of a thousand", () => {
  expect([799n, 800n, 899n, 900n, 990n, 999n, 1000n].map((at) => usageStep(of(at, 1000n)))).toEqual(
    [undefined, 80, 80, 90, 99, 99, 100],
  );
  expect(nextUsageStep(of(0n, 1000n))).toBe(800n);
  expect(nextUsageStep(of(999n, 1000n))).toBe(1000n);
  expect(nextUsageStep(of(1000n, 1000n))).toBeUndefined();
});

test("a step is reached exactly where the one before said, on lines of any size", () => {
  fc.assert(
    fc.property(fc.bigInt(1n, 2n ** 63n), fc.bigInt(0n, 2n ** 63n), (positions, some) => {
      const position = some % (positions + 1n);
      const next = nextUsageStep(of(position, positions));
      if (next === undefined) return expect(position).toBe(positions);
      expect(next > position && next <= positions).toBe(true);
      expect(usageStep(of(next, positions))! > (usageStep(of(position, positions)) ?? 0)).toBe(
        true,
      );
      expect(usageStep(of(next - 1n, positions))).toEqual(usageStep(of(position, positions)));
    }),
  );
});
