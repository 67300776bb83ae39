/**
 * The text around numbers, and the calendars of periods, as an observer reads them: written out here,
 * without the program's own.
 */

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Days from the first one of year 0, from which hours and days are counted, to 1970-01-01. */
const DAYS_TO_1970 = 719_528;

/** Local times are milliseconds, as if the zone's were UTC. */
interface Unit {
  readonly of: (localMs: number) => number;
  readonly first: (period: number) => number;
  /** How many characters of a local time tell the period. */
  readonly shown: number;
}

const units = {
  hour: {
    of: (localMs) => Math.floor(localMs / HOUR_MS) + 24 * DAYS_TO_1970,
    first: (period) => (period - 24 * DAYS_TO_1970) * HOUR_MS,
    shown: "yyyy-MM-ddTHH".length,
  },
  day: {
    of: (localMs) => Math.floor(localMs / DAY_MS) + DAYS_TO_1970,
    first: (period) => (period - DAYS_TO_1970) * DAY_MS,
    shown: "yyyy-MM-dd".length,
  },
  month: {
    of: (localMs) => 12 * new Date(localMs).getUTCFullYear() + new Date(localMs).getUTCMonth(),
    first: (period) => Date.UTC(Math.floor(period / 12), period % 12),
    shown: "yyyy-MM".length,
  },
} as const satisfies Record<string, Unit>;

/** Periods of one kind in a zone whose clocks are never changed. */
export class Calendar {
  /** The fields of HSET. */
  readonly fields: Readonly<Record<string, string>>;
  private readonly unit: Unit;
  private readonly offset: string;
  private readonly offsetMs: number;

  /** `offset` is that of the zone, as +hh:mm. */
  constructor(period: keyof typeof units, zone: string, offset: string) {
    this.fields = { period, zone };
    this.unit = units[period];
    this.offset = offset;
    this.offsetMs = Date.UTC(1970) - Date.parse(`1970-01-01T00:00:00${offset}`);
  }

  /** The number of the period at a Unix time. */
  periodAt(wallMs: number): number {
    return this.unit.of(this.localMs(wallMs));
  }

  /** The number of the period at a local time. */
  periodOf(localMs: number): number {
    return this.unit.of(localMs);
  }

  /** When a period begins, as a Unix time. */
  firstMs(period: number): number {
    return this.unit.first(period) - this.offsetMs;
  }

  localMs(wallMs: number): number {
    return wallMs + this.offsetMs;
  }

  /** The local time nearest to a Unix time that lies in a period. */
  localWithin(period: number, wallMs: number): number {
    const { first } = this.unit;
    return Math.min(Math.max(this.localMs(wallMs), first(period)), first(period + 1) - 1);
  }

  /** A period as PERIOD takes it, and INFO tells it. */
  textOf(period: number): string {
    return new Date(this.unit.first(period)).toISOString().slice(0, this.unit.shown);
  }

  /** When a period ends, as it is told where the numbers of one have run out. */
  endText(period: number): string {
    const end = new Date(this.unit.first(period + 1)).toISOString();
    return `${end.slice(0, "yyyy-MM-ddTHH:mm:ss".length)}${this.offset}`;
  }
}

/** Each with another zone: one is behind UTC, and one ahead. */
export const calendars = {
  hour: new Calendar("hour", "UTC", "+00:00"),
  day: new Calendar("day", "Asia/Shanghai", "+08:00"),
  month: new Calendar("month", "-03:30", "-03:30"),
} as const;

/** What a text shows. */
interface ReadText {
  readonly number: string;
  /** The local time; 0 in a format without dates. */
  readonly localMs: number;
}

interface Format {
  /** Of lines with periods. */
  readonly calendar?: Calendar;
  /** The text of a number; dates show a local time. */
  readonly textOf: (number: string, localMs: number) => string;
  /** What a text shows, which textOf() has to show as the same text; undefined for nothing. */
  readonly read: (text: string) => ReadText | undefined;
}

/** Parts of a local time, as in 2026-11-30T22:00:00.000Z. */
const iso = (localMs: number) => new Date(localMs).toISOString();
const yearOf = (localMs: number) => iso(localMs).slice(0, 4);
const monthOf = (localMs: number) => iso(localMs).slice(5, 7);
const dayOf = (localMs: number) => iso(localMs).slice(8, 10);
const hourOf = (localMs: number) => iso(localMs).slice(11, 13);
const dayOfYear = (localMs: number) =>
  String(Math.floor((localMs - Date.UTC(Number(yearOf(localMs)), 0)) / DAY_MS) + 1).padStart(
    3,
    "0",
  );

const table = {
  "": {
    textOf: (number) => number,
    read: (text) => ({ number: text, localMs: 0 }),
  },
  "A-{n:3}{luhn}/7": {
    textOf: (number) => {
      const grouped = number.match(/.{1,3}/g)!.join("-");
      return `A-${grouped}${luhn(number)}/7`;
    },
    read: (text) => {
      const [, grouped] = /^A-((?:[0-9]{3}-)*[0-9]{1,3})[0-9]\/7$/.exec(text) ?? [];
      return grouped === undefined
        ? undefined
        : { number: grouped.replaceAll("-", ""), localMs: 0 };
    },
  },
  "{yy}{MM}{dd}{HH}-{n}": {
    calendar: calendars.hour,
    textOf: (number, at) => {
      const year = yearOf(at).slice(2);
      return `${year}${monthOf(at)}${dayOf(at)}${hourOf(at)}-${number}`;
    },
    read: (text) => {
      const [, date, number] = /^(\d{8})-(\d+)$/.exec(text) ?? [];
      if (date === undefined) return undefined;
      const [year, month, day, hour] = date.match(/../g)!.map(Number) as [number, ...number[]];
      return { number: number!, localMs: Date.UTC(2000 + year, month! - 1, day, hour) };
    },
  },
  "D{yyyy}.{DDD}.{n}/{luhn}": {
    calendar: calendars.day,
    textOf: (number, at) => {
      const front = `D${yearOf(at)}.${dayOfYear(at)}.${number}/`;
      return front + luhn(front.replace(/[^0-9]/g, ""));
    },
    read: (text) => {
      const [, year, day, number] = /^D(\d{4})\.(\d{3})\.(\d+)\/\d$/.exec(text) ?? [];
      if (number === undefined) return undefined;
      return { number, localMs: Date.UTC(Number(year), 0, Number(day)) };
    },
  },
  // The day is finer than the period.
  "{dd}/{MM}/{yyyy}:{n}": {
    calendar: calendars.month,
    textOf: (number, at) => `${dayOf(at)}/${monthOf(at)}/${yearOf(at)}:${number}`,
    read: (text) => {
      const [, day, month, year, number] = /^(\d\d)\/(\d\d)\/(\d{4}):(\d+)$/.exec(text) ?? [];
      if (number === undefined) return undefined;
      return { number, localMs: Date.UTC(Number(year), Number(month) - 1, Number(day)) };
    },
  },
} as const satisfies Record<string, Format>;

export type FormatText = keyof typeof table;

/** Formats of lines, by the field of HSET. */
export const formats: Readonly<Record<FormatText, Format>> = table;

/** The digit with which the sum of all is a multiple of ten, where every other one counts twice. */
function luhn(digits: string): string {
  let sum = 0;
  for (const [index, digit] of [...digits].reverse().entries()) {
    const value = Number(digit) * (index % 2 === 0 ? 2 : 1);
    sum += value > 9 ? value - 9 : value;
  }
  return String((10 - (sum % 10)) % 10);
}
