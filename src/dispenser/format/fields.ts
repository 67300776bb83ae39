/**
 * The fields of HSET that say which text is around numbers: `format`, and how dates in it are read.
 */

import { Refusal } from "../../base/errors.ts";
import type { NumberSeries } from "../types/type.ts";
import { wholeNumber } from "../types/whole-number.ts";
import { readZone } from "./dates.ts";
import { Format } from "./format.ts";
import { refuseLong } from "./series.ts";

type Fields = ReadonlyMap<string, string>;

const FORMAT = "format";
const ZONE = "zone";
const YEAR_START = "year_start";
export const formatFieldNames: readonly string[] = [FORMAT, ZONE, YEAR_START];

const ZONE_PRESET = "UTC";
const YEAR_START_PRESET = 1n;
const yearStart = wholeNumber({ name: YEAR_START, least: 1n, most: () => 12n });

/** Programs of a lower level know no formats. */
export const FORMATS_FROM_LEVEL = 3;

/** The fields that say which format there is, in the order in which they are shown. */
export function fieldsOfFormat(format: Format | undefined): readonly (readonly [string, string])[] {
  if (format === undefined) return [];
  const { text, calendar, isDated, isFiscal } = format;
  return [
    [FORMAT, text],
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
  numbers: () => NumberSeries,
): Format | Refusal | undefined {
  const text = fields.get(FORMAT);
  const format = text === undefined ? undefined : readFormat(text, fields, numbers());
  if (format instanceof Refusal) return format;
  return refuseUnused(given, format) ?? format;
}

function readFormat(text: string, fields: Fields, numbers: NumberSeries): Format | Refusal {
  const zone = readZone(fields.get(ZONE) ?? ZONE_PRESET);
  if (zone instanceof Refusal) return zone;
  const month = yearStart.read(fields.get(YEAR_START) ?? String(YEAR_START_PRESET), {});
  if (month instanceof Refusal) return month;
  const calendar = { zone, yearStart: Number(month) };
  const format = Format.read(text, numbers.characters ?? "0123456789", calendar);
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
