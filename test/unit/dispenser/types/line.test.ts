import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { fixedWidth, plain } from "../../../../src/dispenser/types/line.ts";
import type { NumberSource } from "../../../../src/dispenser/types/type.ts";
import { NO_PERIOD } from "../../../../src/dispenser/types/type.ts";
import { NUMBER_MAX } from "../../../../src/dispenser/types/whole-number.ts";

const into = Buffer.alloc(40, "x");

function takeText(numbers: NumberSource): string {
  const { bytes } = numbers;
  numbers.next(into, 3);
  return into.toString("latin1", 3, 3 + bytes);
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
        const series = plain.series({ starting, step });
        const numbers = series.open(0n);
        const count = Math.min(30, Number(series.positions));
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
          const series = plain.series({ starting, step });
          fc.pre(k < series.positions);
          const numbers = series.open(k);
          expect(takeText(numbers)).toBe(series.numberAt(k));
        },
      ),
    );
  });

  test("has as many positions as fit below 2^63", () => {
    expect(plain.series({ starting: 0n, step: 1n }).positions).toBe(2n ** 63n);
    expect(plain.series({ starting: NUMBER_MAX, step: 1n }).positions).toBe(1n);
    expect(plain.series({ starting: 0n, step: NUMBER_MAX }).positions).toBe(2n);
    expect(plain.series({ starting: 1n, step: NUMBER_MAX }).positions).toBe(1n);
  });

  test("shows the last numbers there are", () => {
    const numbers = plain.series({ starting: NUMBER_MAX - 1n, step: 1n }).open(0n);
    expect(takeText(numbers)).toBe("9223372036854775806");
    expect(takeText(numbers)).toBe("9223372036854775807");
    expect(numbers.bytes).toBe(19);
  });
});

describe("a fixed-width line", () => {
  test("pads with zeros on the left", () => {
    const numbers = fixedWidth.series({ length: 4n, starting: 98n, step: 1n }).open(0n);
    expect([1, 2, 3].map(() => takeText(numbers))).toEqual(["0098", "0099", "0100"]);
  });

  test("has only the positions that fit its digits", () => {
    expect(fixedWidth.series({ length: 2n, starting: 0n, step: 1n }).positions).toBe(100n);
    expect(fixedWidth.series({ length: 2n, starting: 95n, step: 3n }).positions).toBe(2n);
    expect(fixedWidth.series({ length: 18n, starting: 0n, step: 1n }).positions).toBe(10n ** 18n);
  });
});

test("positionFrom finds the first number that is not below", () => {
  fc.assert(
    fc.property(anyNumber, anyStep, anyNumber, (starting, step, number) => {
      const series = plain.series({ starting, step });
      const position = series.positionFrom(String(number), NO_PERIOD) as bigint;
      expect(BigInt(series.numberAt(position))).toBeGreaterThanOrEqual(number);
      if (position > 0n) expect(BigInt(series.numberAt(position - 1n))).toBeLessThan(number);
    }),
  );
});
