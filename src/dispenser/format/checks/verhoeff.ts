/**
 * The digit of J. Verhoeff (Error Detecting Decimal Codes, 1969). It finds every wrong digit and
 * every transposition of neighbours.
 */

import { BYTE_OF_VALUE, DIGIT_MAX, VALUE_OF_BYTE } from "./characters.ts";
import type { Check } from "./check.ts";

/** The dihedral group of order 10: the product by its two factors. */
// biome-ignore format: a row for each first factor
const PRODUCT = Uint8Array.of(
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
  1, 2, 3, 4, 0, 6, 7, 8, 9, 5,
  2, 3, 4, 0, 1, 7, 8, 9, 5, 6,
  3, 4, 0, 1, 2, 8, 9, 5, 6, 7,
  4, 0, 1, 2, 3, 9, 5, 6, 7, 8,
  5, 9, 8, 7, 6, 0, 4, 3, 2, 1,
  6, 5, 9, 8, 7, 1, 0, 4, 3, 2,
  7, 6, 5, 9, 8, 2, 1, 0, 4, 3,
  8, 7, 6, 5, 9, 3, 2, 1, 0, 4,
  9, 8, 7, 6, 5, 4, 3, 2, 1, 0,
);

/** The element whose product with each is 0. */
const INVERSE = Uint8Array.of(0, 4, 3, 2, 1, 5, 6, 7, 8, 9);

/** The digit by its place from the right and its value; the ninth place is as the first one. */
// biome-ignore format: a row for each place
const PERMUTED = Uint8Array.of(
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
  1, 5, 7, 6, 2, 8, 3, 0, 9, 4,
  5, 8, 0, 3, 7, 9, 6, 1, 4, 2,
  8, 9, 1, 6, 0, 4, 3, 5, 2, 7,
  9, 4, 5, 3, 1, 2, 6, 8, 7, 0,
  4, 2, 8, 6, 5, 7, 3, 9, 0, 1,
  2, 7, 9, 3, 8, 0, 6, 4, 1, 5,
  7, 0, 4, 6, 9, 1, 3, 2, 5, 8,
);
const ROW = 10;

/** The product of all digits, each permuted by its place; the check digit itself has place 0. */
export const verhoeff: Check = {
  name: "verhoeff",
  bytes: 1,
  takesLetters: false,
  isInFront: false,
  write(text, from, to, at) {
    let product = 0;
    let row = ROW;
    for (let index = to - 1; index >= from; index--) {
      const digit = VALUE_OF_BYTE[text[index]!]!;
      if (digit > DIGIT_MAX) continue;
      product = PRODUCT[product * ROW + PERMUTED[row + digit]!]!;
      row += ROW;
      if (row === PERMUTED.length) row = 0;
    }
    text[at] = BYTE_OF_VALUE[INVERSE[product]!]!;
  },
};
