/** What every type of dispenser has to do, whatever its numbers are: one suite for all of them. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Refusal } from "../../../../src/base/errors.ts";
import { type Allocation, Striped, wholeLine } from "../../../../src/dispenser/allocation.ts";
import { Definition } from "../../../../src/dispenser/definition.ts";
import { Dispenser } from "../../../../src/dispenser/dispenser.ts";
import type {
  NumberSeries,
  NumberSource,
  NumberType,
  Value,
  Values,
} from "../../../../src/dispenser/types/type.ts";
import { NO_PERIOD } from "../../../../src/dispenser/types/type.ts";

export interface TypeUnderTest {
  readonly type: NumberType;
  /** Texts of its fields with which HSET makes a series; those that have a preset may be missing. */
  readonly fields: fc.Arbitrary<Readonly<Record<string, string>>>;
  /** Texts of single fields that HSET has to refuse. */
  readonly refused: readonly (readonly [field: string, text: string])[];
}

const GUARD = 0xa5;
const ROOM = 200;

/** Takes the next number, and looks that nothing else was written. */
function takeText(source: NumberSource): string {
  const { bytes } = source;
  expect(bytes).toBeGreaterThan(0);
  const into = new Uint8Array(ROOM).fill(GUARD);
  source.next(into, 3);
  expect(into.subarray(0, 3).every((byte) => byte === GUARD)).toBe(true);
  expect(into.subarray(3 + bytes).every((byte) => byte === GUARD)).toBe(true);
  return Buffer.from(into.subarray(3, 3 + bytes)).toString("latin1");
}

function readAll(
  { fields }: NumberType,
  texts: Readonly<Record<string, string>>,
): Values | Refusal {
  const values: Record<string, Value> = {};
  for (const { name, preset, draw, read } of fields) {
    const text = texts[name] ?? preset ?? draw?.();
    if (text === undefined) return new Refusal(`no ${name}`);
    const value = read(text, values);
    if (value instanceof Refusal) return value;
    values[name] = value;
  }
  return values;
}

const seriesOf = (type: NumberType, texts: Readonly<Record<string, string>>): NumberSeries =>
  type.series(readAll(type, texts) as Values);

const dispenserOf = (type: NumberType, values: Values, allocation: Allocation): Dispenser =>
  new Dispenser(1, "x", new Definition(type, values, "memory"), allocation);

export function describeType({ type, fields, refused }: TypeUnderTest): void {
  describe(`type ${type.code}, ${type.word}`, () => {
    describeFields({ type, fields, refused });
    if (type.hasPositions) describePositions({ type, fields, refused });
    else {
      test("has numbers without positions", () => {
        fc.assert(
          fc.property(fields, (texts) => {
            const series = seriesOf(type, texts);
            expect(series.positions).toBe(0n);
            const source = series.open(0n);
            for (let count = 0; count < 5; count++) takeText(source);
            expect(series.positionFrom("1", NO_PERIOD)).toBeInstanceOf(Refusal);
          }),
        );
      });
    }
  });
}

function describeFields({ type, fields, refused }: TypeUnderTest): void {
  test("shows values as texts that it reads as the same values", () => {
    fc.assert(
      fc.property(fields, (texts) => {
        const values = readAll(type, texts) as Values;
        expect(values).not.toBeInstanceOf(Refusal);
        expect(Object.keys(values)).toEqual(type.fields.map(({ name }) => name));
        const shown = Object.entries(values).map(([name, value]) => [name, String(value)]);
        expect(readAll(type, Object.fromEntries(shown))).toEqual(values);
      }),
    );
  });

  test("has each field once", () => {
    const names = type.fields.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z][a-z_]*$/);
  });

  test.each([...refused])("refuses %s '%s', naming both and what is allowed", (field, text) => {
    fc.assert(
      fc.property(fields, (texts) => {
        const values = readAll(type, { ...texts, [field]: text });
        expect(values).toBeInstanceOf(Refusal);
        expect((values as Refusal).message).toStartWith(`ERR invalid ${field} '${text}': must be `);
      }),
    );
  });
}

/** A position of a series, near its start, its end or anywhere. */
const anyPosition = (positions: bigint): fc.Arbitrary<bigint> => {
  const last = positions - 1n;
  const near = last < 40n ? last : 40n;
  return fc.oneof(
    fc.bigInt({ min: 0n, max: near }),
    fc.bigInt({ min: last - near, max: last }),
    fc.bigInt({ min: 0n, max: last }),
  );
};

function describePositions({ type, fields }: TypeUnderTest): void {
  const withPosition = fields.chain((texts) => {
    const series = seriesOf(type, texts);
    return fc.record({ series: fc.constant(series), position: anyPosition(series.positions) });
  });

  test("has at least one number, and no more than 2^63", () => {
    fc.assert(
      fc.property(fields, (texts) => {
        const { positions } = seriesOf(type, texts);
        expect(positions).toBeGreaterThan(0n);
        expect(positions).toBeLessThanOrEqual(2n ** 63n);
      }),
    );
  });

  test("opens at any position, and goes on from there as numberAt says", () => {
    fc.assert(
      fc.property(withPosition, ({ series, position }) => {
        const source = series.open(position);
        for (let at = position; at < series.positions && at < position + 70n; at++) {
          expect(takeText(source)).toBe(series.numberAt(at));
        }
      }),
    );
  });

  test("finds the position of each of its numbers, and of no other text", () => {
    fc.assert(
      fc.property(withPosition, ({ series, position }) => {
        const number = series.numberAt(position);
        expect(series.positionOf(number, NO_PERIOD)).toBe(position);
        for (const other of [`0${number}`, `${number} `, ` ${number}`, "", "-1", "x"]) {
          expect(series.positionOf(other, NO_PERIOD)).toBeUndefined();
        }
        expect(series.positionOf(series.numberAt(series.positions), NO_PERIOD)).toBeUndefined();
      }),
    );
  });

  test("writes no number twice", () => {
    fc.assert(
      fc.property(withPosition, ({ series, position }) => {
        const seen = new Set<string>();
        let at = position;
        for (; at < series.positions && at < position + 200n; at++) seen.add(series.numberAt(at));
        expect(BigInt(seen.size)).toBe(at - position);
      }),
    );
  });

  test("advances to its own numbers, at them where it is in order and behind them otherwise", () => {
    fc.assert(
      fc.property(withPosition, ({ series, position }) => {
        const to = series.positionFrom(series.numberAt(position), NO_PERIOD);
        expect(to).toBe(type.isOrdered ? position : position + 1n);
        expect(series.positionFrom("not a number", NO_PERIOD)).toBeInstanceOf(Refusal);
      }),
    );
  });

  test("is the progression that it says it is, and starts where a field of it says", () => {
    fc.assert(
      fc.property(withPosition, ({ series, position }) => {
        const { progression } = series;
        if (progression === undefined) {
          expect(series.fieldFrom(0n)).toBeUndefined();
          return;
        }
        const value = progression.first + progression.step * position;
        expect(BigInt(series.numberAt(position))).toBe(value);
        const [field, text] = series.fieldFrom(value)!.split(" ") as [string, string];
        expect(type.fields.map(({ name }) => name)).toContain(field);
        expect(BigInt(text)).toBe(value);
      }),
    );
  });

  test("gives what grows more numbers, and keeps those that it has", () => {
    const growing = type.fields.filter(({ mayGrow }) => mayGrow);
    fc.assert(
      fc.property(fields, fc.bigInt({ min: 1n, max: 3n }), (texts, more) => {
        const values = readAll(type, texts) as Values;
        for (const { name, read } of growing) {
          const grown = read(String((values[name] as bigint) + more), values);
          if (grown instanceof Refusal) continue;
          const [before, after] = [type.series(values), type.series({ ...values, [name]: grown })];
          expect(after.positions).toBeGreaterThanOrEqual(before.positions);
          expect(BigInt(after.numberAt(0n))).toBe(BigInt(before.numberAt(0n)));
        }
      }),
    );
  });

  test.each([
    ["alone", wholeLine],
    ["as node 2 of 3", new Striped(2, 3)],
  ])("hands out its numbers through a dispenser, %s, to the last one", (_, allocation) => {
    fc.assert(
      fc.property(fields, fc.nat(1500), (texts, before) => {
        const series = seriesOf(type, texts);
        const end = allocation.size(series.positions);
        fc.pre(end > BigInt(before));
        const dispenser = dispenserOf(type, readAll(type, texts) as Values, allocation);
        dispenser.advance(end - BigInt(before));
        const into = new Uint8Array(ROOM);
        for (let local = end - BigInt(before); local < end; local++) {
          const bytes = dispenser.nextBytes;
          dispenser.take(into, 0);
          const text = Buffer.from(into.subarray(0, bytes)).toString("latin1");
          expect(text).toBe(series.numberAt(allocation.toLine(local)));
        }
        expect(dispenser.nextBytes).toBe(0);
      }),
      { numRuns: 10 },
    );
  });
}
