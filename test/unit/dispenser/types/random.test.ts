import { expect, test } from "bun:test";
import { random } from "../../../../src/dispenser/types/random.ts";

const into = Buffer.alloc(20);

function draw(length: number): string {
  const numbers = random.series({ length: BigInt(length) }).open(0n);
  numbers.next(into, 0);
  return into.toString("latin1", 0, numbers.bytes);
}

test("a number has exactly its digits and does not begin with 0", () => {
  for (let length = 1; length <= 18; length++) {
    for (let count = 0; count < 200; count++) {
      expect(draw(length)).toMatch(new RegExp(`^[1-9][0-9]{${length - 1}}$`));
    }
  }
});

/** Pearson's statistic of counts that should all be alike. */
function chiSquare(counts: number[]): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

test("no digit is likelier than another, at any place", () => {
  const draws = 60_000;
  const first = new Array<number>(9).fill(0);
  const others = [0, 1].map(() => new Array<number>(10).fill(0));
  for (let count = 0; count < draws; count++) {
    const text = draw(3);
    first[Number(text[0]) - 1]!++;
    others[0]![Number(text[1])]!++;
    others[1]![Number(text[2])]!++;
  }
  // Of 8 and 9 degrees of freedom these are exceeded once in ten million runs.
  expect(chiSquare(first)).toBeLessThan(48);
  for (const counts of others) expect(chiSquare(counts)).toBeLessThan(51);
});

test("numbers of 18 digits do not repeat in practice", () => {
  const seen = new Set<string>();
  for (let count = 0; count < 20_000; count++) seen.add(draw(18));
  expect(seen.size).toBe(20_000);
});

test("there is no line: nothing to count, wherever it is opened", () => {
  const series = random.series({ length: 3n });
  expect(series.positions).toBe(0n);
  expect(series.open(5n).bytes).toBe(3);
});
