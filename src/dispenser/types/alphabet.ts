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
  const isSet = /^[!-~]+$/.test(text) && new Set(text).size === text.length;
  if (isSet && text.length >= 2 && text.length <= CHARACTERS_MAX) return text;
  const names = Object.keys(NAMED).join(", ");
  return invalid(
    "alphabet",
    text,
    `must be one of ${names}, or 2 to ${CHARACTERS_MAX} different characters of printable ASCII, without a space`,
  );
}

/** The characters of an alphabet. */
export const charactersOf = (alphabet: string): string => NAMED[alphabet] ?? alphabet;

/** All texts of `length` characters of an alphabet, counted from 0 in the order of the alphabet. */
export class Texts {
  /** How many there are. */
  readonly count: number;
  readonly length: number;
  /** The number of the first one, if those before it do not count. */
  private readonly first: number;
  private readonly characters: Uint8Array;
  /** The value of each byte as a character; -1 for none. */
  private readonly values: Int8Array;

  /** `withoutZero`: the texts that begin with the first character of the alphabet do not count. */
  constructor(alphabet: string, length: number, withoutZero: boolean) {
    this.characters = Buffer.from(charactersOf(alphabet), "latin1");
    this.values = new Int8Array(256).fill(-1);
    for (const [value, byte] of this.characters.entries()) this.values[byte] = value;
    const radix = this.characters.length;
    this.length = length;
    this.first = withoutZero ? radix ** (length - 1) : 0;
    this.count = radix ** length - this.first;
  }

  /** Writes text number `index` to `into[at]` and on. */
  write(index: number, into: Uint8Array, at: number): void {
    const { characters } = this;
    const radix = characters.length;
    let rest = index + this.first;
    for (let to = at + this.length - 1; to >= at; to--) {
      const more = Math.floor(rest / radix);
      into[to] = characters[rest - more * radix]!;
      rest = more;
    }
  }

  /** The number of the text that begins at a character of another text; undefined where it is none of them. */
  indexOf(text: string, at: number): number | undefined {
    let index = 0;
    for (let from = at; from < at + this.length; from++) {
      const value = this.values[text.charCodeAt(from)] ?? -1;
      if (value < 0) return undefined;
      index = index * this.characters.length + value;
    }
    return index < this.first ? undefined : index - this.first;
  }
}
