/**
 * A keyed permutation of the pairs (left, right) with 0 <= left < a and 0 <= right < b: Black and
 * Rogaway's generalized Feistel cipher (Ciphers with Arbitrary Finite Domains, CT-RSA 2002,
 * section 5), where a · b is the whole domain, so no value falls outside and none is tried again.
 * A round adds to one half a value that AES-128 makes of the other, reduced to the half's range.
 *
 * The platform's AES permutes many pairs in one call for each round. The key and the bytes of a
 * block decide every code there is: nothing of either may ever change.
 */

import { createCipheriv } from "node:crypto";

/** An even number, so that both halves change as often. The security argument wants at least 6. */
const ROUNDS = 12;
/** How many pairs are permuted at once, at most. */
export const PAIRS_MAX = 64;
const BLOCK_BYTES = 16;
/** A block is four words of 32 bits, the lowest first: Bun runs on little-endian machines alone. */
const BLOCK_WORDS = 4;
const WORD = 2 ** 32;
const HALF_WORD = 2 ** 16;
const LOW = HALF_WORD - 1;
/** A half of a pair is below this. */
export const HALF_MAX = 2 ** 48;

/** The blocks of one round, and what AES makes of them: for all, because nothing stays in them. */
const blocks = new Int32Array(PAIRS_MAX * BLOCK_WORDS);
const blockBytes = new Uint8Array(blocks.buffer);
const words = new Int32Array(PAIRS_MAX * BLOCK_WORDS);
const wordBytes = new Uint8Array(words.buffer);
/** The bytes of so many blocks, by their number: made once, because that takes longer than AES. */
const firstBlocks = Array.from({ length: PAIRS_MAX + 1 }, (_, count) =>
  blockBytes.subarray(0, count * BLOCK_BYTES),
);

type Cipher = ReturnType<typeof createCipheriv>;

/**
 * The cipher that was used last: one for each of a million lines would take more than the lines.
 */
let lastKey: Uint8Array | undefined;
let lastCipher: Cipher | undefined;

function cipherOf(key: Uint8Array): Cipher {
  if (lastCipher === undefined || lastKey !== key) {
    lastKey = key;
    lastCipher = createCipheriv("aes-128-ecb", key, null).setAutoPadding(false);
  }
  return lastCipher;
}

/** Pairs: those of one index belong together. */
export interface Pairs {
  readonly left: Float64Array;
  readonly right: Float64Array;
}

export class Permutation {
  private readonly key: Uint8Array;
  private readonly reduceLeft: Reduction;
  private readonly reduceRight: Reduction;

  /** The key has 16 bytes; a and b are from 1 to HALF_MAX. */
  constructor(key: Uint8Array, a: number, b: number) {
    this.key = key;
    this.reduceLeft = new Reduction(a);
    this.reduceRight = new Reduction(b);
  }

  /**
   * Replaces the first `count` pairs, at most PAIRS_MAX, by those that the permutation of a period
   * makes of them.
   */
  permute(pairs: Pairs, count: number, period: number): void {
    begin(count, period);
    for (let round = 0; round < ROUNDS; round++) this.round(pairs, count, round, 1);
  }

  /** Takes permute() back. */
  restore(pairs: Pairs, count: number, period: number): void {
    begin(count, period);
    for (let round = ROUNDS; round-- > 0; ) this.round(pairs, count, round, -1);
  }

  private round({ left, right }: Pairs, count: number, round: number, sign: 1 | -1): void {
    const isLeft = round % 2 === 0;
    this.encrypt(isLeft ? right : left, count, round);
    const reduction = isLeft ? this.reduceLeft : this.reduceRight;
    reduction.addTo(isLeft ? left : right, count, sign);
  }

  /**
   * AES of the halves that a round does not change, the number of the round, and the period, to
   * `words`.
   */
  private encrypt(halves: Float64Array, count: number, round: number): void {
    const inWord = HALF_WORD * round;
    for (let index = 0; index < count; index++) {
      const half = halves[index]!;
      const high = half < WORD ? 0 : Math.floor(half / WORD);
      blocks[BLOCK_WORDS * index] = (half - high * WORD) | 0;
      blocks[BLOCK_WORDS * index + 1] = high + inWord;
    }
    wordBytes.set(cipherOf(this.key).update(firstBlocks[count]!));
  }
}

/** What all rounds have in their blocks. */
function begin(count: number, period: number): void {
  const high = Math.floor(period / WORD);
  for (let index = 0; index < count; index++) {
    blocks[BLOCK_WORDS * index + 2] = (period - high * WORD) | 0;
    blocks[BLOCK_WORDS * index + 3] = high;
  }
}

/**
 * Up to here eight products of 16 bits and a rest are below 2^52 together. Whatever the divisor, the
 * quotient of their sum is below 2^19, so it is a small integer.
 */
const SUMMED_MAX = 2 ** 33;
const QUOTIENT_MAX = 2 ** 19;
/** Larger rests are taken apart, so that no product passes 2^53. */
const PART = 2 ** 24;

/**
 * Adds numbers of 128 bits modulo a divisor, exactly: each half-word counts times the rest of its
 * place value, so the sum is small and needs one division. No branch depends on the numbers but the
 * one that corrects the quotient, which is one off now and then, as the inverse is rounded.
 */
class Reduction {
  private readonly divisor: number;
  private readonly inverse: number;
  /** The rests of the place values of the eight half-words, and the two parts of each. */
  private readonly rests: Float64Array;
  private readonly highs: Float64Array;
  private readonly lows: Float64Array;

  constructor(divisor: number) {
    this.divisor = divisor;
    this.inverse = 1 / divisor;
    this.rests = Float64Array.from({ length: 8 }, (_, half) =>
      Number(2n ** BigInt(16 * half) % BigInt(divisor)),
    );
    this.highs = this.rests.map((rest) => Math.floor(rest / PART));
    this.lows = this.rests.map((rest) => rest % PART);
  }

  /**
   * Adds to each half, or takes from it, the number in its four `words`, the lowest first, modulo
   * the divisor, which the halves are below.
   */
  addTo(halves: Float64Array, count: number, sign: 1 | -1): void {
    if (this.divisor <= SUMMED_MAX) this.addSums(halves, count, sign);
    else this.addSumsOfParts(halves, count, sign);
  }

  private addSums(halves: Float64Array, count: number, sign: 1 | -1): void {
    const { divisor, inverse, rests } = this;
    const r0 = rests[0]!;
    const r1 = rests[1]!;
    const r2 = rests[2]!;
    const r3 = rests[3]!;
    const r4 = rests[4]!;
    const r5 = rests[5]!;
    const r6 = rests[6]!;
    const r7 = rests[7]!;
    // A multiple of the divisor that is at least any sum.
    const above = divisor * QUOTIENT_MAX;
    for (let index = 0; index < count; index++) {
      const at = BLOCK_WORDS * index;
      const w0 = words[at]!;
      const w1 = words[at + 1]!;
      const w2 = words[at + 2]!;
      const w3 = words[at + 3]!;
      const low = (w0 & LOW) * r0 + (w0 >>> 16) * r1 + (w1 & LOW) * r2 + (w1 >>> 16) * r3;
      const high = (w2 & LOW) * r4 + (w2 >>> 16) * r5 + (w3 & LOW) * r6 + (w3 >>> 16) * r7;
      const sum = halves[index]! + (sign > 0 ? low + high : above - low - high);
      const rest = sum - ((sum * inverse) | 0) * divisor;
      halves[index] = rest >= divisor ? rest - divisor : rest < 0 ? rest + divisor : rest;
    }
  }

  /** The same with the high and the low part of each rest summed apart, for any divisor. */
  private addSumsOfParts(halves: Float64Array, count: number, sign: 1 | -1): void {
    const { divisor, inverse, highs, lows } = this;
    const divisorHigh = Math.floor(divisor / PART);
    const divisorLow = divisor % PART;
    for (let index = 0; index < count; index++) {
      let high = 0;
      let low = 0;
      for (let half = 0; half < 8; half++) {
        const word = words[BLOCK_WORDS * index + (half >> 1)]!;
        const digits = (half & 1) === 0 ? word & LOW : word >>> 16;
        high += digits * highs[half]!;
        low += digits * lows[half]!;
      }
      const quotient = ((high * PART + low) * inverse) | 0;
      // What is left of the high parts is small, so both terms are exact.
      const rest = (high - quotient * divisorHigh) * PART + (low - quotient * divisorLow);
      const sum = halves[index]! + (sign > 0 ? rest : 2 * divisor - rest);
      halves[index] = sum - divisor * ((sum * inverse) | 0);
      if (halves[index]! < 0) halves[index] = halves[index]! + divisor;
      if (halves[index]! >= divisor) halves[index] = halves[index]! - divisor;
    }
  }
}
