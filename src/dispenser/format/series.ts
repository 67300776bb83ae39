/** The numbers of a series with the text of a format around them. */

import { smallest } from "../../base/bigint.ts";
import { invalid, quoted, Refusal } from "../../base/errors.ts";
import { positionAtLeast } from "../types/progression.ts";
import type { NumberSeries, NumberSource, Progression, When } from "../types/type.ts";
import type { Around, Format } from "./format.ts";

export class FormattedSeries implements NumberSeries {
  readonly positions: bigint;
  /**
   * Of the numbers alone: another format around the same numbers is no other line. A line with
   * periods has them again and again, so it is not to be compared.
   */
  readonly progression: Progression | undefined;
  readonly guesses?: bigint;
  private readonly numbers: NumberSeries;
  private readonly format: Format;

  constructor(numbers: NumberSeries, format: Format) {
    this.numbers = numbers;
    this.format = format;
    this.progression = format.periods === undefined ? numbers.progression : undefined;
    if (numbers.guesses !== undefined) this.guesses = numbers.guesses;
    this.positions = smallest(numbers.positions, positionsWithin(numbers, format));
  }

  numberAt(position: bigint, when?: When): string {
    const { numbers, format } = this;
    const number = numbers.numberAt(position, when);
    return number === "" ? "" : format.textOf(number, format.aroundAt(when));
  }

  positionOf(text: string, period: number): bigint | undefined {
    const number = this.numberIn(text, period);
    return number === undefined ? undefined : this.within(this.numbers.positionOf(number, period));
  }

  positionOnceOf(text: string, period: number): bigint | undefined {
    const number = this.numberIn(text, period);
    if (number === undefined) return undefined;
    return this.within(this.numbers.positionOnceOf(number, period));
  }

  private numberIn(text: string, period: number): string | undefined {
    const { format } = this;
    return format.periodIn(text, period) === period ? format.numberIn(text) : undefined;
  }

  private within(position: bigint | undefined): bigint | undefined {
    return position !== undefined && position < this.positions ? position : undefined;
  }

  /** ADVANCE takes a number as GET writes it, and a plain one. */
  positionFrom(text: string, period: number): bigint | Refusal {
    const { format, numbers } = this;
    const of = format.periodIn(text, period);
    const number = format.numberIn(text);
    if (number === undefined || of === undefined || this.isPlain(text, number, of)) {
      return numbers.positionFrom(text, period);
    }
    if (of === period) return numbers.positionFrom(number, period);
    return new Refusal(
      `ERR ADVANCE goes on within the present period, ${format.periods!.text(period)}: ${quoted(text)} is of ` +
        format.periods!.text(of),
    );
  }

  /** What looks like a date may be the first digits of a plain number. */
  private isPlain(text: string, number: string, period: number): boolean {
    return /^[0-9]+$/.test(text) && this.numbers.positionOf(number, period) === undefined;
  }

  fieldFrom(number: bigint): string | undefined {
    return this.numbers.fieldFrom(number);
  }

  open(position: bigint, when?: When): NumberSource {
    const { numbers, format } = this;
    return new FormattedSource(numbers.open(position, when), format, format.aroundAt(when));
  }
}

/** How many positions have a number that is short enough for the format. */
function positionsWithin({ positions, progression }: NumberSeries, format: Format): bigint {
  const { numberCharactersMax: most } = format;
  if (progression === undefined || most === Number.POSITIVE_INFINITY) return positions;
  return positionAtLeast(progression, 10n ** BigInt(most));
}

/**
 * Why numbers that all have so many characters are too long for a format; undefined if they fit.
 */
export function refuseLong(format: Format, characters: number): Refusal | undefined {
  const { numberCharactersMax: most, text } = format;
  if (characters <= most) return undefined;
  return invalid(
    "format",
    text,
    `must leave room for ${characters} characters of a number, and leaves ${most}`,
  );
}

class FormattedSource implements NumberSource {
  /** Kept, because it is asked for more often than it changes. */
  bytes: number;
  private readonly numbers: NumberSource;
  private readonly format: Format;
  private readonly around: Around;
  /** Whether a number is written as it is between texts that are known. */
  private readonly isSimple: boolean;

  constructor(numbers: NumberSource, format: Format, around: Around) {
    this.numbers = numbers;
    this.format = format;
    this.around = around;
    this.isSimple = format.isSimple;
    this.bytes = format.bytesFor(numbers.bytes);
  }

  next(into: Uint8Array, at: number): void {
    const { numbers, format } = this;
    const { bytes } = numbers;
    if (this.isSimple) this.nextSimple(into, at, bytes);
    else format.write(this.around, into, at, bytes, numbers);
    if (numbers.bytes !== bytes) this.bytes = format.bytesFor(numbers.bytes);
  }

  /** What Format.write() does, where there is nothing to compute. */
  private nextSimple(into: Uint8Array, at: number, bytes: number): void {
    const { numbers } = this;
    const { front, back } = this.around;
    const start = at + front.length;
    const end = start + bytes;
    for (let index = 0; index < front.length; index++) into[at + index] = front[index]!;
    numbers.next(into, start);
    for (let index = 0; index < back.length; index++) into[end + index] = back[index]!;
  }
}
