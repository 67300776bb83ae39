/** ADVANCE cannot be taken back: one that goes very far is done only where that is said again. */

import { quoted, Refusal } from "../base/errors.ts";
import type { Allocation } from "./allocation.ts";
import type { Dispenser } from "./dispenser.ts";
import { valueAt } from "./types/progression.ts";

/** Numbers up to so many may be skipped without a word. */
const NUMBERS_MAX = 1_000_000n;
/** Or the part of what remains that is one in so many. */
const REMAINING_PER_SKIPPED = 10n;
/** Above it many clients lose digits. */
const EXACT_MAX = 2n ** 53n;

/**
 * Why ADVANCE to this number, at a position of the line, needs the word FORCE; undefined where it
 * does not. `allocation` has the numbers that come next.
 */
export function refuseLeap(
  { definition, name, position }: Dispenser,
  allocation: Allocation,
  to: bigint,
  number: string,
): Refusal | undefined {
  const { positions: end } = definition.series;
  const { progression } = definition.numbers;
  const from = allocation.toLine(position);
  // It goes nowhere, or there is no number to go to: neither needs a word.
  if (to <= from || to >= end) return undefined;
  const [skipped, remaining] = [to - from, end - from];
  if (skipped > NUMBERS_MAX && skipped * REMAINING_PER_SKIPPED > remaining) {
    // Where a code stands among the others is nobody's to know.
    if (!definition.type.isOrdered) {
      return new Refusal(
        `ERR ADVANCE of ${quoted(name)} would skip very many codes, for good: add FORCE where that is meant`,
      );
    }
    return new Refusal(
      `ERR ADVANCE of ${quoted(name)} to ${number} would skip ${skipped} numbers of the ${remaining} that remain, ` +
        "for good: add FORCE where that is meant",
    );
  }
  const isExactAt = (position: bigint) =>
    progression === undefined || valueAt(progression, position) <= EXACT_MAX;
  if (isExactAt(from) && !isExactAt(to)) {
    return new Refusal(
      `ERR ADVANCE of ${quoted(name)} to ${number} would go past 2^53 = ${EXACT_MAX}, above which many clients ` +
        "lose digits: add FORCE where that is meant",
    );
  }
  return undefined;
}
