import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Refusal } from "../../../../src/base/errors.ts";
import { type Definition, fieldsOf, shownFieldsOf } from "../../../../src/dispenser/definition.ts";
import { define, defineBeside, redefine } from "../../../../src/dispenser/fields.ts";
import type { NumberSeries } from "../../../../src/dispenser/types/type.ts";
import { NO_PERIOD } from "../../../../src/dispenser/types/type.ts";

const KEY = "000102030405060708090a0b0c0d0e0f";
const OTHER_KEY = "ffeeddccbbaa99887766554433221100";

function defined(text: string): Definition {
  const words = text.split(" ");
  const pairs = words.flatMap((word, at) =>
    at % 2 === 0 ? [[word, words[at + 1]!] as const] : [],
  );
  const definition = define(new Map([["type", "4"], ...pairs]));
  if (definition instanceof Refusal) throw new Error(definition.message);
  return definition;
}

const seriesOf = (text: string) => defined(text).series;

/** Codes from a position on. */
function codes(series: NumberSeries, count: number, from = 0n): string[] {
  const source = series.open(from);
  const into = Buffer.alloc(source.bytes);
  return Array.from({ length: count }, () => {
    source.next(into, 0);
    return into.toString("latin1");
  });
}

describe("a whole domain", () => {
  test.each([
    ["length 4", 9000, /^[1-9][0-9]{3}$/],
    ["length 5", 90_000, /^[1-9][0-9]{4}$/],
    ["length 6", 900_000, /^[1-9][0-9]{5}$/],
    ["length 4 alphabet base32", 32 ** 4, /^[0-9A-HJKMNP-TV-Z]{4}$/],
    ["length 4 alphabet safe", 27 ** 4, /^[23456789BCDFGHJKMNPQRSTVWXZ]{4}$/],
    ["length 5 alphabet hex", 16 ** 5, /^[0-9a-f]{5}$/],
    ["length 16 alphabet 01", 2 ** 16, /^[01]{16}$/],
    ["length 7 alphabet #!?", 3 ** 7, /^[#!?]{7}$/],
  ])("of %s comes once, and no more", (text, count, shape) => {
    const series = seriesOf(`${text} key ${KEY}`);
    expect(series.positions).toBe(BigInt(count));
    const seen = new Set(codes(series, count));
    expect(seen.size).toBe(count);
    expect([...seen].every((code) => shape.test(code))).toBe(true);
  });

  test("of four digits is found again, and every other text of four characters is none", () => {
    const series = seriesOf(`length 4 key ${KEY}`);
    for (const [position, code] of codes(series, 9000).entries()) {
      expect(series.positionOf(code, NO_PERIOD)).toBe(BigInt(position));
    }
    for (const text of ["0999", "99", "99999", "12a4", "", "éééé", "１２３４"]) {
      expect(series.positionOf(text, NO_PERIOD)).toBeUndefined();
    }
  });
});

describe("large domains", () => {
  test("a million codes of twelve digits differ", () => {
    expect(new Set(codes(seriesOf(`length 12 key ${KEY}`), 1_000_000)).size).toBe(1_000_000);
  });

  test.each([
    "length 18",
    "length 16 alphabet base62",
    "length 15 alphabet base62",
    "length 9 alphabet base36",
    "length 16 alphabet base58",
  ])("the inverse of %s finds every position, up to the last", (text) => {
    const series = seriesOf(`${text} key ${KEY}`);
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: series.positions - 1n }), (position) => {
        expect(series.positionOf(series.numberAt(position), NO_PERIOD)).toBe(position);
      }),
    );
    const last = series.positions - 1n;
    expect(series.positionOf(series.numberAt(last), NO_PERIOD)).toBe(last);
  });

  test("of more than 2^63 codes the first 2^63 are handed out", () => {
    const series = seriesOf(`length 16 alphabet base62 key ${KEY}`);
    expect(series.positions).toBe(2n ** 63n);
    expect(series.guesses).toBe(62n ** 16n);
  });
});

describe("what must never change", () => {
  // Codes that are in use: a change of any of them repeats codes after an upgrade.
  test.each([
    ["length 4", "9742 1483 4013"],
    ["length 12", "701571818459 190943834626 227635953825"],
    ["length 18", "104327686866602905 182628528075219444 383157456099960872"],
    ["length 8 alphabet safe", "6ZP8W2FT MB2ZBD75 R52FX9MK"],
    ["length 10 alphabet base32", "3A0HPTGS6H DB06YDZRPQ 0QBHGWW3YV"],
    ["length 16 alphabet base62", "hb2aODPWzNbxBbAe uZqJGUZjahqHulqp SiDkImaU0cbErTzZ"],
    ["length 5 alphabet xyz", "zyzxy yyyyz zyyxy"],
  ])("the codes of %s with a known key", (text, known) => {
    expect(codes(seriesOf(`${text} key ${KEY}`), 3).join(" ")).toBe(known);
  });

  test("a key is read in either case", () => {
    const [lower, upper] = [
      seriesOf(`length 8 key ${KEY}`),
      seriesOf(`length 8 key ${KEY.toUpperCase()}`),
    ];
    expect(codes(upper, 3)).toEqual(codes(lower, 3));
  });
});

/** How many codes of two lines are the same at the same position. */
function matches(one: NumberSeries, other: NumberSeries, count: number): number {
  const [left, right] = [codes(one, count), codes(other, count)];
  return left.filter((code, index) => code === right[index]).length;
}

describe("lines are unrelated", () => {
  // Two permutations of 9,000 codes have one position in common on average.
  test("with different keys, and with one key and different shapes", () => {
    const one = seriesOf(`length 4 key ${KEY}`);
    expect(matches(one, seriesOf(`length 4 key ${OTHER_KEY}`), 9000)).toBeLessThan(12);
    const [hex, custom] = [
      seriesOf(`length 4 alphabet hex key ${KEY}`),
      seriesOf(`length 4 alphabet 0123456789abcdef key ${KEY}`),
    ];
    expect(matches(hex, custom, 65_536)).toBeLessThan(12);
  });

  test("one bit of the key changes about half of the codes' bits", () => {
    const [one, other] = [
      seriesOf(`length 16 alphabet 01 key ${KEY}`),
      seriesOf(`length 16 alphabet 01 key ${KEY.replace(/f$/, "e")}`),
    ];
    const [left, right] = [codes(one, 4096).join(""), codes(other, 4096).join("")];
    const changed = [...left].filter((bit, index) => bit !== right[index]).length / left.length;
    expect(changed).toBeGreaterThan(0.48);
    expect(changed).toBeLessThan(0.52);
  });
});

describe("the key", () => {
  test("is drawn where none is given, another each time", () => {
    const keys = Array.from({ length: 100 }, () => String(defined("length 8").values.key));
    expect(new Set(keys).size).toBe(100);
    expect(keys.every((key) => /^[0-9a-f]{32}$/.test(key))).toBe(true);
  });

  test("is kept with the definition, and shown as a fingerprint alone", () => {
    const definition = defined(`length 8 key ${KEY}`);
    expect(fieldsOf(definition).get("key")).toBe(KEY);
    expect(definition.line).toContain(KEY);
    // The first digits of the SHA-256 of these 16 bytes.
    expect(shownFieldsOf(definition).get("key")).toBe("be45cb26");
    expect([...shownFieldsOf(definition).values()]).not.toContain(KEY);
  });

  test("stays as it is, and no refusal shows one", () => {
    const definition = defined(`length 8 key ${KEY}`);
    expect(redefine("x", definition, new Map([["key", KEY]]))).toBe(definition);
    const refusals = [
      redefine("x", definition, new Map([["key", OTHER_KEY]])),
      redefine("x", definition, new Map([["key", `${OTHER_KEY}0`]])),
      redefine("x", definition, new Map([["length", "9"]])),
    ];
    for (const refusal of refusals) {
      expect(refusal).toBeInstanceOf(Refusal);
      expect((refusal as Refusal).message).not.toContain("ffeedd");
      expect((refusal as Refusal).message).not.toContain("000102");
    }
  });

  test("of a deleted line is that of the same fields again", () => {
    const deleted = [defined("length 8 alphabet safe"), defined("length 8"), defined("length 9")];
    const again = defineBeside(
      new Map([
        ["type", "code"],
        ["length", "8"],
      ]),
      deleted,
    );
    expect(again).toBe(deleted[1]!);
    const other = defineBeside(
      new Map([
        ["type", "4"],
        ["length", "10"],
      ]),
      deleted,
    ) as Definition;
    expect(deleted.map(({ values }) => values.key)).not.toContain(other.values.key!);
    const given = defineBeside(
      new Map([
        ["type", "4"],
        ["length", "8"],
        ["key", KEY],
      ]),
      deleted,
    );
    expect((given as Definition).values.key).toBe(KEY);
  });
});
