import fc from "fast-check";
import { Refusal } from "../../../../src/base/errors.ts";
import { code } from "../../../../src/dispenser/types/code.ts";
import { fixedWidth, plain } from "../../../../src/dispenser/types/line.ts";
import { random } from "../../../../src/dispenser/types/random.ts";
import type {
  NumberSeries,
  NumberSource,
  NumberType,
} from "../../../../src/dispenser/types/type.ts";
import { describeType } from "./conformance.ts";

const MAX = 2n ** 63n - 1n;

const number = (min: bigint, max: bigint) => fc.bigInt({ min, max }).map(String);
const anyLength = fc.integer({ min: 1, max: 18 });

describeType({
  type: random,
  fields: anyLength.map((length) => ({ length: String(length) })),
  refused: [
    ["length", "0"],
    ["length", "19"],
    ["length", "x"],
    ["length", ""],
  ],
});

describeType({
  type: fixedWidth,
  fields: anyLength.chain((length) =>
    fc.record(
      {
        length: fc.constant(String(length)),
        starting: number(0n, 10n ** BigInt(length) - 1n),
        step: fc.oneof(number(1n, 1000n), number(1n, MAX)),
      },
      { requiredKeys: ["length"] },
    ),
  ),
  refused: [
    ["length", "19"],
    ["starting", "1000000000000000000"],
    ["starting", "-1"],
    ["step", "0"],
    ["step", "9223372036854775808"],
  ],
});

describeType({
  type: plain,
  fields: fc.record(
    { starting: number(0n, MAX), step: fc.oneof(number(1n, 1000n), number(1n, MAX)) },
    { requiredKeys: [] },
  ),
  refused: [
    ["starting", "9223372036854775808"],
    ["starting", "1.5"],
    ["step", "0"],
  ],
});

const anyKey = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((key) => Buffer.from(key).toString("hex"));
const anyCharacters = fc
  .uniqueArray(fc.integer({ min: 33, max: 126 }), { minLength: 2, maxLength: 64 })
  .map((bytes) => String.fromCharCode(...bytes));
const anyAlphabet = fc.oneof(
  fc.constantFrom("hex", "base32", "base36", "base58", "base62", "safe"),
  anyCharacters,
);
const codeLength = (most: number) => fc.integer({ min: 4, max: most }).map(String);

describeType({
  type: code,
  fields: fc.oneof(
    fc.record({ length: codeLength(18), key: anyKey }),
    fc.record({ length: codeLength(16), alphabet: anyAlphabet, key: anyKey }),
  ),
  refused: [
    ["length", "3"],
    ["length", "19"],
    ["alphabet", "x"],
    ["alphabet", "aba"],
    ["alphabet", "HEX"],
    ["alphabet", "Safe"],
    ["alphabet", "a b"],
    ["alphabet", "caf\u00e9"],
  ],
});

/**
 * A type that nobody needs, as a stranger would write it in a file of its own: even numbers in
 * hexadecimal, no decimal numbers among them, so that nothing is taken for one.
 */
const HALF_MAX = 2n ** 62n;
const evenHexadecimal: NumberType = {
  code: 99,
  word: "even",
  hasPositions: true,
  isOrdered: true,
  mayStartOver: true,
  level: 3,
  fields: [
    {
      name: "from",
      preset: "0",
      mayGrow: false,
      read: (text) =>
        /^(0|[1-9a-f][0-9a-f]{0,15})$/.test(text) && BigInt(`0x${text}`) < 2n * HALF_MAX
          ? text
          : new Refusal(`ERR invalid from '${text}': must be hexadecimal, below 2^63`),
    },
  ],
  series: ({ from }) => new EvenNumbers(BigInt(`0x${from}`)),
};

class EvenNumbers implements NumberSeries {
  readonly positions: bigint;
  readonly progression = undefined;
  private readonly first: bigint;

  constructor(from: bigint) {
    this.first = from + (from % 2n);
    this.positions = HALF_MAX - from / 2n;
  }

  numberAt(position: bigint): string {
    return `x${(this.first + 2n * position).toString(16)}`;
  }

  positionOf(text: string): bigint | undefined {
    if (!/^x[0-9a-f]{1,16}$/.test(text)) return undefined;
    const position = (BigInt(`0x${text.slice(1)}`) - this.first) / 2n;
    const isIts = position >= 0n && position < this.positions && this.numberAt(position) === text;
    return isIts ? position : undefined;
  }

  positionOnceOf(text: string): bigint | undefined {
    return this.positionOf(text);
  }

  positionFrom(text: string): bigint | Refusal {
    return this.positionOf(text) ?? new Refusal("ERR invalid number: it is none of this line");
  }

  fieldFrom(): undefined {
    return undefined;
  }

  open(position: bigint): NumberSource {
    const numbers = this;
    let at = position;
    return {
      get bytes() {
        return numbers.numberAt(at).length;
      },
      next: (into, to) => void into.set(Buffer.from(numbers.numberAt(at++)), to),
    };
  }
}

describeType({
  type: evenHexadecimal,
  fields: fc.record(
    { from: fc.bigInt({ min: 0n, max: 2n ** 60n }).map((from) => from.toString(16)) },
    { requiredKeys: [] },
  ),
  refused: [
    ["from", "g"],
    ["from", "8000000000000000"],
  ],
});
