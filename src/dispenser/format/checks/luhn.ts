/**
 * The digit of ISO/IEC 7812-1, Annex B (H. P. Luhn 1960), as payment cards and IMEIs carry it. It
 * finds every wrong digit, and every transposition of neighbours but 09 and 90.
 */

import { BYTE_OF_VALUE, DIGIT_MAX, VALUE_OF_BYTE } from "./characters.ts";
import type { Check } from "./check.ts";

/** Each digit twice, and the digits of that added up. */
const DOUBLED = Uint8Array.of(0, 2, 4, 6, 8, 1, 3, 5, 7, 9);

/** Every second digit is doubled, from the right, the last one included. */
export const luhn: Check = {
  name: "luhn",
  bytes: 1,
  takesLetters: false,
  isInFront: false,
  write(text, from, to, at) {
    let sum = 0;
    let isDoubled = true;
    for (let index = to - 1; index >= from; index--) {
      const digit = VALUE_OF_BYTE[text[index]!]!;
      if (digit > DIGIT_MAX) continue;
      sum += isDoubled ? DOUBLED[digit]! : digit;
      isDoubled = !isDoubled;
    }
    text[at] = BYTE_OF_VALUE[(10 - (sum % 10)) % 10]!;
  },
};
