/**
 * The digit of the GS1 General Specifications, as GTIN (EAN, UPC), SSCC and GLN carry it. It finds
 * every wrong digit, and transpositions of neighbours unless they differ by 5.
 */

import { BYTE_OF_VALUE, DIGIT_MAX, VALUE_OF_BYTE } from "./characters.ts";
import type { Check } from "./check.ts";

const LAST_WEIGHT = 3;
/** Of two neighbours' weights, 3 and 1. */
const BOTH_WEIGHTS = 4;

/** The digits are weighted with 3 and 1 in turn, from the right. */
export const gs1: Check = {
  name: "gs1",
  bytes: 1,
  takesLetters: false,
  isInFront: false,
  write(text, from, to, at) {
    let sum = 0;
    let weight = LAST_WEIGHT;
    for (let index = to - 1; index >= from; index--) {
      const digit = VALUE_OF_BYTE[text[index]!]!;
      if (digit > DIGIT_MAX) continue;
      sum += digit * weight;
      weight = BOTH_WEIGHTS - weight;
    }
    text[at] = BYTE_OF_VALUE[(10 - (sum % 10)) % 10]!;
  },
};
