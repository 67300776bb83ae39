import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  fixedWidth,
  NUMBER_MAX,
  numberAt,
  plain,
  positionOf,
} from "../../../../src/dispenser/types/line.ts";
import type { NumberSource } from "../../../../src/dispenser/types/type.ts";

const into = Buffer.alloc(40, "x");

function takeText(numbers: NumberSource): string {
  const { digits } = numbers;
  numbers.next(into, 3);
  return into.toString("latin1", 3, 3 + digits);
}

const anyNumber = fc.oneof(
  fc.bigInt({ min: 0n, max: NUMBER_MAX }),
  fc.bigInt({ min: 2n ** 53n - 50n, max: 2n ** 53n + 50n }),
  fc.integer({ min: 1, max: 18 }).map((digits) => 10n ** BigInt(digits) - 2n),
);
const anyStep = fc.oneof(
  fc.constant(1n),
  fc.bigInt({ min: 1n, max: 1000n }),
  fc.bigInt({ min: 1n, max: NUMBER_MAX }),
);

describe("a plain line", () => {
  test("counts exactly from any number by any step, above 2^53 too", () => {
    fc.assert(
      fc.property(anyNumber, anyStep, (starting, step) => {
        const shape = { length: 0, starting, step };
        const numbers = plain.open(shape, 0n);
        const count = Math.min(30, Number(plain.positions(shape)));
        for (let k = 0; k < count; k++) {
          expect(takeText(numbers)).toBe((starting + step * BigInt(k)).toString());
        }
      }),
    );
  });

  test("opens at any position", () => {
    fc.assert(
      fc.property(
        anyNumber,
        anyStep,
        fc.bigInt({ min: 0n, max: 10n ** 6n }),
        (starting, step, k) => {
          const shape = { length: 0, starting, step };
          fc.pre(k < plain.positions(shape));
          const numbers = plain.open(shape, k);
          expect(takeText(numbers)).toBe(numberAt(shape, k).toString());
        },
      ),
    );
  });

  test("has as many positions as fit below 2^63", () => {
    expect(plain.positions({ length: 0, starting: 0n, step: 1n })).toBe(2n ** 63n);
    expect(plain.positions({ length: 0, starting: NUMBER_MAX, step: 1n })).toBe(1n);
    expect(plain.positions({ length: 0, starting: 0n, step: NUMBER_MAX })).toBe(2n);
    expect(plain.positions({ length: 0, starting: 1n, step: NUMBER_MAX })).toBe(1n);
  });

  test("shows the last numbers there are", () => {
    const numbers = plain.open({ length: 0, starting: NUMBER_MAX - 1n, step: 1n }, 0n);
    expect(takeText(numbers)).toBe("9223372036854775806");
    expect(takeText(numbers)).toBe("9223372036854775807");
    expect(numbers.digits).toBe(19);
  });
});

describe("a fixed-width line", () => {
  test("pads with zeros on the left", () => {
    const numbers = fixedWidth.open({ length: 4, starting: 98n, step: 1n }, 0n);
    expect([1, 2, 3].map(() => takeText(numbers))).toEqual(["0098", "0099", "0100"]);
  });

  test("has only the positions that fit its digits", () => {
    expect(fixedWidth.positions({ length: 2, starting: 0n, step: 1n })).toBe(100n);
    expect(fixedWidth.positions({ length: 2, starting: 95n, step: 3n })).toBe(2n);
    expect(fixedWidth.positions({ length: 18, starting: 0n, step: 1n })).toBe(10n ** 18n);
  });
});

test("positionOf finds the first number that is not below", () => {
  fc.assert(
    fc.property(anyNumber, anyStep, anyNumber, (starting, step, number) => {
      const shape = { length: 0, starting, step };
      const position = positionOf(shape, number);
      expect(numberAt(shape, position)).toBeGreaterThanOrEqual(number);
      if (position > 0n) expect(numberAt(shape, position - 1n)).toBeLessThan(number);
    }),
  );
});
