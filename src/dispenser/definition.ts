/**
 * What a dispenser is: a type with its fields, a format, a strategy. Definitions never change; a
 * redefinition makes a new one. fields.ts reads them from what HSET says.
 */

import type { Allocation } from "./allocation.ts";
import { fieldsOfFormat, levelOf } from "./format/fields.ts";
import type { Format } from "./format/format.ts";
import { FormattedSeries } from "./format/series.ts";
import { LOCAL_POSITIONS_MAX } from "./period-run.ts";
import type { StrategyName } from "./strategy.ts";
import type { NumberSeries, NumberSource, NumberType, Values, When } from "./types/type.ts";

/**
 * A million dispensers may have as many definitions, of which most are never asked for anything: what
 * follows from the fields is made when it is needed.
 */
export class Definition {
  readonly type: NumberType;
  /** The values of the type's fields, by name. */
  readonly values: Values;
  readonly strategy: StrategyName;
  /** The text around each number; undefined for none. */
  readonly format: Format | undefined;
  private madeSeries: NumberSeries | undefined;

  constructor(type: NumberType, values: Values, strategy: StrategyName, format?: Format) {
    this.type = type;
    this.values = values;
    this.strategy = strategy;
    this.format = format;
  }

  /** Its numbers, as GET writes them. */
  get series(): NumberSeries {
    this.madeSeries ??= this.makeSeries();
    return this.madeSeries;
  }

  /** The same for one use, after which nothing of it is kept. */
  makeSeries(): NumberSeries {
    const { numbers, format } = this;
    return format === undefined ? numbers : new FormattedSeries(numbers, format);
  }

  /** The numbers without a format, for one use. */
  get numbers(): NumberSeries {
    return this.type.series(this.values);
  }

  /** Whether its texts depend on the time. */
  get isDated(): boolean {
    return this.format?.isDated === true;
  }

  /** Whether it counts from its start in each period. */
  get hasPeriods(): boolean {
    return this.format?.periods !== undefined;
  }

  /** How many local positions a node may ever count of it: periods follow one another without end. */
  get localPositionsMax(): bigint {
    return this.hasPeriods ? LOCAL_POSITIONS_MAX : this.makeSeries().positions;
  }

  /** The level of the programs that know all of it, as NumberType.level. */
  get level(): number {
    return Math.max(this.type.level, levelOf(this.format));
  }

  /**
   * The type and its fields as one text (JSON: an object of texts), in which a definition is
   * stored. Two definitions with the same text have the same numbers.
   */
  get line(): string {
    return lineOf(this.type, this.values, this.format);
  }
}

function lineOf(type: NumberType, values: Values, format: Format | undefined): string {
  // As JSON.stringify() would write it, in a third of the time: a start asks for each of a million.
  let text = `{"type":"${type.code}"`;
  for (const { name } of type.fields) {
    const value = values[name]!;
    text += `,"${name}":${typeof value === "bigint" ? `"${value}"` : JSON.stringify(value)}`;
  }
  for (const [name, value] of fieldsOfFormat(format)) {
    text += `,"${name}":${JSON.stringify(value)}`;
  }
  return `${text}}`;
}

/**
 * How many numbers an allocation of a line still has at a local position, Infinity for a type
 * without positions. Exact up to 2^53 - 1, which more than that is taken for: no life of a server
 * hands out so many.
 */
export function numbersLeft(
  { type, series }: Definition,
  allocation: Allocation,
  position: bigint,
): number {
  if (!type.hasPositions) return Number.POSITIVE_INFINITY;
  const left = allocation.size(series.positions) - position;
  return left < Number.MAX_SAFE_INTEGER ? Math.max(0, Number(left)) : Number.MAX_SAFE_INTEGER;
}

/** Opens the numbers of a definition, as GET writes them, at a position of the line. */
export function openNumbers({ series }: Definition, position: bigint, when?: When): NumberSource {
  return series.open(position, when);
}

/** Whether two definitions say the same. */
export function isSame(left: Definition, right: Definition): boolean {
  return left.strategy === right.strategy && isSameLine(left, right);
}

/** Whether two definitions have the same numbers, whatever is kept of them. */
export function isSameLine(left: Definition, right: Definition): boolean {
  return left === right || left.line === right.line;
}

/**
 * Whether a line has numbers that another definition of it did not have: one of its fields grew.
 */
export function hasGrown(before: Definition, after: Definition): boolean {
  return after.type.fields.some(({ name }) => before.values[name] !== after.values[name]);
}

/** Whether two definitions write the same numbers in other ways. */
export function hasOtherFormat(before: Definition, after: Definition): boolean {
  return String(fieldsOfFormat(before.format)) !== String(fieldsOfFormat(after.format));
}

/** The fields that define a dispenser, presets included, in the order of the documentation. */
export function fieldsOf(definition: Definition): Map<string, string> {
  const { type, values, strategy } = definition;
  const fields = new Map([["type", String(type.code)]]);
  for (const { name } of type.fields) fields.set(name, String(values[name]));
  for (const [name, value] of fieldsOfFormat(definition.format)) fields.set(name, value);
  return fields.set("auto_disk", strategy);
}

/** The same as they are shown to people: of a secret value only what tells it from others. */
export function shownFieldsOf(definition: Definition): Map<string, string> {
  const fields = fieldsOf(definition);
  for (const { name, shown } of definition.type.fields) {
    if (shown !== undefined) fields.set(name, shown(definition.values[name]!));
  }
  return fields;
}

/** When the period of a number ends, as a text (RFC 3339); undefined without periods. */
export function periodEndText(
  { format }: Definition,
  { wallMs, period }: When,
): string | undefined {
  if (format?.periods === undefined) return undefined;
  const end = format.periods.end(period, wallMs);
  return end.toString({ timeZoneName: "never", smallestUnit: "second" });
}

/**
 * The number at a position as it may be told before it is taken, as GET would write it then; "0"
 * for a type that is not to be foretold.
 */
export function foretold({ type, series }: Definition, position: bigint, when?: When): string {
  return type.isOrdered ? series.numberAt(position, when) : "0";
}

/** The same without its format. */
export function foretoldPlain({ type, numbers }: Definition, position: bigint): string {
  return type.isOrdered ? numbers.numberAt(position) : "0";
}

/**
 * Whether ADVANCE to this position ends a line for good because it goes on behind its last code: a
 * line in order never does so, as its numbers are known beforehand.
 */
export function isBehindLast({ type, series }: Definition, position: bigint): boolean {
  return !type.isOrdered && position === series.positions;
}

/** So many different definitions are kept to be shared. */
const INTERNED_MAX = 1024;
const interned = new Map<string, Definition>();

/** One object for definitions that say the same, as those of a million dispensers mostly do. */
export function intern(
  type: NumberType,
  values: Values,
  strategy: StrategyName,
  format: Format | undefined,
): Definition {
  const line = lineOf(type, values, format);
  const known = internedAs(line, strategy);
  if (known !== undefined) return known;
  const definition = new Definition(type, values, strategy, format);
  if (interned.size >= INTERNED_MAX) interned.clear();
  interned.set(line + strategy, definition);
  return definition;
}

/** The definition whose stored texts are these, if it is still kept to be shared. */
export function internedAs(line: string, strategy: string): Definition | undefined {
  return interned.get(line + strategy);
}
