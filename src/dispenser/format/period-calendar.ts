/**
 * The calendar of a line with periods: which period it is, when it ends, how it is told, and of which
 * one a text is.
 */

import { type Calendar, type DateToken, dateAt, datesEnd, dateTokens, shown } from "./dates.ts";
import type { LocalDate, Period } from "./periods.ts";

/** A period and until when it holds at least, from when it was asked for, in milliseconds. */
interface Known {
  readonly period: number;
  readonly fromMs: number;
  readonly untilMs: number;
}

export class PeriodCalendar implements Calendar {
  readonly zone: string;
  readonly yearStart: number;
  readonly period: Period;
  /** The dates that the format shows, which tell periods apart. */
  private readonly tokens: readonly DateToken[];
  /** What was asked for last: many lines ask for the same. */
  private lastAt: Known | undefined;
  private lastEnd: Pick<Known, "period" | "untilMs"> | undefined;

  constructor({ zone, yearStart }: Calendar, period: Period, tokens: readonly DateToken[]) {
    this.zone = zone;
    this.yearStart = yearStart;
    this.period = period;
    this.tokens = tokens;
  }

  /** The period at a Unix time in milliseconds. */
  at(wallMs: number): number {
    const { lastAt } = this;
    if (lastAt !== undefined && wallMs >= lastAt.fromMs && wallMs < lastAt.untilMs)
      return lastAt.period;
    const period = this.of(dateAt(this, wallMs));
    // What tells periods apart is shown, and so does not stay longer than a period.
    const untilMs = datesEnd(this.tokens, this, wallMs);
    this.lastAt = { period, fromMs: wallMs, untilMs };
    return period;
  }

  private of(date: LocalDate): number {
    return this.period.of(date, this.yearStart);
  }

  private firstOf(period: number): LocalDate {
    return this.period.first(period, this.yearStart);
  }

  private lastOf(period: number): LocalDate {
    return this.firstOf(period + 1).subtract({ nanoseconds: 1 });
  }

  /** The date nearest to that of a Unix time, in milliseconds, which lies in a period. */
  dateWithin(period: number, wallMs: number): LocalDate {
    const date = dateAt(this, wallMs);
    const now = this.of(date);
    if (now === period) return date;
    return now < period ? this.firstOf(period) : this.lastOf(period);
  }

  /**
   * When a period ends, seen from a Unix time in milliseconds: the next one may have begun before,
   * where clocks were put back since.
   */
  end(period: number, wallMs: number): Temporal.ZonedDateTime {
    const next = this.firstOf(period + 1);
    const end = next.toZonedDateTime(this.zone);
    if (end.epochMilliseconds > wallMs) return end;
    return next.toZonedDateTime(this.zone, { disambiguation: "later" });
  }

  /** The same as a Unix time in milliseconds. */
  endMs(period: number, wallMs: number): number {
    const { lastEnd } = this;
    if (lastEnd?.period === period && wallMs < lastEnd.untilMs) return lastEnd.untilMs;
    const untilMs = this.end(period, wallMs).epochMilliseconds;
    this.lastEnd = { period, untilMs };
    return untilMs;
  }

  /** A period as it is told to people. */
  text(period: number): string {
    return this.period.text(this.firstOf(period));
  }

  /** The period that is told so; undefined if none is. */
  from(text: string): number | undefined {
    const found = TOLD.exec(text);
    if (found === null) return undefined;
    const [, year, quarter, week, month, day, hour] = found.map(Number) as [number, ...number[]];
    const first = has(quarter) ? 3 * quarter - 2 : this.yearStart;
    const date = has(week)
      ? mondayOf(year!, week)
      : dateOf(year!, has(month) ? month : first, day, hour);
    if (date === undefined) return undefined;
    const period = this.of(date);
    return this.text(period) === text ? period : undefined;
  }

  /**
   * The period of a text, from what its dates show, by the names of their tokens; undefined where no
   * date shows that. A year of two digits is the latest such one up to the year of the period
   * `latest`.
   */
  shown(dates: ReadonlyMap<string, string>, latest: number): number | undefined {
    const date = this.dateShown(dates, this.lastOf(latest));
    if (date === undefined) return undefined;
    const period = this.of(date);
    const shows = (at: LocalDate, ignored?: string) =>
      dateTokens.every((token) => {
        const text = token.name === ignored ? undefined : dates.get(token.name);
        return text === undefined || shown(token, at, this.yearStart) === text;
      });
    if (shows(date)) return period;
    // A date that is finer than the period may be any of it.
    const isHour = this.period.name === "hour";
    const end = this.firstOf(period + 1);
    for (let at = this.firstOf(period); Temporal.PlainDateTime.compare(at, end) < 0; ) {
      if (shows(at, isHour ? undefined : "HH")) return period;
      at = at.add(isHour ? { hours: 1 } : { days: 1 });
    }
    return undefined;
  }

  /** A date of the period that is shown; undefined where no date shows that. */
  private dateShown(dates: ReadonlyMap<string, string>, last: LocalDate): LocalDate | undefined {
    const { period, yearStart } = this;
    const numbers = new Map([...dates].map(([name, text]) => [name, Number(text)]));
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
}

const TOLD = /^(\d{4})(?:-Q([1-4])|-W(\d\d)|-(\d\d)(?:-(\d\d)(?:T(\d\d))?)?)?$/;

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
