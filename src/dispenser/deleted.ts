/**
 * Whether a line may be defined beside lines of its name that were deleted: numbers that those handed out are
 * in use somewhere, and never come again by accident. Numbers are compared as numbers: 0042 of type 2 is 42
 * of type 3. All of it is exact.
 */

import { largest, smallest } from "../base/bigint.ts";
import { quoted, Refusal } from "../base/errors.ts";
import { type Definition, define, isSameLine } from "./definition.ts";
import { fieldsOfAllFrom } from "./types/line.ts";
import { haveCommon, valueAt } from "./types/progression.ts";

/** A line that was deleted. Both positions are the line's. */
export interface UsedLine {
  readonly definition: Definition;
  /** Below this position its numbers may be in use. */
  readonly usedBelow: bigint;
  /** Where it would go on. */
  readonly position: bigint;
}

/**
 * Whether a line, from a position on, may have a number in common with another one below a position of its own.
 * Only progressions can be compared: whatever else there is may meet every line.
 */
export function meets(
  line: Definition,
  from: bigint,
  other: Definition,
  otherBelow: bigint,
): boolean {
  const { positions, progression } = line.series;
  if (from >= positions || otherBelow <= 0n) return false;
  const used = other.series.progression;
  if (progression === undefined || used === undefined) return true;
  return haveCommon(progression, from, positions, used, otherBelow);
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
  if (!definition.type.hasPositions) return undefined;
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
  const field = longer.type.fields.find(({ mayGrow }) => mayGrow)!.name;
  return new Refusal(
    `ERR cannot change '${field}' of ${quoted(name)}: another line of that name was deleted at ${nextOf(met)}, and its ` +
      "numbers may be in use. Define another name, or say reuse yes",
  );
}

/** Of the deleted lines that a line meets, from a position on, the one that went furthest. */
function furthestMet(
  line: Definition,
  from: bigint,
  deleted: readonly UsedLine[],
): UsedLine | undefined {
  const met = deleted.filter(({ definition, usedBelow }) =>
    meets(line, from, definition, usedBelow),
  );
  const incomparable = met.find(({ definition }) => definition.series.progression === undefined);
  return incomparable ?? met.sort((left, right) => (numberOf(left) < numberOf(right) ? 1 : -1))[0];
}

/** A definition whose line has all that may be in use of these below the position it comes with, and maybe more. */
export function covering(lines: readonly UsedLine[]): {
  readonly definition: Definition;
  readonly position: bigint;
} {
  const used = lines.filter(({ usedBelow }) => usedBelow > 0n);
  const incomparable = used.find(({ definition }) => definition.series.progression === undefined);
  // It meets every line already.
  if (incomparable !== undefined)
    return { definition: incomparable.definition, position: incomparable.usedBelow };
  const lowest = smallest(
    ...(used.map(({ definition }) => definition.series.progression!.first) as [bigint]),
  );
  const last = largest(...(used.map((line) => numberOf(line, line.usedBelow - 1n)) as [bigint]));
  const definition = define(fieldsOfAllFrom(lowest)) as Definition;
  return { definition, position: last - lowest + 1n };
}

/** Why a durable line that has handed out numbers may not become one in memory, without the word `reuse yes`. */
export function refuseMemory(
  name: string,
  before: Definition,
  after: Definition,
  hasHandedOut: boolean,
): Refusal | undefined {
  const becomes = after.strategy === "memory" && before.strategy !== "memory";
  if (!becomes || !after.type.hasPositions || !hasHandedOut) return undefined;
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
  const safe = safeField(definition, deleted);
  const way = safe === undefined ? "Define another name" : `Give ${safe}`;
  return new Refusal(
    `ERR ${quoted(name)} was deleted at ${nextOf(met)}: its numbers may be in use. ${way}, or say reuse yes`,
  );
}

/** The field with which a definition would start behind all that may be in use; undefined where none does. */
function safeField({ series }: Definition, deleted: readonly UsedLine[]): string | undefined {
  const used = deleted.filter(({ usedBelow }) => usedBelow > 0n);
  if (used.some(({ definition }) => definition.series.progression === undefined)) return undefined;
  // On the grid of the line that went furthest, where that fits, else right behind its last number.
  const next = largest(...(used.map((line) => numberOf(line, line.usedBelow)) as [bigint]));
  const behind = largest(
    ...(used.map((line) => numberOf(line, line.usedBelow - 1n) + 1n) as [bigint]),
  );
  return series.fieldFrom(next) ?? series.fieldFrom(behind);
}

/** The number of a deleted line's progression that comes next, or at a position. */
function numberOf({ definition, position }: UsedLine, at = position): bigint {
  return valueAt(definition.series.progression!, at);
}

/** The number that a deleted line would have handed out next. */
function nextOf(line: UsedLine): string {
  const { series } = line.definition;
  if (series.progression === undefined) return series.numberAt(line.position);
  return String(numberOf(line));
}
