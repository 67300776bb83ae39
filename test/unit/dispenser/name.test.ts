import { expect, test } from "bun:test";
import { isName, toBytes, toText } from "../../../src/dispenser/name.ts";

test.each(["a", "order_id", "größe", "订单", "\u{1f600}", "\ufeffx"])(
  "%p may name a dispenser",
  (text) => {
    expect(isName(toBytes(text))).toBe(true);
    expect(toText(toBytes(text))).toBe(text);
  },
);

const wrong = [
  "",
  "a b",
  "a\tb",
  "a\nb",
  "\x00",
  "\x7f",
  "a\u0085b",
  "a\u00a0b",
  "a\u2003b",
  "a\u3000b",
];
test.each(wrong)("%p may not", (text) => {
  expect(isName(toBytes(text))).toBe(false);
});

test.each(["\xff", "a\xc3", "\xc0\xaf", "\xed\xa0\x80"])("the bytes %p are not UTF-8", (bytes) => {
  expect(isName(bytes)).toBe(false);
});

test("a name has at most 255 bytes", () => {
  expect([255, 256].map((bytes) => isName("a".repeat(bytes)))).toEqual([true, false]);
  expect([127, 128].map((letters) => isName(toBytes("ö".repeat(letters))))).toEqual([true, false]);
});
