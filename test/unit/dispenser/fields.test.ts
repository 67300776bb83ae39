import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Refusal } from "../../../src/base/errors.ts";
import { type Definition, fieldsOf } from "../../../src/dispenser/definition.ts";
import { define, redefine, withoutReuse } from "../../../src/dispenser/fields.ts";
import { parseNumber } from "../../../src/dispenser/types/whole-number.ts";

const fields = (text: string) => {
  const words = text.split(" ").filter((word) => word !== "");
  const pairs: [string, string][] = [];
  for (let at = 0; at < words.length; at += 2) pairs.push([words[at]!, words[at + 1]!]);
  return new Map(pairs);
};

const shown = (definition: Definition | Refusal) =>
  definition instanceof Refusal
    ? definition.message
    : [...fieldsOf(definition)].map((pair) => pair.join("=")).join(" ");

describe("define", () => {
  const accepted: [string, string][] = [
    ["type 3", "type=3 starting=0 step=1 auto_disk=elegant_close"],
    [
      "type 3 starting 9223372036854775807",
      "type=3 starting=9223372036854775807 step=1 auto_disk=elegant_close",
    ],
    ["type 2 length 6 step 10", "type=2 length=6 starting=0 step=10 auto_disk=elegant_close"],
    ["type 2 length 2 starting 99", "type=2 length=2 starting=99 step=1 auto_disk=elegant_close"],
    ["type 1 length 18 auto_disk memory", "type=1 length=18 auto_disk=memory"],
    ["type 3 step 0007", "type=3 starting=0 step=7 auto_disk=elegant_close"],
  ];
  test.each(accepted)("accepts %s", (given, wanted) => {
    expect(shown(define(fields(given)))).toBe(wanted);
  });

  const whole = (from: string, to: string) => `must be a whole number from ${from} to ${to}`;
  const types = "must be one of 1 (random), 2 (fixed), 3 (increment), 4 (code)";
  const refused: [string, string][] = [
    ["step 1", "ERR type field is required"],
    ["type 5", `ERR invalid type '5': ${types}`],
    ["type 03", `ERR invalid type '03': ${types}`],
    ["type 3 colour red", "ERR unknown field 'colour'"],
    ["type 4", "ERR length field is required"],
    ["type 4 length 17 alphabet hex", `ERR invalid length '17': ${whole("4", "16")}`],
    [
      "type 4 length 4 key 0123",
      "ERR invalid key: must be 32 hex digits, which are not shown here",
    ],
    ["type 4 length 4 starting 1", "ERR 'starting' does not apply to type 4"],
    [
      "type 4 length 4 auto_disk memory",
      "ERR invalid auto_disk 'memory': must be one of pre-base, pre-checkpoint, elegant_close, pre_close for type 4",
    ],
    ["type 1", "ERR length field is required"],
    ["type 2", "ERR length field is required"],
    ["type 1 length 0", `ERR invalid length '0': ${whole("1", "18")}`],
    ["type 2 length 19", `ERR invalid length '19': ${whole("1", "18")}`],
    ["type 1 length 5 step 2", "ERR 'step' does not apply to type 1"],
    ["type 1 length 5 starting 2", "ERR 'starting' does not apply to type 1"],
    ["type 3 length 5", "ERR 'length' does not apply to type 3"],
    ["type 2 length 2 starting 100", `ERR invalid starting '100': ${whole("0", "99")}`],
    ["type 3 step 0", `ERR invalid step '0': ${whole("1", "9223372036854775807")}`],
    [
      "type 3 starting 9223372036854775808",
      `ERR invalid starting '9223372036854775808': ${whole("0", "9223372036854775807")}`,
    ],
    [
      "type 3 auto_disk disk",
      "ERR invalid auto_disk 'disk': must be one of memory, pre-base, pre-checkpoint, elegant_close, pre_close",
    ],
  ];
  test.each(refused)("refuses %s", (given, wanted) => {
    expect(shown(define(fields(given)))).toBe(wanted);
  });
});

describe("redefine", () => {
  const present = define(fields("type 3 starting 5 step 2 auto_disk pre-base")) as Definition;

  test("keeps what is not given, and takes present values as they are", () => {
    const wanted = "type=3 starting=5 step=2 auto_disk=pre-base";
    expect(shown(redefine("x", present, fields("")))).toBe(wanted);
    expect(shown(redefine("x", present, fields("type 3 starting 5 step 02")))).toBe(wanted);
  });

  test("changes the strategy alone", () => {
    expect(shown(redefine("x", present, fields("auto_disk memory")))).toBe(
      "type=3 starting=5 step=2 auto_disk=memory",
    );
  });

  const refused: [string, string][] = [
    ["type 2", "ERR cannot change 'type' of 'x': its numbers are in use. Define another name"],
    [
      "type 1 length 5",
      "ERR cannot change 'type' of 'x': its numbers are in use. Define another name",
    ],
    ["step 3", "ERR cannot change 'step' of 'x': its numbers are in use. Define another name"],
    [
      "starting 0 auto_disk memory",
      "ERR cannot change 'starting' of 'x': its numbers are in use. Define another name",
    ],
    ["length 3", "ERR 'length' does not apply to type 3"],
    ["colour red", "ERR unknown field 'colour'"],
  ];
  test.each(refused)("refuses %s", (given, wanted) => {
    expect(shown(redefine("x", present, fields(given)))).toBe(wanted);
  });
});

test("redefine names the length that changes, whatever the other fields are with it", () => {
  const present = define(fields("type 2 length 3 starting 500")) as Definition;
  const wanted = "ERR cannot change 'length' of 'y': its numbers are in use. Define another name";
  expect(shown(redefine("y", present, fields("length 2")))).toBe(wanted);
  expect(shown(redefine("y", present, fields("length 2 starting 5000")))).toBe(wanted);
  expect(shown(redefine("y", present, fields("length x")))).toStartWith("ERR invalid length 'x'");
});

describe("a length", () => {
  test("of type 2 may grow, and nothing else may with it", () => {
    const present = define(fields("type 2 length 3 starting 500")) as Definition;
    const grown = "type=2 length=4 starting=500 step=1 auto_disk=elegant_close";
    expect(shown(redefine("y", present, fields("length 4")))).toBe(grown);
    expect(shown(redefine("y", present, fields("length 4 starting 0500 step 1")))).toBe(grown);
    expect(shown(redefine("y", present, fields("length 4 starting 501")))).toBe(
      "ERR cannot change 'starting' of 'y': its numbers are in use. Define another name",
    );
    expect(shown(redefine("y", present, fields("length 19")))).toStartWith(
      "ERR invalid length '19'",
    );
  });

  test("of type 1 may not: its numbers are not those of a line", () => {
    const present = define(fields("type 1 length 3")) as Definition;
    const wanted = "ERR cannot change 'length' of 'r': its numbers are in use. Define another name";
    expect(shown(redefine("r", present, fields("length 4")))).toBe(wanted);
  });
});

describe("values", () => {
  const present = define(fields("type 3 auto_disk pre-base")) as Definition;
  const spellings: [string, string][] = [
    ["type Increment auto_disk PRE_CLOSE", "type=3 starting=0 step=1 auto_disk=pre_close"],
    ["type INCREMENT auto_disk pre-close", "type=3 starting=0 step=1 auto_disk=pre_close"],
    [
      "type fixed length 2 auto_disk Pre_Base",
      "type=2 length=2 starting=0 step=1 auto_disk=pre-base",
    ],
    ["type Random length 2 auto_disk elegant-close", "type=1 length=2 auto_disk=elegant_close"],
    ["type 3 auto_disk PRE-CHECKPOINT", "type=3 starting=0 step=1 auto_disk=pre-checkpoint"],
    ["type 3 auto_disk Memory", "type=3 starting=0 step=1 auto_disk=memory"],
  ];
  test.each(spellings)("%s is taken in any case, with either dash", (given, wanted) => {
    expect(shown(define(fields(given)))).toBe(wanted);
  });

  test("given so on a dispenser that is there change nothing where they say the same", () => {
    const same = redefine("x", present, fields("type INCREMENT auto_disk PRE_BASE"));
    expect(same).toBe(present);
    expect(shown(redefine("x", present, fields("type Fixed length 3")))).toStartWith(
      "ERR cannot change 'type' of 'x'",
    );
  });

  test.each(["prebase", "pre--base", "memory ", "5", "fixed-width"])("%p is none", (word) => {
    const [type, strategy] = [
      new Map([["type", word]]),
      new Map([
        ["type", "3"],
        ["auto_disk", word],
      ]),
    ];
    expect(shown(define(type))).toStartWith(`ERR invalid type '${word}'`);
    expect(shown(define(strategy))).toStartWith(`ERR invalid auto_disk '${word}'`);
  });
});

describe("the word reuse", () => {
  test("is no field: it is parted from them, in any case", () => {
    const given = fields("type 3 reuse YES");
    expect(withoutReuse(given)).toEqual({ fields: fields("type 3"), reuse: true });
    expect(withoutReuse(fields("reuse no step 2"))).toEqual({
      fields: fields("step 2"),
      reuse: false,
    });
    expect(withoutReuse(fields("type 3"))).toEqual({ fields: fields("type 3"), reuse: false });
  });

  test("is yes or no", () => {
    const refusal = withoutReuse(fields("reuse 1")) as Refusal;
    expect(refusal.message).toBe("ERR invalid reuse '1': must be yes or no");
  });
});

describe("parseNumber", () => {
  test("reads plain digits up to 2^63 - 1, exactly", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), (number) => {
        expect(parseNumber(number.toString())).toBe(number);
      }),
    );
    expect(parseNumber(`${"0".repeat(1000)}7`)).toBe(7n);
  });

  const wrong = [
    "",
    "1e3",
    "0x10",
    "1.5",
    "+1",
    "-1",
    " 1",
    "1 ",
    "9223372036854775808",
    "9".repeat(40),
    "١",
  ];
  test.each(wrong)("refuses %p", (text) => {
    expect(parseNumber(text)).toBeUndefined();
  });
});
