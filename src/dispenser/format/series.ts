/** The numbers of a series with the text of a format around them. */

import { smallest } from "../../base/bigint.ts";
import { invalid, type Refusal } from "../../base/errors.ts";
import { positionAtLeast } from "../types/progression.ts";
import type { NumberSeries, NumberSource, Progression } from "../types/type.ts";
import type { Around, Format } from "./format.ts";

export class FormattedSeries implements NumberSeries {
  readonly positions: bigint;
  /**
   * Of the numbers alone: another format around the same numbers is no other line.
   */
  readonly progression: Progression | undefined;
  readonly guesses?: bigint;
  private readonly numbers: NumberSeries;
  private readonly format: Format;

  constructor(numbers: NumberSeries, format: Format) {
    this.numbers = numbers;
    this.format = format;
    this.progression = numbers.progression;
    if (numbers.guesses !== undefined) this.guesses = numbers.guesses;
    this.positions = smallest(numbers.positions, positionsWithin(numbers, format));
  }

  numberAt(position: bigint, wallMs?: number): string {
    const { numbers, format } = this;
    const number = numbers.numberAt(position);
    return number === "" ? "" : format.textOf(number, format.aroundAt(wallMs));
  }

  positionOf(text: string): bigint | undefined {
    const number = this.format.numberIn(text);
    return number === undefined ? undefined : this.within(this.numbers.positionOf(number));
  }

  positionOnceOf(text: string): bigint | undefined {
    const number = this.format.numberIn(text);
    return number === undefined ? undefined : this.within(this.numbers.positionOnceOf(number));
  }

  private within(position: bigint | undefined): bigint | undefined {
    return position !== undefined && position < this.positions ? position : undefined;
  }

  /** ADVANCE takes a number as GET writes it, and a plain one. */
  positionFrom(text: string): bigint | Refusal {
    return this.numbers.positionFrom(this.format.numberIn(text) ?? text);
  }

  fieldFrom(number: bigint): string | undefined {
    return this.numbers.fieldFrom(number);
  }

  open(position: bigint, wallMs?: number): NumberSource {
    const { numbers, format } = this;
    return new FormattedSource(numbers.open(position), format, format.aroundAt(wallMs));
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
