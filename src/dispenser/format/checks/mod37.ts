/**
 * The character of ISO/IEC 7064 MOD 37,36, a hybrid system, as GRid and ISAN carry it: a digit or
 * an upper-case letter. It finds every wrong digit and letter.
 */

import { BYTE_OF_VALUE, LETTER_MAX, VALUE_OF_BYTE } from "./characters.ts";
import type { Check } from "./check.ts";

const CHARACTERS = 36;
const MODULUS = CHARACTERS + 1;

/** Both steps keep `product` from 1 to 36, so that a subtraction is all that a remainder takes. */
export const mod37: Check = {
  name: "mod37",
  bytes: 1,
  takesLetters: true,
  isInFront: false,
  write(text, from, to, at) {
    let product = CHARACTERS;
    for (let index = from; index < to; index++) {
      const value = VALUE_OF_BYTE[text[index]!]!;
      if (value > LETTER_MAX) continue;
      let sum = product + value;
      if (sum > CHARACTERS) sum -= CHARACTERS;
      product = 2 * sum;
      if (product > CHARACTERS) product -= MODULUS;
    }
    text[at] = BYTE_OF_VALUE[(MODULUS - product) % CHARACTERS]!;
  },
};
