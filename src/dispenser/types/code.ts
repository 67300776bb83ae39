/**
 * Type 4: codes, unique like the numbers of a line, and impossible to guess. Code k is what a keyed
 * permutation of all texts of its shape makes of text k (permutation.ts), so a code needs no table
 * and no check, and its whole state is k. docs/NUMBERS.md has the argument and its limits.
 */

import { createHash, createHmac } from "node:crypto";
import { smallest } from "../../base/bigint.ts";
import { Refusal } from "../../base/errors.ts";
import { charactersOf, DIGITS, readAlphabet, Texts } from "./alphabet.ts";
import { PAIRS_MAX, type Pairs, Permutation } from "./permutation.ts";
import {
  type FieldSpec,
  NO_PERIOD,
  type NumberSeries,
  type NumberSource,
  type NumberType,
  type Values,
  type When,
} from "./type.ts";
import { NUMBER_MAX, refuseNumber, wholeNumber } from "./whole-number.ts";

const LENGTH_MIN = 4n;
/** Numbers of digits alone may be as long as those of the other types. */
const DIGITS_LENGTH_MAX = 18n;
const LENGTH_MAX = 16n;

const KEY_BYTES = 16;
const FINGERPRINT_DIGITS = 8;

const length = wholeNumber({ name: "length", least: LENGTH_MIN, most: () => DIGITS_LENGTH_MAX });

const alphabet: FieldSpec = {
  name: "alphabet",
  preset: DIGITS,
  mayGrow: false,
  read(text, before) {
    const alphabet = readAlphabet(text);
    const isShort = text === DIGITS || (before.length as bigint) <= LENGTH_MAX;
    if (alphabet instanceof Refusal || isShort) return alphabet;
    return refuseNumber("length", String(before.length), LENGTH_MIN, LENGTH_MAX);
  },
};

const key: FieldSpec = {
  name: "key",
  preset: undefined,
  mayGrow: false,
  draw: () => Buffer.from(crypto.getRandomValues(new Uint8Array(KEY_BYTES))).toString("hex"),
  read: (text) =>
    /^[0-9a-f]{32}$/i.test(text)
      ? text.toLowerCase()
      : new Refusal("ERR invalid key: must be 32 hex digits, which are not shown here"),
  shown: (value) =>
    createHash("sha256")
      .update(Buffer.from(String(value), "hex"))
      .digest("hex")
      .slice(0, FINGERPRINT_DIGITS),
};

export const code: NumberType = {
  code: 4,
  word: "code",
  hasPositions: true,
  isOrdered: false,
  mayStartOver: false,
  level: 3,
  fields: [length, alphabet, key],
  series: (values) => new CodeSeries(values),
};

/** The pairs of the batch under way: one for all lines, because nothing stays in it. */
const pairs: Pairs = {
  left: new Float64Array(PAIRS_MAX),
  right: new Float64Array(PAIRS_MAX),
};

class CodeSeries implements NumberSeries {
  readonly positions: bigint;
  readonly progression = undefined;
  readonly guesses: bigint;
  readonly characters: string;
  /** The front part of a code, and the rest: their numbers are the halves of a pair. */
  readonly left: Texts;
  readonly right: Texts;
  readonly permutation: Permutation;

  constructor({ length, alphabet, key }: Values) {
    const characters = Number(length);
    const front = Math.ceil(characters / 2);
    this.characters = charactersOf(String(alphabet));
    this.left = new Texts(String(alphabet), front, alphabet === DIGITS);
    this.right = new Texts(String(alphabet), characters - front, false);
    this.guesses = BigInt(this.left.count) * BigInt(this.right.count);
    this.positions = smallest(this.guesses, NUMBER_MAX + 1n);
    // Lines that share a key have nothing in common where their shapes differ.
    const shape = createHmac("sha256", Buffer.from(String(key), "hex"))
      .update(`${alphabet} ${length}`)
      .digest();
    this.permutation = new Permutation(
      shape.subarray(0, KEY_BYTES),
      this.left.count,
      this.right.count,
    );
  }

  numberAt(position: bigint, when?: When): string {
    if (position >= this.positions) return "";
    const source = this.open(position, when);
    const into = Buffer.alloc(source.bytes);
    source.next(into, 0);
    return into.toString("latin1");
  }

  positionOf(text: string, period: number): bigint | undefined {
    const { left, right, permutation } = this;
    if (text.length !== left.length + right.length) return undefined;
    const [front, rest] = [left.indexOf(text, 0), right.indexOf(text, left.length)];
    if (front === undefined || rest === undefined) return undefined;
    pairs.left[0] = front;
    pairs.right[0] = rest;
    permutation.restore(pairs, 1, period);
    const position = BigInt(pairs.left[0]!) * BigInt(right.count) + BigInt(pairs.right[0]!);
    return position < this.positions ? position : undefined;
  }

  positionOnceOf(text: string, period: number): bigint | undefined {
    return this.positionOf(text, period);
  }

  /** The line goes on behind a code, because where that stands in it nobody can tell. */
  positionFrom(text: string, period: number): bigint | Refusal {
    const position = this.positionOf(text, period);
    if (position !== undefined) return position + 1n;
    return new Refusal("ERR invalid code: must be one of this line, which goes on behind it");
  }

  fieldFrom(): undefined {
    return undefined;
  }

  open(position: bigint, when?: When): NumberSource {
    return new Codes(this, position, when?.period ?? NO_PERIOD);
  }
}

/**
 * How many codes are made at once: more the longer a line goes on, and again few after a restart.
 */
const BATCHES = [2, 8, 32, PAIRS_MAX] as const;
const NONE = new Uint8Array(0);

class Codes implements NumberSource {
  readonly bytes: number;
  private readonly series: CodeSeries;
  private readonly period: number;
  /** The pair of the code that is made next. */
  private left: number;
  private right: number;
  /** Codes that are made, one after the other, and where the next one begins. */
  private batch: Uint8Array = NONE;
  private used = 0;
  private batches = 0;

  constructor(series: CodeSeries, position: bigint, period: number) {
    const { left, right } = series;
    this.series = series;
    this.period = period;
    this.bytes = left.length + right.length;
    this.left = Number(position / BigInt(right.count));
    this.right = Number(position % BigInt(right.count));
  }

  next(into: Uint8Array, at: number): void {
    if (this.used === this.batch.length) this.refill();
    const { batch, used, bytes } = this;
    for (let index = 0; index < bytes; index++) into[at + index] = batch[used + index]!;
    this.used = used + bytes;
  }

  private refill(): void {
    const { bytes } = this;
    const { left, right, permutation } = this.series;
    const wanted = BATCHES[Math.min(this.batches++, BATCHES.length - 1)]!;
    const count = this.fill(wanted);
    permutation.permute(pairs, count, this.period);
    if (this.batch.length !== count * bytes) this.batch = new Uint8Array(count * bytes);
    const { batch } = this;
    left.writeEach(pairs.left, count, batch, 0, bytes);
    right.writeEach(pairs.right, count, batch, left.length, bytes);
    this.used = 0;
  }

  /** The next pairs, at most so many, fewer at the end of all. Answers how many there are. */
  private fill(wanted: number): number {
    const { left, right } = this.series;
    let count = 0;
    for (; count < wanted && this.left < left.count; count++) {
      pairs.left[count] = this.left;
      pairs.right[count] = this.right;
      if (++this.right === right.count) {
        this.right = 0;
        this.left++;
      }
    }
    return count;
  }
}
