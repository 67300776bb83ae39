/**
 * The text around a number: what it adds to the bytes of a number, and which number a text has. A
 * text is unique because its number is: all that stands around it has a fixed width.
 */

import { assert } from "../../base/assert.ts";
import { invalid, Refusal } from "../../base/errors.ts";
import { NO_PERIOD, type NumberSource, type When } from "../types/type.ts";
import { type Calendar, type DateToken, dateAt, datesEnd, shown } from "./dates.ts";
import { type Parts, partsOf } from "./parts.ts";
import { PeriodCalendar } from "./period-calendar.ts";
import { isShown, type Period } from "./periods.ts";

const DASH = 45;
/** ISO 11649: so many letters and digits at most behind RF and its two digits. */
const REFERENCE_MAX = 21;
const RF = "rf";

/** What stands in front of a number, and behind it, with zeros where a check is written. */
export interface Around {
  readonly front: Uint8Array;
  readonly back: Uint8Array;
}

/** The same with dates: of which period, and from when to when they are so, as Unix times in ms. */
interface Dated extends Around {
  readonly period: number;
  readonly fromMs: number;
  readonly untilMs: number;
}

export class Format {
  /** The field as HSET gave it. */
  readonly text: string;
  readonly calendar: Calendar;
  /** The periods in which a line counts from its start; undefined for none. */
  readonly periods: PeriodCalendar | undefined;
  private readonly parts: Parts;
  private readonly around: Around;
  /** The dates that were shown last: they hold for many numbers. */
  private lastDated: Dated | undefined;

  private constructor(text: string, parts: Parts, calendar: Calendar, period?: Period) {
    this.text = text;
    this.parts = parts;
    this.calendar = calendar;
    this.periods = period && new PeriodCalendar(calendar, period, this.tokens);
    this.around = aroundOf(parts.front, parts.back);
  }

  private get tokens(): readonly DateToken[] {
    return this.parts.dates.map(({ token }) => token);
  }

  /** Reads the field `format`, for numbers that are made of these characters. */
  static read(
    text: string,
    characters: string,
    calendar: Calendar,
    period?: Period,
  ): Format | Refusal {
    const parts = partsOf(text);
    if (parts instanceof Refusal) return parts;
    const names = parts.dates.map(({ token }) => token.name);
    if (period !== undefined && !isShown(period, names)) return refuseUnmarked(period);
    const { check } = parts;
    if (check !== undefined && !(check.takesLetters ? isPlain(characters) : isDigits(characters))) {
      const allowed = check.takesLetters ? "digits and letters of one case" : "digits alone";
      return invalid("format", text, `must have {${check.name}} only where numbers are ${allowed}`);
    }
    if (parts.group > 0 && characters.includes("-")) {
      return invalid("format", text, "must have no groups, because numbers have dashes themselves");
    }
    return new Format(text, parts, calendar, period);
  }

  /** Whether it adds nothing but text in front of a number and behind it. */
  get isSimple(): boolean {
    const { group, check } = this.parts;
    return group === 0 && check === undefined;
  }

  /** Whether it shows dates, so that its texts depend on the time. */
  get isDated(): boolean {
    return this.parts.dates.length > 0;
  }

  /** Whether it shows fiscal years. */
  get isFiscal(): boolean {
    return this.parts.dates.some(({ token }) => token.isFiscal);
  }

  /** How many characters a number may have at most; Infinity where that makes no difference. */
  get numberCharactersMax(): number {
    const { check, front, back } = this.parts;
    if (check?.name !== RF) return Number.POSITIVE_INFINITY;
    const around = front.slice(check.bytes) + back;
    return REFERENCE_MAX - around.replace(/[^0-9A-Za-z]/g, "").length;
  }

  /** What is around numbers; dates need to know when. */
  aroundAt(when?: When): Around {
    if (!this.isDated) return this.around;
    assert(when !== undefined, "dates have a time");
    return this.datedAt(when);
  }

  /** Until when that stays so. */
  endOf(when: When): number {
    return this.isDated ? this.datedAt(when).untilMs : Number.POSITIVE_INFINITY;
  }

  private datedAt({ wallMs, period }: When): Dated {
    const { lastDated, calendar, periods } = this;
    const isKnown = lastDated !== undefined && lastDated.period === period;
    if (isKnown && wallMs >= lastDated.fromMs && wallMs < lastDated.untilMs) return lastDated;
    const date = periods?.dateWithin(period, wallMs) ?? dateAt(calendar, wallMs);
    const around = this.withDates((token) => shown(token, date, calendar.yearStart));
    const untilMs = datesEnd(this.tokens, calendar, wallMs);
    this.lastDated = { ...around, period, fromMs: wallMs, untilMs };
    return this.lastDated;
  }

  /**
   * The period of a text, as PeriodCalendar.shown() finds it: undefined where it is of none. Of a
   * line without periods every text is of NO_PERIOD.
   */
  periodIn(text: string, latest: number): number | undefined {
    const { periods } = this;
    if (periods === undefined) return NO_PERIOD;
    const dates = this.numberIn(text) === undefined ? undefined : this.datesIn(text);
    return dates && periods.shown(dates, latest);
  }

  /** What is around a number where each date shows this. */
  private withDates(textOf: (token: DateToken) => string): Around {
    const sides = [this.parts.back, this.parts.front];
    for (const { token, isInFront, at } of this.parts.dates) {
      const text = sides[Number(isInFront)]!;
      const side = text.slice(0, at) + textOf(token) + text.slice(at + token.bytes);
      sides[Number(isInFront)] = side;
    }
    return aroundOf(sides[1]!, sides[0]!);
  }

  /** How many bytes the text of a number of so many bytes has. */
  bytesFor(number: number): number {
    const { front, back } = this.around;
    return front.length + number + this.dashesIn(number) + back.length;
  }

  private dashesIn(number: number): number {
    const { group } = this.parts;
    return group === 0 ? 0 : Math.ceil(number / group) - 1;
  }

  /**
   * Writes the text of a number to `into[at]` and on. `number` writes itself, which takes so many
   * bytes, to where it is told.
   */
  write(
    { front, back }: Around,
    into: Uint8Array,
    at: number,
    bytes: number,
    number: Pick<NumberSource, "next">,
  ): void {
    const { check, checkAt, group } = this.parts;
    let to = at;
    for (let index = 0; index < front.length; index++) into[to++] = front[index]!;
    number.next(into, to);
    const start = to;
    to += bytes;
    if (group > 0) {
      const dashes = this.dashesIn(bytes);
      if (dashes > 0) spread(into, start, bytes, group, dashes);
      to += dashes;
    }
    const backAt = to;
    for (let index = 0; index < back.length; index++) into[to++] = back[index]!;
    if (check === undefined) return;
    if (check.isInFront) check.write(into, at + check.bytes, to, at);
    else check.write(into, at, backAt + checkAt, backAt + checkAt);
  }

  /** The text of a number. */
  textOf(number: string, around: Around): string {
    const into = Buffer.alloc(this.bytesFor(number.length));
    const next = (bytes: Uint8Array, at: number) =>
      void bytes.set(Buffer.from(number, "latin1"), at);
    this.write(around, into, 0, number.length, { next });
    return into.toString("latin1");
  }

  /** The number in a text; undefined where no number has this text, at any time. */
  numberIn(text: string): string | undefined {
    const { front, back } = this.around;
    const inner = text.slice(front.length, text.length - back.length);
    if (inner.length === 0 || text.length < front.length + back.length) return undefined;
    const number = this.parts.group === 0 ? inner : inner.replaceAll("-", "");
    if (number.length === 0) return undefined;
    const dates = this.datesIn(text);
    if (dates === undefined) return undefined;
    const around = this.withDates(({ name }) => dates.get(name)!);
    return this.textOf(number, around) === text ? number : undefined;
  }

  /** What the dates of a text show, by their tokens; undefined if no day shows that. */
  private datesIn(text: string): ReadonlyMap<string, string> | undefined {
    const backAt = text.length - this.around.back.length;
    const dates = new Map<string, string>();
    for (const { token, isInFront, at } of this.parts.dates) {
      const start = isInFront ? at : backAt + at;
      const date = text.slice(start, start + token.bytes);
      const isDate = /^[0-9]+$/.test(date) && +date >= token.least && +date <= token.most;
      if (!isDate || (dates.get(token.name) ?? date) !== date) return undefined;
      dates.set(token.name, date);
    }
    return dates;
  }
}

function refuseUnmarked({ name, marksText }: Period): Refusal {
  const word = name.replace("_", " ");
  return new Refusal(
    `ERR format must show the ${word}: two ${word}s would give the same numbers. It needs ${marksText}`,
  );
}

const aroundOf = (front: string, back: string): Around => ({
  front: Buffer.from(front, "latin1"),
  back: Buffer.from(back, "latin1"),
});

/** Moves the characters of a number apart, from its end, so that a dash fits after each group. */
function spread(
  into: Uint8Array,
  start: number,
  bytes: number,
  group: number,
  dashes: number,
): void {
  let gap = dashes;
  for (let index = bytes; gap > 0; ) {
    index--;
    into[start + index + gap] = into[start + index]!;
    if (index % group === 0) into[start + index + --gap] = DASH;
  }
}

const isDigits = (characters: string) => /^[0-9]+$/.test(characters);

const isPlain = (characters: string) => /^([0-9A-Z]+|[0-9a-z]+)$/.test(characters);
