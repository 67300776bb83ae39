/** The characters that codes are written in, and the texts of a length that they make. */

import { invalid, type Refusal } from "../../base/errors.ts";

/** The alphabets that have a name. */
const NAMED: Readonly<Record<string, string>> = {
  digits: "0123456789",
  hex: "0123456789abcdef",
  base32: "0123456789ABCDEFGHJKMNPQRSTVWXYZ",
  base36: "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
  base58: "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz",
  base62: "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
  safe: "23456789BCDFGHJKMNPQRSTVWXZ",
};

/** The alphabet whose texts never begin with its first character: numbers of so many digits. */
export const DIGITS = "digits";

const CHARACTERS_MAX = 64;

/** Reads the field `alphabet`: a name, or 2 to 64 different characters of printable ASCII. */
export function readAlphabet(text: string): string | Refusal {
  if (Object.hasOwn(NAMED, text)) return text;
  // HEX could mean the digits of hex, or in capitals, or these three letters.
  const isDoubtful = Object.hasOwn(NAMED, text.toLowerCase());
  const isSet = !isDoubtful && /^[!-~]+$/.test(text) && new Set(text).size === text.length;
  if (isSet && text.length >= 2 && text.length <= CHARACTERS_MAX) return text;
  const names = Object.keys(NAMED).join(", ");
  return invalid(
    "alphabet",
    text,
    `must be one of ${names} in lower case, or 2 to ${CHARACTERS_MAX} different characters of printable ASCII, without a space`,
  );
}

/** The characters of an alphabet. */
export const charactersOf = (alphabet: string): string => NAMED[alphabet] ?? alphabet;

/** The characters of all numbers below radix^2, two each: one look-up for two characters. */
interface Twins {
  readonly radix: number;
  readonly characters: Uint8Array;
  /** The value of each byte as a character; -1 for none. */
  readonly values: Int8Array;
}

/**
 * By alphabet; those of the user's own are few, and of others there are more lines than alphabets.
 */
const made = new Map<string, Twins>();
const MADE_MAX = 100;

function twinsOf(alphabet: string): Twins {
  const found = made.get(alphabet);
  if (found !== undefined) return found;
  const single = Buffer.from(charactersOf(alphabet), "latin1");
  const radix = single.length;
  const characters = new Uint8Array(2 * radix * radix);
  for (let index = 0; index < radix * radix; index++) {
    characters[2 * index] = single[Math.floor(index / radix)]!;
    characters[2 * index + 1] = single[index % radix]!;
  }
  const values = new Int8Array(256).fill(-1);
  for (const [value, byte] of single.entries()) values[byte] = value;
  const twins = { radix, characters, values };
  if (made.size >= MADE_MAX) made.clear();
  made.set(alphabet, twins);
  return twins;
}

/** All texts of `length` characters of an alphabet, counted from 0 in the order of the alphabet. */
export class Texts {
  /** How many there are. */
  readonly count: number;
  readonly length: number;
  /** The number of the first one, if those before it do not count. */
  private readonly first: number;
  private readonly twins: Twins;

  /** `withoutZero`: the texts that begin with the first character of the alphabet do not count. */
  constructor(alphabet: string, length: number, withoutZero: boolean) {
    this.twins = twinsOf(alphabet);
    const { radix } = this.twins;
    this.length = length;
    this.first = withoutZero ? radix ** (length - 1) : 0;
    this.count = radix ** length - this.first;
  }

  /**
   * Writes the texts of the first `count` numbers to `into[at]` and on, each `apart` bytes behind the
   * one before.
   */
  writeEach(
    numbers: Float64Array,
    count: number,
    into: Uint8Array,
    at: number,
    apart: number,
  ): void {
    const { first, length } = this;
    const { radix, characters } = this.twins;
    const square = radix * radix;
    for (let index = 0; index < count; index++) {
      const start = at + index * apart;
      let rest = numbers[index]! + first;
      let to = start + length;
      while (to - start > 1) {
        const more = Math.floor(rest / square);
        const twin = 2 * (rest - more * square);
        to -= 2;
        into[to] = characters[twin]!;
        into[to + 1] = characters[twin + 1]!;
        rest = more;
      }
      if (to > start) into[start] = characters[2 * rest + 1]!;
    }
  }

  /**
   * The number of the text that begins at a character of another text; undefined where it is none
   * of them.
   */
  indexOf(text: string, at: number): number | undefined {
    const { values, radix } = this.twins;
    let index = 0;
    for (let from = at; from < at + this.length; from++) {
      const value = values[text.charCodeAt(from)] ?? -1;
      if (value < 0) return undefined;
      index = index * radix + value;
    }
    return index < this.first ? undefined : index - this.first;
  }
}
