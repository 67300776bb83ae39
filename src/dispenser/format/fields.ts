/**
 * The fields of HSET that say which text is around numbers: `format`, and how dates in it are read.
 */

import { invalid, Refusal } from "../../base/errors.ts";
import type { NumberSeries, NumberType } from "../types/type.ts";
import { wholeNumber } from "../types/whole-number.ts";
import { readZone } from "./dates.ts";
import { Format } from "./format.ts";
import { type Period, periods } from "./periods.ts";
import { refuseLong } from "./series.ts";

type Fields = ReadonlyMap<string, string>;

const FORMAT = "format";
const PERIOD = "period";
const ZONE = "zone";
const YEAR_START = "year_start";
export const formatFieldNames: readonly string[] = [FORMAT, PERIOD, ZONE, YEAR_START];

/** The period of a line that never begins again. */
const NONE = "none";
const ZONE_PRESET = "UTC";
const YEAR_START_PRESET = 1n;
const yearStart = wholeNumber({ name: YEAR_START, least: 1n, most: () => 12n });

/** Programs of a lower level know no formats. */
const FORMATS_FROM_LEVEL = 3;
const PERIODS_FROM_LEVEL = 4;

/** The level of the programs that know a format, as NumberType.level. */
export function levelOf(format: Format | undefined): number {
  if (format === undefined) return 1;
  return format.periods === undefined ? FORMATS_FROM_LEVEL : PERIODS_FROM_LEVEL;
}

/** The same for what these fields of HSET may give. */
export function levelOfFields(fields: Fields): number {
  if (fields.has(PERIOD)) return PERIODS_FROM_LEVEL;
  return fields.has(FORMAT) ? FORMATS_FROM_LEVEL : 1;
}

/** The fields that say which format there is, in the order in which they are shown. */
export function fieldsOfFormat(format: Format | undefined): readonly (readonly [string, string])[] {
  if (format === undefined) return [];
  const { text, periods: counted, calendar, isDated, isFiscal } = format;
  return [
    [FORMAT, text],
    ...(counted === undefined ? [] : [[PERIOD, counted.period.name] as const]),
    ...(isDated ? [[ZONE, calendar.zone] as const] : []),
    ...(isFiscal ? [[YEAR_START, String(calendar.yearStart)] as const] : []),
  ];
}

/**
 * The format that fields give to numbers; undefined where they give none. Of those `given` by HSET
 * none may be without effect; others may be left from a format before.
 */
export function formatIn(
  fields: Fields,
  given: Fields,
  { code, hasPositions }: NumberType,
  numbers: () => NumberSeries,
): Format | Refusal | undefined {
  const period = readPeriod(fields.get(PERIOD) ?? NONE);
  if (period instanceof Refusal) return period;
  if (period !== undefined && !hasPositions) {
    return new Refusal(`ERR '${PERIOD}' does not apply to type ${code}`);
  }
  // A line with periods has a format always, and one that shows them.
  const text = fields.get(FORMAT) ?? (period && "{n}");
  const format = text === undefined ? undefined : readFormat(text, fields, numbers(), period);
  if (format instanceof Refusal) return format;
  return refuseUnused(given, format) ?? format;
}

/** Whether HSET gives a format a period that it has not. */
export function hasOtherPeriod(format: Format | undefined, given: Fields): boolean {
  const text = given.get(PERIOD);
  const present = format?.periods?.period;
  const period = text === undefined ? present : readPeriod(text);
  return !(period instanceof Refusal) && period !== present;
}

function readPeriod(given: string): Period | Refusal | undefined {
  const name = given.toLowerCase().replaceAll("-", "_");
  if (name === NONE) return undefined;
  const allowed = [NONE, ...periods.map((period) => period.name)].join(", ");
  const period = periods.find((each) => each.name === name);
  return period ?? invalid(PERIOD, given, `must be one of ${allowed}`);
}

function readFormat(
  text: string,
  fields: Fields,
  numbers: NumberSeries,
  period: Period | undefined,
): Format | Refusal {
  const zone = readZone(fields.get(ZONE) ?? ZONE_PRESET);
  if (zone instanceof Refusal) return zone;
  const month = yearStart.read(fields.get(YEAR_START) ?? String(YEAR_START_PRESET), {});
  if (month instanceof Refusal) return month;
  const calendar = { zone, yearStart: Number(month) };
  const format = Format.read(text, numbers.characters ?? "0123456789", calendar, period);
  if (format instanceof Refusal) return format;
  return refuseLong(format, numbers.open(0n).bytes) ?? format;
}

/** Why a field about dates makes no difference; undefined if each does that is given. */
function refuseUnused(given: Fields, format: Format | undefined): Refusal | undefined {
  const refuse = (name: string, tokens: string) =>
    new Refusal(`ERR '${name}' applies only to a format with ${tokens}`);
  if (given.has(ZONE) && !format?.isDated) return refuse(ZONE, "dates, such as {yyyy}");
  if (given.has(YEAR_START) && !format?.isFiscal) {
    return refuse(YEAR_START, "fiscal years, such as {fyyy}");
  }
  return undefined;
}

/**
 * The field that may not change so, because dates are read in one way for good: a format that shows
 * dates makes way only for one that shows them, too. Undefined if it may.
 */
export function otherCalendar(
  before: Format | undefined,
  after: Format | undefined,
): string | undefined {
  if (!before?.isDated) return undefined;
  if (!after?.isDated || (before.isFiscal && !after.isFiscal)) return FORMAT;
  const [one, other] = [before.calendar, after.calendar];
  if (one.zone !== other.zone) return ZONE;
  return before.isFiscal && one.yearStart !== other.yearStart ? YEAR_START : undefined;
}
