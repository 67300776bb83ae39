/**
 * Periods: stretches of calendar time, in each of which a line counts from its start. A period is a
 * whole number, larger the later it is, and made of the local date alone: two stretches of time with
 * one date, as hour 02 where summer time ends, are one period.
 */

import { type Calendar, dateAt, dateTokens, fiscalYear, shown } from "./dates.ts";

type LocalDate = Temporal.PlainDateTime;

export interface Period {
  /** What the field `period` says. */
  readonly name: string;
  /**
   * The tokens that tell periods apart: of one of these lists a format has one token of each part.
   */
  readonly marks: readonly (readonly (readonly string[])[])[];
  /** The same for people. */
  readonly marksText: string;
  /** For so long before it ends, nodes of a cluster lease of the next one, in milliseconds. */
  readonly leadMs: number;
  /** The number of the period that a date is in. Codes depend on it: it never changes. */
  of(date: LocalDate, yearStart: number): number;
  /** The first date of a period. */
  first(period: number, yearStart: number): LocalDate;
  /** A period as it is told, and taken from people, by its first date. */
  text(first: LocalDate): string;
}

/** Year 0 of the calendar, from which hours, days and weeks are counted; its day 2 is a Monday. */
const EPOCH = Temporal.PlainDateTime.from("0000-01-01T00:00");
const MONDAY = 2;

const daysTo = (date: LocalDate) => EPOCH.until(date, { largestUnit: "days" }).days;
const monthDate = (months: number) =>
  new Temporal.PlainDateTime(Math.floor(months / 12), (months % 12) + 1, 1);

const HOUR_MS = 3_600_000;
const YEAR = ["yyyy", "yy"];
const YEAR_TEXT = "{yyyy} or {yy}";
const FISCAL = ["fyyy", "fy", "fyyy+1", "fy+1"];
const dayMarks = [
  [YEAR, ["MM"], ["dd"]],
  [YEAR, ["DDD"]],
];
const DAY_TEXT = `${YEAR_TEXT}, and {MM}{dd} or {DDD}`;

/** All periods, the shortest first. A new one is an entry here. */
export const periods: readonly Period[] = [
  {
    name: "hour",
    marks: dayMarks.map((day) => [...day, ["HH"]]),
    marksText: `${DAY_TEXT}, and {HH}`,
    leadMs: HOUR_MS / 6,
    of: (date) => 24 * daysTo(date) + date.hour,
    first: (period) => EPOCH.add({ hours: period }),
    text: (first) => first.toString().slice(0, "yyyy-MM-ddTHH".length),
  },
  {
    name: "day",
    marks: dayMarks,
    marksText: DAY_TEXT,
    leadMs: HOUR_MS,
    of: daysTo,
    first: (period) => EPOCH.add({ days: period }),
    text: (first) => first.toString().slice(0, "yyyy-MM-dd".length),
  },
  {
    name: "week",
    marks: [[["gggg"], ["ww"]], ...dayMarks],
    marksText: `{gggg}{ww}; or ${DAY_TEXT}`,
    leadMs: HOUR_MS,
    of: (date) => Math.floor((daysTo(date) - MONDAY) / 7),
    first: (period) => EPOCH.add({ days: 7 * period + MONDAY }),
    text: ({ yearOfWeek, weekOfYear }) => `${padded(yearOfWeek!, 4)}-W${padded(weekOfYear!, 2)}`,
  },
  {
    name: "month",
    marks: [[YEAR, ["MM", "DDD"]]],
    marksText: `${YEAR_TEXT}, and {MM} or {DDD}`,
    leadMs: HOUR_MS,
    of: ({ year, month }) => 12 * year + month - 1,
    first: monthDate,
    text: (first) => first.toString().slice(0, "yyyy-MM".length),
  },
  {
    name: "quarter",
    marks: [[YEAR, ["q", "MM"]]],
    marksText: `${YEAR_TEXT}, and {q} or {MM}`,
    leadMs: HOUR_MS,
    of: ({ year, month }) => 4 * year + Math.floor((month - 1) / 3),
    first: (period) => monthDate(3 * period),
    text: ({ year, month }) => `${padded(year, 4)}-Q${Math.ceil(month / 3)}`,
  },
  {
    name: "year",
    marks: [[YEAR]],
    marksText: YEAR_TEXT,
    leadMs: HOUR_MS,
    of: ({ year }) => year,
    first: (period) => monthDate(12 * period),
    text: ({ year }) => padded(year, 4),
  },
  {
    name: "fiscal_year",
    marks: [[FISCAL]],
    marksText: FISCAL.map((name) => `{${name}}`).join(", "),
    leadMs: HOUR_MS,
    of: fiscalYear,
    first: (period, yearStart) => monthDate(12 * period + yearStart - 1),
    text: ({ year }) => padded(year, 4),
  },
];

const padded = (number: number, digits: number) => String(number).padStart(digits, "0");

/** Whether a format with these tokens tells one period from another. */
export function isShown({ marks }: Period, tokens: readonly string[]): boolean {
  return marks.some((parts) => parts.every((part) => part.some((name) => tokens.includes(name))));
}

/** A calendar of which the periods count. */
export interface PeriodCalendar extends Calendar {
  readonly period: Period;
}

/** The period at a Unix time in milliseconds. */
export function periodAt(calendar: PeriodCalendar, wallMs: number): number {
  return calendar.period.of(dateAt(calendar, wallMs), calendar.yearStart);
}

const firstOf = ({ period, yearStart }: PeriodCalendar, number: number) =>
  period.first(number, yearStart);

/** The date nearest to that of a Unix time, in milliseconds, which lies in a period. */
export function dateWithin(calendar: PeriodCalendar, period: number, wallMs: number): LocalDate {
  const date = dateAt(calendar, wallMs);
  const now = calendar.period.of(date, calendar.yearStart);
  if (now === period) return date;
  if (now < period) return firstOf(calendar, period);
  return firstOf(calendar, period + 1).subtract({ nanoseconds: 1 });
}

/**
 * When a period ends, seen from a Unix time in milliseconds: the next one may have begun before, where
 * clocks were put back since.
 */
export function periodEnd(
  calendar: PeriodCalendar,
  period: number,
  wallMs: number,
): Temporal.ZonedDateTime {
  const next = firstOf(calendar, period + 1);
  const end = next.toZonedDateTime(calendar.zone);
  if (end.epochMilliseconds > wallMs) return end;
  return next.toZonedDateTime(calendar.zone, { disambiguation: "later" });
}

/** A period as it is told to people. */
export function periodText(calendar: PeriodCalendar, period: number): string {
  return calendar.period.text(firstOf(calendar, period));
}

const TOLD = /^(\d{4})(?:-Q([1-4])|-W(\d\d)|-(\d\d)(?:-(\d\d)(?:T(\d\d))?)?)?$/;

/** The period that is told so; undefined if none is. */
export function periodFrom(calendar: PeriodCalendar, text: string): number | undefined {
  const found = TOLD.exec(text);
  if (found === null) return undefined;
  const [, year, quarter, week, month, day, hour] = found.map(Number) as [number, ...number[]];
  const { period, yearStart } = calendar;
  const first = has(quarter) ? 3 * quarter - 2 : yearStart;
  const date = has(week)
    ? mondayOf(year!, week)
    : dateOf(year!, has(month) ? month : first, day, hour);
  if (date === undefined) return undefined;
  const number = period.of(date, yearStart);
  return periodText(calendar, number) === text ? number : undefined;
}

const has = (number: number | undefined): number is number =>
  number !== undefined && !Number.isNaN(number);

/** A date; undefined where there is none such. */
function dateOf(year: number, month: number, day?: number, hour?: number): LocalDate | undefined {
  try {
    return new Temporal.PlainDateTime(year, month, has(day) ? day : 1, has(hour) ? hour : 0);
  } catch {
    return undefined;
  }
}

/** The Monday of a week of ISO 8601: the week of the year's 4th of January is its first. */
function mondayOf(year: number, week: number): LocalDate {
  const fourth = new Temporal.PlainDateTime(year, 1, 4);
  return fourth.add({ days: 7 * (week - 1) + 1 - fourth.dayOfWeek });
}

/**
 * The period of a text, from what its dates show, by the names of their tokens; undefined where no
 * date shows that. A year of two digits is the latest such one up to the year of the period
 * `latest`.
 */
export function periodShown(
  calendar: PeriodCalendar,
  shownDates: ReadonlyMap<string, string>,
  latest: number,
): number | undefined {
  const { period, yearStart } = calendar;
  const last = firstOf(calendar, latest + 1).subtract({ nanoseconds: 1 });
  const date = dateShown(calendar, shownDates, last);
  if (date === undefined) return undefined;
  const number = period.of(date, yearStart);
  const shows = (at: LocalDate, ignored?: string) =>
    dateTokens.every((token) => {
      const text = token.name === ignored ? undefined : shownDates.get(token.name);
      return text === undefined || shown(token, at, yearStart) === text;
    });
  if (shows(date)) return number;
  // A date that is finer than the period may be any of it.
  const end = firstOf(calendar, number + 1);
  const step = period.name === "hour" ? { hours: 1 } : { days: 1 };
  for (let at = firstOf(calendar, number); Temporal.PlainDateTime.compare(at, end) < 0; ) {
    if (shows(at, period.name === "hour" ? undefined : "HH")) return number;
    at = at.add(step);
  }
  return undefined;
}

/** A date of the period that is shown; undefined where no date shows that. */
function dateShown(
  { period, yearStart }: PeriodCalendar,
  shownDates: ReadonlyMap<string, string>,
  last: LocalDate,
): LocalDate | undefined {
  const numbers = new Map([...shownDates].map(([name, text]) => [name, Number(text)]));
  const yearOf = (name: string): number | undefined => {
    const number = numbers.get(name);
    const token = dateTokens.find((each) => each.name === name)!;
    if (number === undefined || token.bytes === 4) return number;
    const year = token.shows(last, yearStart);
    return year - ((((year - number) % 100) + 100) % 100);
  };
  if (period.name === "fiscal_year") {
    const year = yearOf("fyyy") ?? yearOf("fy") ?? (yearOf("fyyy+1") ?? yearOf("fy+1")!) - 1;
    return dateOf(year, yearStart);
  }
  const [weekYear, week] = [yearOf("gggg"), numbers.get("ww")];
  if (period.name === "week" && weekYear !== undefined && week !== undefined) {
    return mondayOf(weekYear, week);
  }
  const year = (yearOf("yyyy") ?? yearOf("yy"))!;
  const [hour, day, quarter = 1] = ["HH", "DDD", "q"].map((name) => numbers.get(name));
  if (day !== undefined) return dateOf(year, 1, 1, hour)?.add({ days: day - 1 });
  const month = numbers.get("MM");
  // Without its month a day may be of any.
  if (month === undefined) return dateOf(year, 3 * quarter - 2);
  return dateOf(year, month, numbers.get("dd"), hour);
}
