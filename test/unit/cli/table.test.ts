import { describe, expect, test } from "bun:test";
import { cell, compactCount, shownName, shownRate } from "../../../src/cli/table.ts";

test.each([
  [0n, "0"],
  [999n, "999"],
  [1000n, "1.0k"],
  [12_345n, "12.3k"],
  [99_999n, "99.9k"],
  [100_000n, "100k"],
  [999_999n, "999k"],
  [1_000_000n, "1.0M"],
  [9_223_372_036_854_775_807n, "9.2E"],
])("the count %d is shown as %s, in five characters", (count, text) => {
  expect(compactCount(count)).toBe(text);
  expect(text.length).toBeLessThanOrEqual(5);
});

test.each([
  [0, "0"],
  [0.25, "0.25"],
  [9.999, "10.00"],
  [12.4, "12"],
  [123_456.7, "123457"],
])("a rate of %d is shown as %s", (rate, text) => {
  expect(shownRate(rate)).toBe(text);
});

describe("a cell", () => {
  test("is filled up, numbers on the left", () => {
    expect([cell("ab", 4, false), cell("12", 4, true)]).toEqual(["ab  ", "  12"]);
  });

  test("is cut where it is too wide, characters of two columns too", () => {
    expect(cell("abcdef", 4, false)).toBe("abc…");
    expect(cell("订单编号", 6, false)).toBe("订单… ");
    expect(Bun.stringWidth(cell("订单编号", 6, false))).toBe(6);
    expect(cell("订", 1, false)).toBe("…");
  });

  test("has no character that changes how the terminal shows the rest", () => {
    expect(shownName("a\u202eb\u2028")).toBe("a\\u202eb\\u2028");
    expect(shownName("订单")).toBe("订单");
  });
});
