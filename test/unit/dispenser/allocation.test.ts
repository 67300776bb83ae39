import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  type Allocation,
  Leased,
  nothingLeased,
  Striped,
  wholeLine,
} from "../../../src/dispenser/allocation.ts";
import { numbersLeft } from "../../../src/dispenser/definition.ts";
import { Dispenser } from "../../../src/dispenser/dispenser.ts";
import { define } from "../../../src/dispenser/fields.ts";
import { definitionOf } from "../storage/conformance.ts";

const MAX = 2n ** 63n - 1n;

/** What every share has to be, on a line of so many positions. */
function checkShare(allocation: Allocation, positions: bigint, local: bigint): void {
  const at = allocation.toLine(local);
  const together = allocation.contiguous(local);
  expect(together).toBeGreaterThanOrEqual(1n);
  expect(allocation.toLine(local + 1n)).toBeGreaterThan(at);
  if (local < allocation.size(positions)) {
    expect(at).toBeLessThan(positions);
    expect(allocation.countBelow(at)).toBe(local);
    expect(allocation.countBelow(at + 1n)).toBe(local + 1n);
    if (together > 1n) expect(allocation.toLine(local + 1n)).toBe(at + 1n);
  }
}

const nodes = fc
  .integer({ min: 1, max: 1000 })
  .chain((of) => fc.tuple(fc.integer({ min: 1, max: of }), fc.constant(of)));

test("a allocation of every n-th run is in order, and knows what lies below", () => {
  const positions = fc.bigInt({ min: 0n, max: MAX + 1n });
  fc.assert(
    fc.property(
      nodes,
      positions,
      fc.bigInt({ min: 0n, max: 2n ** 50n }),
      ([index, of], end, local) => {
        checkShare(new Striped(index, of), end, local);
      },
    ),
  );
});

test("the shares of all nodes are the line, each position once", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 7 }), fc.bigInt({ min: 0n, max: 20_000n }), (of, end) => {
      const seen = new Set<bigint>();
      for (let index = 1; index <= of; index++) {
        const allocation = new Striped(index, of);
        for (let local = 0n; local < allocation.size(end); local++)
          seen.add(allocation.toLine(local));
      }
      expect(BigInt(seen.size)).toBe(end);
    }),
    { numRuns: 30 },
  );
});

test("a leased allocation is in order, and knows what lies below", () => {
  const steps = fc.array(
    fc.tuple(fc.bigInt({ min: 0n, max: 50n }), fc.bigInt({ min: 1n, max: 50n })),
    { minLength: 1, maxLength: 8 },
  );
  fc.assert(
    fc.property(steps, fc.bigInt({ min: 0n, max: 400n }), (gaps, local) => {
      let allocation = nothingLeased;
      for (const [gap, count] of gaps)
        allocation = allocation.with(allocation.lineEnd + gap, count, 0n);
      checkShare(allocation, MAX, local);
      expect(allocation.size()).toBe(gaps.reduce((sum, [, count]) => sum + count, 0n));
    }),
  );
});

test("runs that are used up are forgotten, and nothing else changes", () => {
  const allocation = nothingLeased.with(100n, 10n, 0n).with(500n, 10n, 5n).with(900n, 10n, 10n);
  expect(allocation.ranges.map(({ local }) => local)).toEqual([10n, 20n]);
  expect(allocation.toLine(15n)).toBe(505n);
  expect(allocation.end).toBe(30n);
});

test.each([
  [[{ local: 0n, first: 5n, count: 0n }]],
  [
    [
      { local: 0n, first: 5n, count: 2n },
      { local: 3n, first: 7n, count: 2n },
    ],
  ],
  [
    [
      { local: 0n, first: 5n, count: 2n },
      { local: 2n, first: 6n, count: 2n },
    ],
  ],
])("runs that contradict each other are no allocation: %p", (runs) => {
  expect(() => new Leased(runs)).toThrow();
});

describe("a dispenser with a allocation", () => {
  const line = definitionOf({ type: "3", starting: "10", step: "3", auto_disk: "memory" });
  const take = (dispenser: Dispenser, count: number): string[] => {
    const numbers: string[] = [];
    for (let taken = 0; taken < count && dispenser.nextBytes > 0; taken++) {
      const into = new Uint8Array(dispenser.nextBytes);
      dispenser.take(into, 0);
      numbers.push(Buffer.from(into).toString());
    }
    return numbers;
  };

  test("hands out the numbers of its runs alone, in order", () => {
    const dispenser = new Dispenser(1, "x", line, new Striped(2, 3));
    const numbers = take(dispenser, 2001).map(Number);
    expect(numbers[0]).toBe(10 + 3 * 1000);
    expect(numbers[999]).toBe(10 + 3 * 1999);
    expect(numbers[1000]).toBe(10 + 3 * 4000);
    expect(numbers[2000]).toBe(10 + 3 * 7000);
    expect(dispenser.current).toBe(String(10 + 3 * 7001));
  });

  test("has the numbers that lie in its runs, up to the line's end", () => {
    const short = define(new Map(Object.entries({ type: "2", length: "4" })));
    for (const [index, numbers] of [
      [1, 4000],
      [2, 3000],
      [3, 3000],
    ] as const) {
      expect(numbersLeft(short as typeof line, new Striped(index, 3), 0n)).toBe(numbers);
    }
    expect(numbersLeft(short as typeof line, wholeLine, 9000n)).toBe(1000);
  });

  test("goes on where the next lease begins", () => {
    const dispenser = new Dispenser(1, "x", line, nothingLeased);
    expect(dispenser.nextBytes).toBe(0);
    dispenser.extend(2n, 2n, 1);
    expect(take(dispenser, 9)).toEqual(["16", "19"]);
    expect(dispenser.nextBytes).toBe(0);
    dispenser.extend(7n, 1n, 1);
    expect(take(dispenser, 9)).toEqual(["31"]);
  });

  test("asks for the next lease when so many were taken", () => {
    const dispenser = new Dispenser(1, "x", line, nothingLeased);
    dispenser.extend(0n, 10n, 4);
    take(dispenser, 3);
    expect(dispenser.taken >= dispenser.refillThreshold).toBe(false);
    take(dispenser, 1);
    expect(dispenser.taken >= dispenser.refillThreshold).toBe(true);
  });

  test("in memory it goes on behind all that it leased before", () => {
    const allocation = nothingLeased.with(0n, 10n, 0n);
    const account = { reserved: 0n, generated: 0n, wasted: 0n };
    const dispenser = new Dispenser(1, "x", line, allocation, { account, segmentEnd: undefined });
    expect(dispenser.nextBytes).toBe(0);
    expect(dispenser.counts).toEqual({ generated: 0n, wasted: 0n });
    dispenser.extend(50n, 1n, 1);
    expect(take(dispenser, 2)).toEqual([String(10 + 3 * 50)]);
  });
});
