import { expect, test } from "bun:test";
import { type Allocation, Striped, wholeLine } from "../../../src/dispenser/allocation.ts";
import type { Definition } from "../../../src/dispenser/definition.ts";
import { Dispenser } from "../../../src/dispenser/dispenser.ts";
import { define } from "../../../src/dispenser/fields.ts";
import { refuseLeap } from "../../../src/dispenser/leap.ts";
import { NO_PERIOD } from "../../../src/dispenser/types/type.ts";

const MAX = 2n ** 63n - 1n;

function dispenser(fields: Record<string, string>, share: Allocation = wholeLine): Dispenser {
  return new Dispenser(1, "x", define(new Map(Object.entries(fields))) as Definition, share);
}

function isRefused(of: Dispenser, number: bigint): boolean {
  const target = of.definition.series.positionFrom(String(number), NO_PERIOD);
  return (
    typeof target === "bigint" &&
    refuseLeap(of, of.allocation, target, String(number)) !== undefined
  );
}

test("a leap is more than a million numbers and more than a tenth of what remains", () => {
  const line = dispenser({ type: "2", length: "9" });
  expect(isRefused(line, 1_000_001n)).toBe(false);
  expect(isRefused(line, 100_000_000n)).toBe(false);
  expect(isRefused(line, 100_000_001n)).toBe(true);
  const short = dispenser({ type: "2", length: "6" });
  expect(isRefused(short, 999_999n)).toBe(false);
  const steps = dispenser({ type: "2", length: "9", step: "1000" });
  expect(isRefused(steps, 999_999_000n)).toBe(false);
});

test("a leap goes past 2^53 from below, and no line that is there already leaps so", () => {
  const line = dispenser({ type: "3", starting: String(2n ** 53n - 10n) });
  expect(isRefused(line, 2n ** 53n)).toBe(false);
  expect(isRefused(line, 2n ** 53n + 1n)).toBe(true);
  expect(isRefused(dispenser({ type: "3", starting: String(2n ** 53n + 1n) }), 2n ** 54n)).toBe(
    false,
  );
  // The number that comes next counts, not the one that was named.
  const wide = dispenser({ type: "3", step: String(2n ** 52n + 1n) });
  expect(isRefused(wide, 2n ** 52n)).toBe(false);
  expect(isRefused(wide, 2n ** 53n)).toBe(true);
});

test("nothing leaps that goes nowhere, has no number there, or has no line", () => {
  const line = dispenser({ type: "3", starting: "500" });
  expect(isRefused(line, 0n)).toBe(false);
  expect(isRefused(line, 500n)).toBe(false);
  expect(isRefused(dispenser({ type: "2", length: "8" }), 100_000_000n)).toBe(false);
  expect(isRefused(dispenser({ type: "1", length: "8" }), MAX)).toBe(false);
});

test("node i of n leaps as far as the line does", () => {
  const line = dispenser({ type: "2", length: "9" }, new Striped(2, 3));
  expect(isRefused(line, 90_000_000n)).toBe(false);
  expect(isRefused(line, 200_000_000n)).toBe(true);
});
