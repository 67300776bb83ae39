import { expect, test } from "bun:test";
import { Pattern } from "../../../src/resp/glob.ts";

const cases: [string, string, boolean][] = [
  ["*", "", true],
  ["*", "anything", true],
  ["a*c", "abc", true],
  ["a*c", "ac", true],
  ["a*c", "abd", false],
  ["a**c*", "abcd", true],
  ["a?c", "abc", true],
  ["a?c", "ac", false],
  ["[abc]x", "bx", true],
  ["[^abc]x", "bx", false],
  ["[^abc]x", "dx", true],
  ["[a-c]", "b", true],
  ["[c-a]", "b", true],
  ["[a-c]", "d", false],
  ["[\\]]", "]", true],
  ["[abc", "b", true],
  ["\\*", "*", true],
  ["\\*", "a", false],
  ["a\\", "a\\", true],
  ["", "", true],
  ["", "a", false],
  ["*order*id", "my_order_big_id", true],
  ["order:[0-9][0-9]", "order:42", true],
];

test.each(cases)("%p on %p: %p", (pattern, text, wanted) => {
  expect(new Pattern(pattern).matches(text)).toBe(wanted);
});

test("a pattern of many stars does not take forever", () => {
  expect(new Pattern(`${"*a".repeat(50)}b`).matches("a".repeat(255))).toBe(false);
});

test("a pattern that no name is long enough for matches none, and costs little", () => {
  expect(new Pattern("[a]".repeat(255)).matches("a".repeat(255))).toBe(true);
  expect(new Pattern("[a]".repeat(256)).matches("a".repeat(255))).toBe(false);
  expect(new Pattern("*[^b]".repeat(100_000)).matches("a".repeat(255))).toBe(false);
});

test("a pattern takes 34 bytes for each element at most, however it is written", () => {
  expect(new Pattern("*[a]".repeat(100_000)).bytes).toBeLessThanOrEqual(34 * 512);
  expect(new Pattern(`[${"a-z".repeat(1000)}]`).bytes).toBe(34);
  expect(new Pattern("order:*").bytes).toBe(14);
});
