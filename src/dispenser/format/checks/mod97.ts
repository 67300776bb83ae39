/**
 * The two digits of ISO/IEC 7064 MOD 97-10, as LEI and IBAN carry them. Letters stand for two
 * digits each, A for 10 and Z for 35. It finds every wrong digit, every letter in place of another
 * one, and every transposition of neighbouring digits.
 */

import { BYTE_OF_VALUE, DIGIT_MAX, LETTER_MAX, VALUE_OF_BYTE } from "./characters.ts";
import type { Check } from "./check.ts";

const MODULUS = 97;
/** Up to here another letter stays below 2^31, where integers are fast: fewer divisions. */
const UNREDUCED_MAX = 20_000_000;

/**
 * The remainder, 0 to 96, of the number that the digits and letters of text[from] up to but not
 * including text[to] make.
 */
export function remainderOf(text: Uint8Array, from: number, to: number): number {
  let rest = 0;
  for (let index = from; index < to; index++) {
    const value = VALUE_OF_BYTE[text[index]!]!;
    if (value > LETTER_MAX) continue;
    if (rest > UNREDUCED_MAX) rest %= MODULUS;
    rest = value > DIGIT_MAX ? rest * 100 + value : rest * 10 + value;
  }
  return rest % MODULUS;
}

/**
 * Writes the two check digits, 02 to 98, of a number to `text[at]` and on. `rest` is the number or
 * one with the same remainder, at most 20,000,000.
 */
export function writeDigits(text: Uint8Array, at: number, rest: number): void {
  const digits = MODULUS + 1 - ((rest * 100) % MODULUS);
  const tens = Math.trunc(digits / 10);
  text[at] = BYTE_OF_VALUE[tens]!;
  text[at + 1] = BYTE_OF_VALUE[digits - 10 * tens]!;
}

/** With the check digits behind it, the number leaves 1 when divided by 97. */
export const mod97: Check = {
  name: "mod97",
  bytes: 2,
  takesLetters: true,
  isInFront: false,
  write(text, from, to, at) {
    writeDigits(text, at, remainderOf(text, from, to));
  },
};
