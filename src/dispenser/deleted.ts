/**
 * Whether a line may be defined beside lines of its name that were deleted: numbers that those handed out are
 * in use somewhere, and never come again by accident. Numbers are compared as numbers: 0042 of type 2 is 42
 * of type 3. All of it is exact.
 */

import { quoted, Refusal } from "../base/errors.ts";
import { type Definition, define, isSameLine, positionsOf } from "./definition.ts";
import { numberAt } from "./types/line.ts";

/** A line that was deleted. Both positions are the line's. */
export interface UsedLine {
  readonly definition: Definition;
  /** Below this position its numbers may be in use. */
  readonly usedBelow: bigint;
  /** Where it would go on. */
  readonly position: bigint;
}

/**
 * Whether a line, from a position on, has a number in common with what another one has below a position of its
 * own.
 */
export function meets(
  line: Definition,
  from: bigint,
  other: Definition,
  otherBelow: bigint,
): boolean {
  const end = positionsOf(line);
  if (from >= end || otherBelow <= 0n) return false;
  const first = numberAt(line, from);
  const lowest = largest([first, other.starting]);
  const highest = smallest([numberAt(line, end - 1n), numberAt(other, otherBelow - 1n)]);
  if (lowest > highest) return false;
  const common = firstCommon(first, line.step, other.starting, other.step);
  if (common === undefined) return false;
  const period = (line.step / divisorOf(line.step, other.step)) * other.step;
  // The smallest number of both from `lowest` on: `common` is the smallest from `first` on.
  return common + ceilingOf(lowest - common, period) * period <= highest;
}

/**
 * Which of the deleted lines of a name a definition goes on with, undefined where it is a new line, or why it may
 * be neither: its numbers would meet those of one of them.
 */
export function continued<Line extends UsedLine>(
  name: string,
  definition: Definition,
  deleted: readonly Line[],
): Line | Refusal | undefined {
  if (!definition.type.isLine) return undefined;
  // A line in memory starts over at each start, so it is always another one.
  const isKept = definition.strategy !== "memory";
  const same = deleted.find((line) => isKept && isSameLine(line.definition, definition));
  const others = deleted.filter((line) => line !== same);
  const met = furthestMet(definition, same?.position ?? 0n, others);
  return met === undefined ? same : refuse(name, definition, met, deleted);
}

/** Why a line that is there, at a position, may not become a longer one beside the deleted lines of its name. */
export function refuseGrowth(
  name: string,
  longer: Definition,
  position: bigint,
  deleted: readonly UsedLine[],
): Refusal | undefined {
  const met = furthestMet(longer, position, deleted);
  if (met === undefined) return undefined;
  return new Refusal(
    `ERR cannot change 'length' of ${quoted(name)}: another line of that name was deleted at ${nextOf(met)}, and its ` +
      "numbers may be in use. Define another name, or say reuse yes",
  );
}

/** Of the deleted lines that a line meets, from a position on, the one that went furthest. */
function furthestMet(
  line: Definition,
  from: bigint,
  deleted: readonly UsedLine[],
): UsedLine | undefined {
  return deleted
    .filter(({ definition, usedBelow }) => meets(line, from, definition, usedBelow))
    .sort((left, right) => (nextOf(left) < nextOf(right) ? 1 : -1))[0];
}

/** A definition whose line has all that may be in use of these below the position it comes with, and maybe more. */
export function covering(lines: readonly UsedLine[]): {
  readonly definition: Definition;
  readonly position: bigint;
} {
  const used = lines.filter(({ usedBelow }) => usedBelow > 0n);
  const lowest = smallest(used.map(({ definition }) => definition.starting));
  const last = largest(used.map((line) => numberAt(line.definition, line.usedBelow - 1n)));
  const fields = new Map([
    ["type", "3"],
    ["starting", String(lowest)],
  ]);
  return { definition: define(fields) as Definition, position: last - lowest + 1n };
}

/** Why a durable line that has handed out numbers may not become one in memory, without the word `reuse yes`. */
export function refuseMemory(
  name: string,
  before: Definition,
  after: Definition,
  hasHandedOut: boolean,
): Refusal | undefined {
  const becomes = after.strategy === "memory" && before.strategy !== "memory";
  if (!becomes || !after.type.isLine || !hasHandedOut) return undefined;
  return new Refusal(
    `ERR cannot change 'auto_disk' of ${quoted(name)} to memory: its numbers are in use, and a line in memory ` +
      "repeats numbers after each start. Define another name, or say reuse yes",
  );
}

function refuse(
  name: string,
  definition: Definition,
  met: UsedLine,
  deleted: readonly UsedLine[],
): Refusal {
  const safe = safeStarting(definition, deleted);
  const way = safe === undefined ? "Define another name" : `Give starting ${safe}`;
  return new Refusal(
    `ERR ${quoted(name)} was deleted at ${nextOf(met)}: its numbers may be in use. ${way}, or say reuse yes`,
  );
}

/** Where a definition could start behind all that may be in use; undefined where it has no such number. */
function safeStarting(definition: Definition, deleted: readonly UsedLine[]): bigint | undefined {
  const used = deleted.filter(({ usedBelow }) => usedBelow > 0n);
  const most = definition.type.largest(definition.length);
  // On the grid of the line that went furthest, where that fits, else right behind its last number.
  const next = largest(used.map((line) => numberAt(line.definition, line.usedBelow)));
  if (next <= most) return next;
  const behind = largest(used.map((line) => numberAt(line.definition, line.usedBelow - 1n) + 1n));
  return behind <= most ? behind : undefined;
}

/** The number that a deleted line would have handed out next. */
function nextOf({ definition, position }: UsedLine): bigint {
  return numberAt(definition, position);
}

function largest(numbers: readonly bigint[]): bigint {
  let found = numbers[0]!;
  for (const number of numbers) if (number > found) found = number;
  return found;
}

function smallest(numbers: readonly bigint[]): bigint {
  let found = numbers[0]!;
  for (const number of numbers) if (number < found) found = number;
  return found;
}

/**
 * The smallest number >= `first` that lies whole steps from `first`, and whole steps of the other line before or
 * behind `other`; undefined where there is none (the Chinese remainder theorem).
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

/** What a number is to be multiplied with so that 1 is left over by the modulus, to which it is coprime. */
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
