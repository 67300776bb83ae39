/**
 * The digit of J. Verhoeff (Error Detecting Decimal Codes, 1969). It finds every wrong digit and
 * every transposition of neighbours.
 */

import { BYTE_OF_VALUE, DIGIT_MAX, digitsOf, VALUE_OF_BYTE } from "./characters.ts";
import type { Check } from "./check.ts";

/** The dihedral group of order 10: the product by its two factors. */
const PRODUCT = digitsOf(
  "0123456789",
  "1234067895",
  "2340178956",
  "3401289567",
  "4012395678",
  "5987604321",
  "6598710432",
  "7659821043",
  "8765932104",
  "9876543210",
);

/** The element whose product with each is 0. */
const INVERSE = Uint8Array.of(0, 4, 3, 2, 1, 5, 6, 7, 8, 9);

/** The digit by its place from the right and its value; the ninth place is as the first one. */
const PERMUTED = digitsOf(
  "0123456789",
  "1576283094",
  "5803796142",
  "8916043527",
  "9453126870",
  "4286573901",
  "2793806415",
  "7046913258",
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
