/**
 * Periods: stretches of calendar time, in each of which a line counts from its start. A period is a
 * whole number, larger the later it is, and made of the local date alone: two stretches of time with
 * one date, as hour 02 where summer time ends, are one period.
 */

import { fiscalYear } from "./dates.ts";

/** A date without its zone. */
export type LocalDate = Temporal.PlainDateTime;

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
/** The first of a month, counted from year 0. */
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
