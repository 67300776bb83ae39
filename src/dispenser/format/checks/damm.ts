/**
 * The digit of H. M. Damm (Total anti-symmetrische Quasigruppen, 2004). It finds every wrong digit
 * and every transposition of neighbours.
 */

import { BYTE_OF_VALUE, DIGIT_MAX, digitsOf, VALUE_OF_BYTE } from "./characters.ts";
import type { Check } from "./check.ts";

/** The usual totally anti-symmetric quasigroup of order 10: the next state by state and digit. */
const NEXT_STATE = digitsOf(
  "0317598642",
  "7092154863",
  "4206871359",
  "1750983426",
  "6123045978",
  "3674209581",
  "5869720134",
  "8945362017",
  "9438617205",
  "2581436790",
);

/** The state after the last digit; with it behind them, the digits lead back to state 0. */
export const damm: Check = {
  name: "damm",
  bytes: 1,
  takesLetters: false,
  isInFront: false,
  write(text, from, to, at) {
    let state = 0;
    for (let index = from; index < to; index++) {
      const digit = VALUE_OF_BYTE[text[index]!]!;
      if (digit <= DIGIT_MAX) state = NEXT_STATE[state * 10 + digit]!;
    }
    text[at] = BYTE_OF_VALUE[state]!;
  },
};
