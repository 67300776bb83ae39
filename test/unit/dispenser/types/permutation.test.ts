import { expect, test } from "bun:test";
import { createCipheriv } from "node:crypto";
import fc from "fast-check";
import { HALF_MAX, PAIRS_MAX, Permutation } from "../../../../src/dispenser/types/permutation.ts";

/** One pair by the definition, in exact numbers of any size. */
function byDefinition(
  key: Uint8Array,
  [a, b]: readonly [number, number],
  [left, right]: readonly [number, number],
  period: number,
): readonly [number, number] {
  const halves = [BigInt(left), BigInt(right)];
  const limits = [BigInt(a), BigInt(b)];
  for (let round = 0; round < 12; round++) {
    const changed = round % 2;
    const block = Buffer.alloc(16);
    block.writeUIntLE(Number(halves[1 - changed]), 0, 6);
    block.writeUInt16LE(round, 6);
    block.writeBigUInt64LE(BigInt(period), 8);
    const cipher = createCipheriv("aes-128-ecb", key, null).setAutoPadding(false);
    const output = cipher.update(block);
    const value = BigInt(`0x${Buffer.from(output).reverse().toString("hex")}`);
    halves[changed] = (halves[changed]! + value) % limits[changed]!;
  }
  return [Number(halves[0]), Number(halves[1])];
}

const limit = fc.oneof(
  fc.integer({ min: 1, max: 100 }),
  fc.integer({ min: 1, max: 2 ** 20 }),
  fc.constantFrom(2 ** 20, 2 ** 33 - 1, 2 ** 33, 2 ** 33 + 1, HALF_MAX - 1, HALF_MAX),
  fc.integer({ min: 2 ** 20, max: 2 ** 31 - 1 }),
  fc.maxSafeNat().map((value) => 1 + (value % HALF_MAX)),
);
const below = (most: number) => fc.maxSafeNat().map((value) => value % most);
const anyKey = fc.uint8Array({ minLength: 16, maxLength: 16 });
const anyCase = fc.tuple(limit, limit).chain(([a, b]) =>
  fc.record({
    limits: fc.constant([a, b] as const),
    pairs: fc.array(fc.tuple(below(a), below(b)), { minLength: 1, maxLength: PAIRS_MAX }),
    period: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 100_000 }), fc.maxSafeNat()),
    key: anyKey,
  }),
);

test("many pairs at once are permuted as the definition says, each by itself, and restored", () => {
  fc.assert(
    fc.property(anyCase, ({ limits, pairs, period, key }) => {
      const permutation = new Permutation(key, ...limits);
      const all = {
        left: Float64Array.from(pairs, ([left]) => left),
        right: Float64Array.from(pairs, ([, right]) => right),
      };
      const found = () => pairs.map((_, index) => [all.left[index]!, all.right[index]!] as const);
      permutation.permute(all, pairs.length, period);
      expect(found()).toEqual(pairs.map((pair) => byDefinition(key, limits, pair, period)));
      permutation.restore(all, pairs.length, period);
      expect(found()).toEqual(pairs);
    }),
  );
});

test("each period has a permutation of its own", () => {
  const permutation = new Permutation(new Uint8Array(16), 100, 100);
  const of = (period: number) => {
    const left = new Float64Array(PAIRS_MAX);
    const right = Float64Array.from({ length: PAIRS_MAX }, (_, index) => index);
    permutation.permute({ left, right }, PAIRS_MAX, period);
    return [...left, ...right].join(" ");
  };
  const periods = [0, 1, 2, 2 ** 32, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER].map(of);
  expect(new Set(periods).size).toBe(periods.length);
});
