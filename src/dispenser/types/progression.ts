/** Arithmetic of progressions: whether two have a number in common. All of it is exact. */

import { largest, smallest } from "../../base/bigint.ts";
import type { Progression } from "./type.ts";

/** The number of a progression at a position. */
export const valueAt = ({ first, step }: Progression, position: bigint): bigint =>
  first + step * position;

/** The first k whose number `first + step × k` is at least `number`. */
export function positionAtLeast({ first, step }: Progression, number: bigint): bigint {
  return number <= first ? 0n : (number - first + step - 1n) / step;
}

/**
 * Whether a progression, from a position up to but not including `end`, has a number in common with
 * another one below a position of its own.
 */
export function haveCommon(
  one: Progression,
  from: bigint,
  end: bigint,
  other: Progression,
  otherEnd: bigint,
): boolean {
  if (from >= end || otherEnd <= 0n) return false;
  const first = valueAt(one, from);
  const lowest = largest(first, other.first);
  const highest = smallest(valueAt(one, end - 1n), valueAt(other, otherEnd - 1n));
  if (lowest > highest) return false;
  const common = firstCommon(first, one.step, other.first, other.step);
  if (common === undefined) return false;
  const period = (one.step / divisorOf(one.step, other.step)) * other.step;
  // The smallest number of both from `lowest` on: `common` is the smallest from `first` on.
  return common + ceilingOf(lowest - common, period) * period <= highest;
}

/**
 * The smallest number >= `first` that lies whole steps from `first`, and whole steps of the other
 * line before or behind `other`; undefined where there is none (the Chinese remainder theorem).
 */
function firstCommon(
  first: bigint,
  step: bigint,
  other: bigint,
  otherStep: bigint,
): bigint | undefined {
  const divisor = divisorOf(step, otherStep);
  const apart = other - first;
  if (apart % divisor !== 0n) return undefined;
  const modulus = otherStep / divisor;
  const steps = ((apart / divisor) * inverseOf(step / divisor, modulus)) % modulus;
  return first + step * (steps < 0n ? steps + modulus : steps);
}

function divisorOf(left: bigint, right: bigint): bigint {
  let [one, other] = [left, right];
  while (other !== 0n) [one, other] = [other, one % other];
  return one;
}

/**
 * What a number is to be multiplied with so that 1 is left over by the modulus, to which it is
 * coprime.
 */
function inverseOf(number: bigint, modulus: bigint): bigint {
  let [rest, next] = [number % modulus, modulus];
  let [factor, nextFactor] = [1n, 0n];
  while (next !== 0n) {
    const times = rest / next;
    [rest, next] = [next, rest - times * next];
    [factor, nextFactor] = [nextFactor, factor - times * nextFactor];
  }
  return factor % modulus;
}

/** How many periods it takes to get so far; none where that lies behind. */
function ceilingOf(distance: bigint, period: bigint): bigint {
  return distance <= 0n ? 0n : (distance + period - 1n) / period;
}
