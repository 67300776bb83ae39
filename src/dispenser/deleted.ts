/**
 * Whether a line may be defined beside deleted lines of its name. Numbers that those handed out are
 * in use somewhere, and must not come again by accident. Numbers are compared as numbers, exactly:
 * 0042 of type 2 is 42 of type 3.
 */

import { largest, smallest } from "../base/bigint.ts";
import { quoted, Refusal } from "../base/errors.ts";
import { type Definition, hasOtherFormat, isSameLine } from "./definition.ts";
import { define } from "./fields.ts";
import { fieldsOfAllFrom } from "./types/line.ts";
import { haveCommon, valueAt } from "./types/progression.ts";

/** A line that was deleted. Both positions are the line's. */
export interface UsedLine {
  readonly definition: Definition;
  /** Numbers below this position may be in use. */
  readonly usedBelow: bigint;
  /** Where it would go on. */
  readonly position: bigint;
}

/**
 * Whether a line, from position `from` on, may have a number in common with another line below
 * position `otherBelow`. Only progressions can be compared: any other series may meet every line.
 */
export function meets(
  line: Definition,
  from: bigint,
  other: Definition,
  otherBelow: bigint,
): boolean {
  const { positions, progression } = line.series;
  // The numbers of a line with periods come again from the first on.
  const isAtEnd = !line.hasPeriods && from >= positions;
  if (isAtEnd || otherBelow <= 0n) return false;
  const used = other.series.progression;
  if (progression === undefined || used === undefined) return true;
  return haveCommon(progression, from, positions, used, otherBelow);
}

/**
 * The deleted line of a name that a definition goes on with; undefined where it makes a new line; a
 * Refusal where its numbers would meet those of a deleted line.
 */
export function continued<Line extends UsedLine>(
  name: string,
  definition: Definition,
  deleted: readonly Line[],
): Line | Refusal | undefined {
  if (!definition.type.hasPositions) return undefined;
  // A line in memory starts over at each start, so it never goes on with a deleted one.
  const isKept = definition.strategy !== "memory";
  const same = deleted.find((line) => isKept && isSameLine(line.definition, definition));
  const others = deleted.filter((line) => line !== same);
  const met = furthestMet(definition, same?.position ?? 0n, others);
  return met === undefined ? same : refuse(name, definition, met, deleted);
}

/**
 * Why a line that stands at a position may not grow: its new numbers would meet those of a deleted
 * line of its name.
 */
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
    `ERR cannot change '${field}' of ${quoted(name)}: another line of that name was deleted${at(met)}, and its ` +
      "numbers may be in use. Define another name, or say reuse yes",
  );
}

/** The deleted line that went furthest, among those that a line meets from a position on. */
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

/**
 * What takes the place of these lines: one of them that cannot be compared, and so meets every line
 * already; or a definition, and a position of it below which lie all their numbers that may be in
 * use, and perhaps others.
 */
export function covering<Line extends UsedLine>(
  lines: readonly Line[],
): Line | { readonly definition: Definition; readonly position: bigint } {
  const used = lines.filter(({ usedBelow }) => usedBelow > 0n);
  const incomparable = used.find(({ definition }) => definition.series.progression === undefined);
  if (incomparable !== undefined) return incomparable;
  const lowest = smallest(
    ...(used.map(({ definition }) => definition.series.progression!.first) as [bigint]),
  );
  const last = largest(...(used.map((line) => numberOf(line, line.usedBelow - 1n)) as [bigint]));
  const definition = define(fieldsOfAllFrom(lowest)) as Definition;
  return { definition, position: last - lowest + 1n };
}

/**
 * Why a durable line that has handed out numbers may not become one in memory, without the word
 * `reuse yes`.
 */
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

/**
 * Why a line that has handed out numbers may not get another format, without the word `reuse yes`:
 * one text could be that of two numbers.
 */
export function refuseFormat(
  name: string,
  before: Definition,
  after: Definition,
  hasHandedOut: boolean,
): Refusal | undefined {
  const isFree = !hasHandedOut || !after.type.hasPositions || before.strategy === "memory";
  if (isFree || !hasOtherFormat(before, after)) return undefined;
  return new Refusal(
    `ERR cannot change 'format' of ${quoted(name)}: its numbers are in use, and a text of the one could be one of the ` +
      "other. Define another name, or say reuse yes",
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
    `ERR ${quoted(name)} was deleted${at(met)}: its numbers may be in use. ${way}, or say reuse yes`,
  );
}

/**
 * The field with which a definition would start behind all numbers that may be in use; undefined if
 * there is none.
 */
function safeField({ series }: Definition, deleted: readonly UsedLine[]): string | undefined {
  const used = deleted.filter(({ usedBelow }) => usedBelow > 0n);
  if (used.some(({ definition }) => definition.series.progression === undefined)) return undefined;
  // The next number of the line that went furthest, where that is a start; else the one right
  // behind its last.
  const next = largest(...(used.map((line) => numberOf(line, line.usedBelow)) as [bigint]));
  const behind = largest(
    ...(used.map((line) => numberOf(line, line.usedBelow - 1n) + 1n) as [bigint]),
  );
  return series.fieldFrom(next) ?? series.fieldFrom(behind);
}

/**
 * The number of a deleted line at a position, by default its next one. The line is a progression.
 */
function numberOf({ definition, position }: UsedLine, at = position): bigint {
  return valueAt(definition.series.progression!, at);
}

/** " at" and the number that a deleted line would have handed out next, where that may be told. */
function at(line: UsedLine): string {
  const { series, type, hasPeriods } = line.definition;
  if (!type.isOrdered || hasPeriods) return "";
  const { numbers } = line.definition;
  const next = series.progression === undefined ? numbers.numberAt(line.position) : numberOf(line);
  return ` at ${next}`;
}
