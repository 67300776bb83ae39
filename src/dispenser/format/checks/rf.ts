/**
 * The front of an ISO 11649 creditor reference: `RF` and two digits of MOD 97-10. The digits are
 * computed as if the front stood at the end: over the reference and then `RF`.
 */

import type { Check } from "./check.ts";
import { remainderOf, writeDigits } from "./mod97.ts";

const R = 82;
const F = 70;
/** `RF` as the digits it stands for: R is 27, F is 15. */
const RF = 2715;

/** ISO 11649 allows at most 21 letters and digits behind it; whoever calls has to count them. */
export const rf: Check = {
  name: "rf",
  bytes: 4,
  takesLetters: true,
  isInFront: true,
  write(text, from, to, at) {
    const rest = remainderOf(text, from, to);
    text[at] = R;
    text[at + 1] = F;
    writeDigits(text, at + 2, rest * 10_000 + RF);
  },
};
