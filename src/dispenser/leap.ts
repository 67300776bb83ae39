/** ADVANCE cannot be taken back: one that goes very far is done only where that is said again. */

import { quoted, Refusal } from "../base/errors.ts";
import { positionsOf } from "./definition.ts";
import type { Dispenser } from "./dispenser.ts";
import { numberAt, positionOf } from "./types/line.ts";

/** Numbers up to so many may be skipped without a word. */
const NUMBERS_MAX = 1_000_000n;
/** Or the part of what remains that is one in so many. */
const REMAINING_PER_SKIPPED = 10n;
/** Above it many clients lose digits. */
const EXACT_MAX = 2n ** 53n;

/** Why ADVANCE to this number needs the word FORCE; undefined where it does not. */
export function refuseLeap(dispenser: Dispenser, number: bigint): Refusal | undefined {
  const { definition, name, allocation, isLine } = dispenser;
  if (!isLine) return undefined;
  const end = positionsOf(definition);
  const [from, to] = [allocation.toLine(dispenser.position), positionOf(definition, number)];
  // It goes nowhere, or there is no number to go to: neither needs a word.
  if (to <= from || to >= end) return undefined;
  const [skipped, remaining] = [to - from, end - from];
  if (skipped > NUMBERS_MAX && skipped * REMAINING_PER_SKIPPED > remaining) {
    return new Refusal(
      `ERR ADVANCE of ${quoted(name)} to ${number} would skip ${skipped} numbers of the ${remaining} that remain, ` +
        "for good: add FORCE where that is meant",
    );
  }
  if (numberAt(definition, from) <= EXACT_MAX && numberAt(definition, to) > EXACT_MAX) {
    return new Refusal(
      `ERR ADVANCE of ${quoted(name)} to ${number} would go past 2^53 = ${EXACT_MAX}, above which many clients ` +
        "lose digits: add FORCE where that is meant",
    );
  }
  return undefined;
}
