import { describe, expect, test } from "bun:test";
import * as cdigit from "cdigit";
import fc from "fast-check";
import type { Check } from "../../../../src/dispenser/format/checks/check.ts";
import { checks } from "../../../../src/dispenser/format/checks/table.ts";

const ROOM = 4;
const DIGITS = [..."0123456789"];
const CHARACTERS = [..."0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"];

/** What a check writes over a text, which stands between other bytes that it must not touch. */
function written(check: Check, over: string): string {
  const body = Buffer.from(over);
  const from = 3 * ROOM;
  const to = from + body.length;
  const at = check.isInFront ? ROOM : to + ROOM;
  const text = Buffer.alloc(to + 3 * ROOM, "7");
  body.copy(text, from);
  const before = Buffer.from(text);
  check.write(text, from, to, at);
  const result = text.toString("latin1", at, at + check.bytes);
  text.copy(before, at, at, at + check.bytes);
  expect(text).toEqual(before);
  return result;
}

function named(name: string): Check {
  return checks.find((check) => check.name === name)!;
}

/** Whole texts as they are published, each check at its end or in front. */
const published: readonly (readonly [check: string, text: string, source: string])[] = [
  ["luhn", "79927398713", "Wikipedia, Luhn algorithm"],
  ["luhn", "17893729974", "Wikipedia, Luhn algorithm"],
  ["luhn", "49 015420 323751 8", "Wikipedia, International Mobile Equipment Identity"],
  ["luhn", "4111 1111 1111 1111", "Visa's number for tests"],
  ["damm", "5724", "Wikipedia, Damm algorithm"],
  ["verhoeff", "2363", "Wikipedia, Verhoeff algorithm"],
  ["verhoeff", "123451", "Rosetta Code, Verhoeff algorithm"],
  ["verhoeff", "1234567890120", "Rosetta Code, Verhoeff algorithm"],
  ["gs1", "6291041500213", "GS1, check digit calculator, GTIN-13"],
  ["gs1", "09506000134352", "GS1 Digital Link, GTIN-13 as GTIN-14"],
  ["gs1", "80614141123458", "GS1 EPC Tag Data Standard, GTIN-14"],
  ["gs1", "73513537", "Wikipedia, International Article Number, GTIN-8"],
  ["gs1", "0 36000 29145 2", "Wikipedia, Universal Product Code, GTIN-12"],
  ["gs1", "376104250021234569", "GS1 General Specifications, 7.9.1, 18 digits"],
  ["gs1", "106141412345678908", "GS1 EPC Tag Data Standard, SSCC-18"],
  ["mod97", "79444", "ISO/IEC 7064, MOD 97-10"],
  ["mod97", "10Bx939c5543TqA1144M999143X38", "12 CFR 1003, Appendix C, universal loan identifier"],
  ["mod97", "WEST 1234 5698 7654 32 GB 82", "Wikipedia, IBAN GB82 WEST 1234 5698 7654 32, rotated"],
  ["mod37", "A1-2425G-ABC1234002-M", "IFPI, GRid standard 2.1"],
  ["mod37", "0000-0000-D07A-0090-Q", "python-stdnum, isan (ISO 15706)"],
  ["mod37", "0000-0000-3A8D-0000-Z", "Library of Congress, BIBFRAME, bf:Isan (ISO 15706)"],
  ["rf", "RF18 5390 0754 7034", "ISO 11649, Wikipedia: Creditor Reference"],
  ["rf", "RF18 0000 0000 0539 0075 4703 4", "the same with zeros on the left, as ISO 11649 allows"],
  ["rf", "RF33 2348 236", "Finance Finland, structured creditor reference"],
];

test.each(published)("%s of %s, from %s", (name, text) => {
  const check = named(name);
  const { bytes } = check;
  if (check.isInFront) expect(written(check, text.slice(bytes))).toBe(text.slice(0, bytes));
  else expect(written(check, text.slice(0, -bytes))).toBe(text.slice(-bytes));
});

test("the checks have names of their own, and only rf stands in front", () => {
  expect(checks.map(({ name }) => name)).toEqual([
    ...["luhn", "damm", "verhoeff", "gs1", "mod97", "mod37", "rf"],
  ]);
  expect(checks.filter((check) => check.isInFront).map(({ name }) => name)).toEqual(["rf"]);
});

/** Letters as the two digits that they stand for in MOD 97-10. */
function expanded(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => String(CHARACTERS.indexOf(letter)));
}

/** The same checks by another hand. */
const peers: Readonly<Record<string, (over: string) => string>> = {
  luhn: (over) => cdigit.luhn.compute(over),
  damm: (over) => cdigit.damm.compute(over),
  verhoeff: (over) => cdigit.verhoeff.compute(over),
  gs1: (over) => cdigit.gtin.compute(over),
  mod97: (over) => cdigit.mod97_10.compute(expanded(over)),
  mod37: (over) => cdigit.mod37_36.compute(over),
  rf: (over) => `RF${cdigit.mod97_10.compute(expanded(`${over}RF`))}`,
};

const textOf = (characters: string[]) =>
  fc
    .array(fc.constantFrom(...characters), { minLength: 1, maxLength: 64 })
    .map((list) => list.join(""));
const anyDigits = textOf(DIGITS);
const bodyOf = (check: Check) =>
  check.takesLetters ? fc.oneof(anyDigits, textOf(CHARACTERS)) : anyDigits;

describe.each(checks.map((check) => [check.name, check] as const))("%s", (name, check) => {
  test("is what cdigit computes", () => {
    fc.assert(
      fc.property(bodyOf(check), (over) => {
        expect(written(check, over)).toBe(peers[name]!(over));
      }),
    );
  });

  test("passes over every other byte", () => {
    const others = fc.constantFrom(..."-/. _:@[`{\0\x7Fé年", ...(check.takesLetters ? "" : "aZ"));
    const parts = fc.array(fc.tuple(bodyOf(check), others), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(parts, others, (list, first) => {
        const over = list.map(([body]) => body).join("");
        expect(written(check, first + list.flat().join(""))).toBe(written(check, over));
      }),
    );
  });

  test("finds every wrong digit", () => {
    fc.assert(fc.property(anyDigits, (over) => expect(missed(check, over, DIGITS)).toEqual([])));
  });

  test("is the same over separators alone as over nothing", () => {
    expect(written(check, "")).toBe(written(check, "--"));
  });
});

/** The check of what somebody read: whether it fits is all that tells a wrong one. */
function fits(check: Check, over: string, carried: string): boolean {
  return written(check, over) === carried;
}

/** The texts that fit although one character of another one, or of its check, is wrong. */
function missed(check: Check, over: string, characters: string[]): string[] {
  const carried = written(check, over);
  const wrong = (text: string) =>
    [...text].flatMap((right, place) =>
      characters
        .filter((character) => character !== right)
        .map((character) => text.slice(0, place) + character + text.slice(place + 1)),
    );
  return [
    ...wrong(over).filter((text) => fits(check, text, carried)),
    ...wrong(carried).filter((text) => fits(check, over, text)),
  ];
}

test("mod37 finds every wrong letter, too", () => {
  const check = named("mod37");
  const short = textOf(CHARACTERS).map((text) => text.slice(0, 16));
  fc.assert(fc.property(short, (over) => expect(missed(check, over, CHARACTERS)).toEqual([])));
});

test.each(["damm", "verhoeff", "mod97"])("%s finds every transposition of neighbours", (name) => {
  const check = named(name);
  fc.assert(
    fc.property(anyDigits, (over) => {
      const whole = over + written(check, over);
      const unnoticed = [...whole].slice(1).flatMap((right, place) => {
        const left = whole[place]!;
        const text = whole.slice(0, place) + right + left + whole.slice(place + 2);
        const isSame = left === right;
        return !isSame && fits(check, text.slice(0, over.length), text.slice(over.length))
          ? [text]
          : [];
      });
      expect(unnoticed).toEqual([]);
    }),
  );
});

test.each(["mod97", "mod37", "rf"])("%s takes lower-case letters for upper-case ones", (name) => {
  const check = named(name);
  fc.assert(
    fc.property(textOf(CHARACTERS), (over) => {
      expect(written(check, over.toLowerCase())).toBe(written(check, over));
    }),
  );
});
