import { describe, expect, test } from "bun:test";
import { didYouMean, editDistance } from "../../../src/cli/did-you-mean.ts";

test.each([
  ["", "", 0],
  ["health", "health", 0],
  ["helth", "health", 1],
  ["haelth", "health", 1],
  ["hEalth", "health", 1],
  ["healthy", "health", 1],
  ["list", "init", 3],
  ["", "abc", 3],
])("from '%s' to '%s' it is %d edits", (from, to, edits) => {
  expect(editDistance(from, to)).toBe(edits);
  expect(editDistance(to, from)).toBe(edits);
});

describe("what was meant", () => {
  const known = ["info", "init", "import", "list", "top"];
  test("is the nearest word, if it is near", () => {
    expect(didYouMean("inof", known)).toBe(" (did you mean info?)");
    expect(didYouMean("imoprtt", known)).toBe(" (did you mean import?)");
    expect(didYouMean("LIST", known)).toBe(" (did you mean list?)");
    expect(didYouMean("quit", known)).toBe("");
    expect(didYouMean("t", known)).toBe("");
  });
});
