/**
 * The digit of H. M. Damm (Total anti-symmetrische Quasigruppen, 2004). It finds every wrong digit
 * and every transposition of neighbours.
 */

import { BYTE_OF_VALUE, DIGIT_MAX, VALUE_OF_BYTE } from "./characters.ts";
import type { Check } from "./check.ts";

/** The usual totally anti-symmetric quasigroup of order 10: the next state by state and digit. */
// biome-ignore format: a row for each state
const NEXT_STATE = Uint8Array.of(
  0, 3, 1, 7, 5, 9, 8, 6, 4, 2,
  7, 0, 9, 2, 1, 5, 4, 8, 6, 3,
  4, 2, 0, 6, 8, 7, 1, 3, 5, 9,
  1, 7, 5, 0, 9, 8, 3, 4, 2, 6,
  6, 1, 2, 3, 0, 4, 5, 9, 7, 8,
  3, 6, 7, 4, 2, 0, 9, 5, 8, 1,
  5, 8, 6, 9, 7, 2, 0, 1, 3, 4,
  8, 9, 4, 5, 3, 6, 2, 0, 1, 7,
  9, 4, 3, 8, 6, 1, 7, 2, 0, 5,
  2, 5, 8, 1, 4, 3, 6, 7, 9, 0,
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
