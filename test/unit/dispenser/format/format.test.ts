import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Refusal } from "../../../../src/base/errors.ts";
import type { Definition } from "../../../../src/dispenser/definition.ts";
import { define, definitionFrom } from "../../../../src/dispenser/fields.ts";
import { checks } from "../../../../src/dispenser/format/checks/table.ts";
import { toBytes, toText } from "../../../../src/dispenser/name.ts";
import { NO_PERIOD } from "../../../../src/dispenser/types/type.ts";

const KEY = "000102030405060708090a0b0c0d0e0f";

function made(fields: Readonly<Record<string, string>>): Definition | Refusal {
  return define(new Map(Object.entries(fields)));
}

function defined(fields: Readonly<Record<string, string>>): Definition {
  const definition = made(fields);
  if (definition instanceof Refusal) throw new Error(definition.message);
  return definition;
}

/** The first numbers, as a source writes them and as numberAt() does, which is the same. */
function first(fields: Readonly<Record<string, string>>, count = 3): string[] {
  const { series } = defined(fields);
  const source = series.open(0n);
  return Array.from({ length: count }, (_, at) => {
    const into = Buffer.alloc(200, 7);
    const { bytes } = source;
    source.next(into, 2);
    expect([into[1], into[2 + bytes]]).toEqual([7, 7]);
    const text = into.toString("latin1", 2, 2 + bytes);
    if (series.positions > 0n) expect(series.numberAt(BigInt(at))).toBe(text);
    return toText(text);
  });
}

describe("formats", () => {
  const invoice = { type: "2", length: "6", starting: "1" };
  test.each([
    [{ ...invoice, format: "INV-{n}" }, ["INV-000001", "INV-000002", "INV-000003"]],
    [{ ...invoice, format: "{n}" }, ["000001", "000002", "000003"]],
    [{ ...invoice, format: "{{{n}}}" }, ["{000001}", "{000002}", "{000003}"]],
    [{ ...invoice, format: "{n:4}/x" }, ["0000-01/x", "0000-02/x", "0000-03/x"]],
    [{ ...invoice, format: "{n:3}" }, ["000-001", "000-002", "000-003"]],
    [{ ...invoice, format: "{n:6}" }, ["000001", "000002", "000003"]],
    [{ ...invoice, format: "{n:1}" }, ["0-0-0-0-0-1", "0-0-0-0-0-2", "0-0-0-0-0-3"]],
    [{ type: "3", starting: "98", format: "A{n:2}B" }, ["A98B", "A99B", "A10-0B"]],
    [
      { type: "3", starting: "7992739871", format: "{n}{luhn}" },
      ["79927398713", "79927398721", "79927398739"],
    ],
    [{ type: "3", starting: "572", format: "{n}-{damm}!" }, ["572-4!", "573-5!", "574-3!"]],
    [{ type: "3", starting: "236", format: "{n}{verhoeff}" }, ["2363", "2371", "2385"]],
    // GTIN-13 of the GS1 General Specifications' own example prefix.
    [
      { type: "2", length: "12", starting: "629104150021", format: "{n}{gs1}" },
      ["6291041500213", "6291041500220", "6291041500237"],
    ],
    // ISO 11649's usual example.
    [
      { type: "3", starting: "539007547034", format: "{rf}{n}" },
      ["RF18539007547034", "RF88539007547035", "RF61539007547036"],
    ],
    [{ ...invoice, format: "单{n}号" }, ["单000001号", "单000002号", "单000003号"]],
    [
      { type: "4", length: "8", alphabet: "safe", key: KEY, format: "{n:4}" },
      ["6ZP8-W2FT", "MB2Z-BD75", "R52F-X9MK"],
    ],
    [
      { type: "4", length: "8", alphabet: "safe", key: KEY, format: "V{n:4}{mod37}" },
      ["V6ZP8-W2FT2", "VMB2Z-BD75O", "VR52F-X9MKZ"],
    ],
  ] as const)("%j", (fields, numbers) => {
    const bytes = Object.fromEntries(
      Object.entries(fields).map(([name, text]) => [name, toBytes(text)]),
    );
    expect(first(bytes)).toEqual([...numbers]);
  });

  test("random numbers have a format, too", () => {
    for (const text of first({ type: "1", length: "5", format: "R-{n:3}{luhn}" }, 20)) {
      expect(text).toMatch(/^R-[1-9][0-9]{2}-[0-9]{3}$/);
    }
  });

  const allowed =
    "must have no '{x}' but {n}, {n:4}, {yyyy}, {yy}, {MM}, {dd}, {HH}, {DDD}, {q}, {gggg}, {ww}, {fyyy}, {fy}, {fyyy+1}, {fy+1}, {luhn}, {damm}, {verhoeff}, {gs1}, {mod97}, {mod37}, {rf}; {{ and }} stand for braces";
  test.each([
    ["", "must have {n} exactly once"],
    ["INV", "must have {n} exactly once"],
    ["{n}{n}", "must have {n} exactly once"],
    ["{x}{n}", allowed],
    ["{n", allowed.replace("{x}", "{")],
    ["n}", allowed.replace("{x}", "}")],
    ["{n:0}", allowed.replace("{x}", "{n:0}")],
    ["{N}", allowed.replace("{x}", "{N}")],
    ["{luhn}{n}", "must have {n} in front of {luhn}"],
    ["{n}{luhn}{damm}", "must have one check digit at most"],
    ["{n}{rf}", "must begin with {rf}"],
    ["X{rf}{n}", "must begin with {rf}"],
    ["a\nb{n}", "must be UTF-8 without control characters"],
    ["\xff{n}", "must be UTF-8 without control characters"],
    [`${"x".repeat(62)}{n}`, "must have 64 bytes at most, not 65"],
    [`{rf}${"1".repeat(21)}{n}`, "must leave room for 1 characters of a number, and leaves 0"],
  ])("%j is refused", (format, why) => {
    const refusal = made({ type: "3", format });
    expect(refusal).toBeInstanceOf(Refusal);
    expect((refusal as Refusal).message).toBe(`ERR invalid format '${format}': ${why}`);
  });

  test("a text that is all dashes, or too short, is no number, whatever the groups", () => {
    for (const format of ["{n:4}", "A{n:4}", "{n:1}B", "{n:2}{luhn}", "{rf}{n:3}"]) {
      const { series } = defined({ type: "3", format });
      for (const text of [
        "",
        "-",
        "--",
        "A-",
        "A--",
        "-B",
        "--B",
        "A",
        "B",
        "RF",
        "RF18",
        "RF18-",
      ]) {
        expect([format, text, series.positionOf(text, NO_PERIOD)]).toEqual([
          format,
          text,
          undefined,
        ]);
        expect(series.positionFrom(text, NO_PERIOD)).toBeInstanceOf(Refusal);
      }
    }
  });

  test("numbers that have dashes themselves are in no groups", () => {
    const found = made({ type: "4", length: "4", alphabet: "ab-", key: KEY, format: "{n:2}" });
    expect((found as Refusal).message).toContain(
      "must have no groups, because numbers have dashes",
    );
    const { series } = defined({
      type: "4",
      length: "4",
      alphabet: "ab-",
      key: KEY,
      format: "-{n}-",
    });
    for (let at = 0n; at < series.positions; at++) {
      expect(series.positionOf(series.numberAt(at), NO_PERIOD)).toBe(at);
    }
  });

  test("a check digit wants numbers that it can be over", () => {
    const code = (alphabet: string, format: string) => {
      const found = made({ type: "4", length: "8", alphabet, key: KEY, format });
      return found instanceof Refusal ? found.message.replace(/^.*must/, "must") : "taken";
    };
    expect(code("digits", "{n}{luhn}")).toBe("taken");
    expect(code("safe", "{n}{luhn}")).toBe("must have {luhn} only where numbers are digits alone");
    expect(code("hex", "{n}{mod97}")).toBe("taken");
    expect(code("base36", "{rf}{n}")).toBe("taken");
    const plain = "must have {mod37} only where numbers are digits and letters of one case";
    expect(code("base58", "{n}{mod37}")).toBe(plain);
    expect(code("ab#", "{n}{mod37}")).toBe(plain);
  });

  test("a line with {rf} ends where 21 characters no longer fit", () => {
    const { series } = defined({ type: "3", starting: "998", format: "{rf}CUSTOMER1234567890{n}" });
    expect(series.positions).toBe(2n);
    expect(series.numberAt(1n)).toMatch(/^RF[0-9]{2}CUSTOMER1234567890999$/);
  });

  test("is part of what is stored, and read back", () => {
    for (const format of ["INV-{n}", toBytes('№ "{n}" \\ {luhn}')]) {
      const definition = defined({ type: "2", length: "4", format });
      expect(definitionFrom(definition.line, "elegant_close")).toBe(definition);
      expect(definition.level).toBe(3);
    }
  });
});

const literal = fc.string({ unit: "grapheme", maxLength: 6 }).map((text) =>
  toBytes(text.replaceAll(/\p{Cc}/gu, ""))
    .replaceAll("{", "{{")
    .replaceAll("}", "}}"),
);
const anyFormat = fc
  .record({
    front: literal,
    back: literal,
    tail: literal,
    group: fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined }),
    check: fc.option(fc.constantFrom(...checks), { nil: undefined }),
  })
  .map(({ front, back, tail, group, check }) => {
    const number = group === undefined ? "{n}" : `{n:${group}}`;
    if (check === undefined) return front + number + back;
    if (check.isInFront) return `{${check.name}}${number}`;
    return `${front}${number}${back}{${check.name}}${tail}`;
  });
const anyLine = fc.oneof(
  fc.record({
    type: fc.constant("3"),
    starting: fc.bigInt({ min: 0n, max: 2n ** 60n }).map(String),
  }),
  fc.record({ type: fc.constant("2"), length: fc.integer({ min: 4, max: 18 }).map(String) }),
  fc.record({
    type: fc.constant("4"),
    length: fc.integer({ min: 4, max: 18 }).map(String),
    key: fc.constant(KEY),
  }),
);

test("any format: a text has one number, which is found, and no other text is one", () => {
  fc.assert(
    fc.property(anyLine, anyFormat, fc.nat(500), (line, format, from) => {
      const definition = made({ ...line, format });
      if (definition instanceof Refusal) return fc.pre(false);
      const { series } = definition;
      fc.pre(series.positions > BigInt(from));
      const source = series.open(BigInt(from));
      const seen = new Set<string>();
      for (let at = from; at < from + 40 && BigInt(at) < series.positions; at++) {
        const into = Buffer.alloc(200);
        const { bytes } = source;
        expect(bytes).toBeLessThanOrEqual(99);
        source.next(into, 0);
        const text = into.toString("latin1", 0, bytes);
        seen.add(text);
        expect(series.numberAt(BigInt(at))).toBe(text);
        expect(series.positionOf(text, NO_PERIOD)).toBe(BigInt(at));
        for (const other of [`${text}0`, `0${text}`, text.slice(1), text.slice(0, -1)]) {
          const found = series.positionOf(other, NO_PERIOD);
          if (found !== undefined) expect(series.numberAt(found)).toBe(other);
        }
      }
      expect(seen.size).toBe(Math.min(40, Number(series.positions - BigInt(from))));
    }),
    { numRuns: 500 },
  );
});
