/**
 * The text around a number: what it adds to the bytes of a number, and which number a text has. A
 * text is unique because its number is: all that stands around it has a fixed width.
 */

import { assert } from "../../base/assert.ts";
import { invalid, Refusal } from "../../base/errors.ts";
import type { NumberSource } from "../types/type.ts";
import { type Calendar, dateAt, datesEnd, shown } from "./dates.ts";
import { type Parts, partsOf } from "./parts.ts";

const DASH = 45;
/** ISO 11649: so many letters and digits at most behind RF and its two digits. */
const REFERENCE_MAX = 21;
const RF = "rf";

/** What stands in front of a number, and behind it, with zeros where a check is written. */
export interface Around {
  readonly front: Uint8Array;
  readonly back: Uint8Array;
}

/** The same with dates: from when to when they are so, as Unix times in milliseconds. */
interface Dated extends Around {
  readonly fromMs: number;
  readonly untilMs: number;
}

export class Format {
  /** The field as HSET gave it. */
  readonly text: string;
  readonly calendar: Calendar;
  private readonly parts: Parts;
  private readonly around: Around;
  /** The dates that were shown last: they hold for many numbers. */
  private lastDated: Dated | undefined;

  private constructor(text: string, parts: Parts, calendar: Calendar) {
    this.text = text;
    this.parts = parts;
    this.calendar = calendar;
    this.around = aroundOf(parts.front, parts.back);
  }

  /** Reads the field `format`, for numbers that are made of these characters. */
  static read(text: string, characters: string, calendar: Calendar): Format | Refusal {
    const parts = partsOf(text);
    if (parts instanceof Refusal) return parts;
    const { check } = parts;
    if (check !== undefined && !(check.takesLetters ? isPlain(characters) : isDigits(characters))) {
      const allowed = check.takesLetters ? "digits and letters of one case" : "digits alone";
      return invalid("format", text, `must have {${check.name}} only where numbers are ${allowed}`);
    }
    if (parts.group > 0 && characters.includes("-")) {
      return invalid("format", text, "must have no groups, because numbers have dashes themselves");
    }
    return new Format(text, parts, calendar);
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

  /** What is around numbers at a Unix time in milliseconds, which only dates need. */
  aroundAt(wallMs?: number): Around {
    if (!this.isDated) return this.around;
    assert(wallMs !== undefined, "dates have a time");
    return this.datedAt(wallMs);
  }

  /** Until when that stays so. */
  endOf(wallMs: number): number {
    return this.isDated ? this.datedAt(wallMs).untilMs : Number.POSITIVE_INFINITY;
  }

  private datedAt(wallMs: number): Dated {
    const { lastDated, calendar, parts } = this;
    if (lastDated !== undefined && wallMs >= lastDated.fromMs && wallMs < lastDated.untilMs) {
      return lastDated;
    }
    const date = dateAt(calendar, wallMs);
    const untilMs = datesEnd(
      parts.dates.map(({ token }) => token),
      calendar,
      wallMs,
    );
    const around = this.withDates((token) => shown(token, date, calendar.yearStart));
    this.lastDated = { ...around, fromMs: wallMs, untilMs };
    return this.lastDated;
  }

  /** What is around a number where each date shows this. */
  private withDates(
    textOf: (token: Parts["dates"][number]["token"], isInFront: boolean, at: number) => string,
  ): Around {
    const sides = [this.parts.back, this.parts.front];
    for (const { token, isInFront, at } of this.parts.dates) {
      const text = sides[Number(isInFront)]!;
      const date = textOf(token, isInFront, at);
      sides[Number(isInFront)] = text.slice(0, at) + date + text.slice(at + token.bytes);
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
    const around = this.aroundIn(text);
    return around && this.textOf(number, around) === text ? number : undefined;
  }

  /**
   * What is around the number in a text, with its own dates; undefined if no day has such dates.
   */
  private aroundIn(text: string): Around | undefined {
    const backAt = text.length - this.around.back.length;
    const dates = new Map<string, string>();
    let arePossible = true;
    const around = this.withDates((token, isInFront, at) => {
      const start = isInFront ? at : backAt + at;
      const date = text.slice(start, start + token.bytes);
      const isDate = /^[0-9]+$/.test(date) && +date >= token.least && +date <= token.most;
      if (!isDate || (dates.get(token.name) ?? date) !== date) arePossible = false;
      dates.set(token.name, date);
      return date;
    });
    return arePossible ? around : undefined;
  }
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
