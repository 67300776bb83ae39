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
/** A half of a pair is below this. */
export const HALF_MAX = 2 ** 48;

/** The blocks of one round: for all permutations, because nothing stays in them. */
const blocks = new Uint32Array(PAIRS_MAX * BLOCK_WORDS);
const blockBytes = new Uint8Array(blocks.buffer);

type Cipher = ReturnType<typeof createCipheriv>;

/** The cipher that was used last: one for each of a million lines would take more than the lines. */
let lastKey: Uint8Array | undefined;
let lastCipher: Cipher | undefined;

function cipherOf(key: Uint8Array): Cipher {
  if (lastCipher === undefined || lastKey !== key) {
    lastKey = key;
    lastCipher = createCipheriv("aes-128-ecb", key, null).setAutoPadding(false);
  }
  return lastCipher;
}

/** Pairs, one after the other: left, right, left, right. */
export type Pairs = Float64Array;

export class Permutation {
  private readonly key: Uint8Array;
  private readonly reduceLeft: Reduce;
  private readonly reduceRight: Reduce;
  private readonly a: number;
  private readonly b: number;

  /** The key has 16 bytes; a and b are from 1 to HALF_MAX. */
  constructor(key: Uint8Array, a: number, b: number) {
    this.key = key;
    this.a = a;
    this.b = b;
    this.reduceLeft = reductionTo(a);
    this.reduceRight = reductionTo(b);
  }

  /** Replaces the first `count` pairs, at most PAIRS_MAX, by those that the permutation of a period makes of them. */
  permute(pairs: Pairs, count: number, period: number): void {
    for (let round = 0; round < ROUNDS; round++) this.round(pairs, count, period, round, 1);
  }

  /** Takes permute() back. */
  restore(pairs: Pairs, count: number, period: number): void {
    for (let round = ROUNDS; round-- > 0; ) this.round(pairs, count, period, round, -1);
  }

  private round(pairs: Pairs, count: number, period: number, round: number, sign: 1 | -1): void {
    const changed = round % 2;
    const limit = changed === 0 ? this.a : this.b;
    const reduce = changed === 0 ? this.reduceLeft : this.reduceRight;
    const words = this.encrypt(pairs, count, period, round);
    for (let index = 0; index < count; index++) {
      const at = 2 * index + changed;
      const sum = pairs[at]! + sign * reduce(words, BLOCK_WORDS * index);
      pairs[at] = sum >= limit ? sum - limit : sum < 0 ? sum + limit : sum;
    }
  }

  /** AES of the half that a round does not change, the number of the round, and the period. */
  private encrypt(pairs: Pairs, count: number, period: number, round: number): Uint32Array {
    const periodLow = period % WORD;
    const periodHigh = Math.floor(period / WORD);
    const other = 1 - (round % 2);
    for (let index = 0; index < count; index++) {
      const half = pairs[2 * index + other]!;
      const at = BLOCK_WORDS * index;
      blocks[at] = half;
      blocks[at + 1] = Math.floor(half / WORD) + HALF_WORD * round;
      blocks[at + 2] = periodLow;
      blocks[at + 3] = periodHigh;
    }
    const bytes = cipherOf(this.key).update(blockBytes.subarray(0, count * BLOCK_BYTES));
    return new Uint32Array(bytes.buffer, bytes.byteOffset, count * BLOCK_WORDS);
  }
}

/** The number of 128 bits in four words, the lowest first, modulo a divisor. */
type Reduce = (words: Uint32Array, at: number) => number;

/**
 * Each step is exact, because nothing in it passes 2^53: with a small divisor a word is taken at a
 * time, with a larger one half a word. Past that the steps are powers of two, which a number holds
 * exactly whatever their size, and `%` is exact in IEEE 754.
 */
function reductionTo(divisor: number): Reduce {
  const inverse = 1 / divisor;
  const modulo = (value: number): number => {
    const rest = value - Math.floor(value * inverse) * divisor;
    return rest < 0 ? rest + divisor : rest >= divisor ? rest - divisor : rest;
  };
  if (divisor <= 2 ** 20) {
    return (words, at) => {
      let rest = modulo(words[at + 3]!);
      for (let word = at + 2; word >= at; word--) rest = modulo(rest * WORD + words[word]!);
      return rest;
    };
  }
  if (divisor <= 2 ** 36) {
    return (words, at) => {
      let rest = 0;
      for (let word = at + 3; word >= at; word--) {
        rest = modulo(rest * HALF_WORD + (words[word]! >>> 16));
        rest = modulo(rest * HALF_WORD + (words[word]! & 0xffff));
      }
      return rest;
    };
  }
  return (words, at) => {
    let rest = 0;
    for (let word = at + 3; word >= at; word--) {
      rest = (((rest * WORD) % divisor) + words[word]!) % divisor;
    }
    return rest;
  };
}
