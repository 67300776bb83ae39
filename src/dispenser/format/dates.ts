/**
 * The dates in a format: what each token shows, and for how long. Calendars are odd: a day may lack
 * its midnight or be missing, and an hour or a date may come twice, so everything goes by the
 * platform's own calendar (Temporal) of the line's zone.
 */

import { invalid, type Refusal } from "../../base/errors.ts";

/** Where and how dates are read. */
export interface Calendar {
  /** An IANA name, or `+hh:mm`. */
  readonly zone: string;
  /** The month in which a fiscal year begins, 1 to 12. */
  readonly yearStart: number;
}

type Unit = "hour" | "day" | "week" | "month";

export interface DateToken {
  /** The token's name in a format, as `yyyy`. */
  readonly name: string;
  /** How many bytes it takes, digits all of them. */
  readonly bytes: number;
  /** What it shows can change only where one of these begins. */
  readonly unit: Unit;
  /** Whether it depends on Calendar.yearStart. */
  readonly isFiscal: boolean;
  /** The least and the largest number that it shows. */
  readonly least: number;
  readonly most: number;
  /** The number that it shows. */
  shows(date: Temporal.PlainDateTime, yearStart: number): number;
}

/** The year in which the fiscal year of a date begins. */
export const fiscalYear = ({ year, month }: Temporal.PlainDateTime, yearStart: number) =>
  month >= yearStart ? year : year - 1;

const year = { least: 0, most: 9999 };
const fiscal = { ...year, isFiscal: true };

function token(
  name: string,
  bytes: number,
  unit: Unit,
  more: Pick<DateToken, "least" | "most"> & { readonly isFiscal?: boolean },
  shows: DateToken["shows"],
): DateToken {
  return { name, bytes, unit, isFiscal: false, ...more, shows };
}

/** All tokens. A new one is a line here. */
export const dateTokens: readonly DateToken[] = [
  token("yyyy", 4, "month", year, (date) => date.year),
  token("yy", 2, "month", year, (date) => date.year),
  token("MM", 2, "month", { least: 1, most: 12 }, ({ month }) => month),
  token("dd", 2, "day", { least: 1, most: 31 }, ({ day }) => day),
  token("HH", 2, "hour", { least: 0, most: 23 }, ({ hour }) => hour),
  token("DDD", 3, "day", { least: 1, most: 366 }, ({ dayOfYear }) => dayOfYear),
  token("q", 1, "month", { least: 1, most: 4 }, ({ month }) => Math.ceil(month / 3)),
  // The week of ISO 8601, and its year.
  token("gggg", 4, "week", year, ({ yearOfWeek }) => yearOfWeek!),
  token("ww", 2, "week", { least: 1, most: 53 }, ({ weekOfYear }) => weekOfYear!),
  token("fyyy", 4, "month", fiscal, fiscalYear),
  token("fy", 2, "month", fiscal, fiscalYear),
  token("fyyy+1", 4, "month", fiscal, (date, start) => fiscalYear(date, start) + 1),
  token("fy+1", 2, "month", fiscal, (date, start) => fiscalYear(date, start) + 1),
];

/** The last digits of a number, as many as a token has. */
export function shown({ bytes, shows }: DateToken, date: Temporal.PlainDateTime, start: number) {
  return String(shows(date, start)).padStart(bytes, "0").slice(-bytes);
}

const MIDNIGHT = { hour: 0, minute: 0, second: 0, millisecond: 0, microsecond: 0, nanosecond: 0 };

/** Where the next hour, day, week or month begins. */
function nextOf(unit: Unit, date: Temporal.PlainDateTime): Temporal.PlainDateTime {
  if (unit === "hour") return date.with({ ...MIDNIGHT, hour: date.hour }).add({ hours: 1 });
  const day = date.with(MIDNIGHT);
  if (unit === "day") return day.add({ days: 1 });
  if (unit === "week") return day.add({ days: 8 - day.dayOfWeek });
  return day.with({ day: 1 }).add({ months: 1 });
}

/** The date at a Unix time, in milliseconds. */
export function dateAt({ zone }: Calendar, wallMs: number): Temporal.PlainDateTime {
  return zonedAt(zone, wallMs).toPlainDateTime();
}

function zonedAt(zone: string, wallMs: number): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(Math.floor(wallMs)).toZonedDateTimeISO(zone);
}

/**
 * Until when tokens show what they show at a Unix time, both in milliseconds: at most until clocks
 * are changed in the zone, after which a date may come again.
 */
export function datesEnd(tokens: readonly DateToken[], { zone }: Calendar, wallMs: number): number {
  const zoned = zonedAt(zone, wallMs);
  const date = zoned.toPlainDateTime();
  const ends = tokens.map(({ unit }) => {
    const next = nextOf(unit, date);
    const end = next.toZonedDateTime(zone).epochMilliseconds;
    // Of a time that comes twice the first may be over.
    if (end > wallMs) return end;
    return next.toZonedDateTime(zone, { disambiguation: "later" }).epochMilliseconds;
  });
  const change = zoned.getTimeZoneTransition("next");
  if (change !== null) ends.push(change.epochMilliseconds);
  return Math.min(...ends);
}

/**
 * Reads the field `zone`: an IANA name in any case, or `+hh:mm`. Answers it as the platform writes
 * it.
 */
export function readZone(text: string): string | Refusal {
  try {
    // The platform reads whole timestamps, too, and takes their zone.
    if (/^([A-Za-z][\w/+-]*|[+-]\d\d:\d\d)$/.test(text)) return zonedAt(text, 0).timeZoneId;
    throw new RangeError(text);
  } catch {
    return invalid("zone", text, "must be an IANA time zone, such as Europe/Berlin, or +hh:mm");
  }
}
