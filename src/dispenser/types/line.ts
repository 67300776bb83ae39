/**
 * Types 2 and 3: starting + step * k, exact to 2^63 - 1.
 *
 * The next number is kept as its decimal digits, and going one on is an addition on them, as an
 * odometer does it: no BigInt and no text is made for a number handed out, and numbers above 2^53
 * cost what small ones cost. BigInt serves only where the line is entered.
 */

import type { Refusal } from "../../base/errors.ts";
import { positionAtLeast, valueAt } from "./progression.ts";
import type { NumberSeries, NumberSource, NumberType, Progression, Values } from "./type.ts";
import {
  largestOf,
  lengthField,
  NUMBER_MAX,
  parseNumber,
  refuseNumber,
  wholeNumber,
} from "./whole-number.ts";

/** A number has up to 19 digits, and a step from the last one may carry past 2^63 - 1. */
const WHEELS = String(NUMBER_MAX).length + 1;
const ZERO = 48;
const NINE = 57;

const stepField = wholeNumber({ name: "step", least: 1n, most: () => NUMBER_MAX, preset: 1n });

/** Fixed-width increment: the line, padded with zeros on the left to `length` digits. */
export const fixedWidth: NumberType = {
  code: 2,
  word: "fixed",
  hasPositions: true,
  isOrdered: true,
  mayStartOver: true,
  level: 1,
  fields: [
    lengthField(true),
    wholeNumber({
      name: "starting",
      least: 0n,
      most: ({ length }) => largestOf(length as bigint),
      preset: 0n,
    }),
    stepField,
  ],
  series: (values) => new LineSeries(values, Number(values.length)),
};

/** Plain increment: the line, unpadded. */
export const plain: NumberType = {
  code: 3,
  word: "increment",
  hasPositions: true,
  isOrdered: true,
  mayStartOver: true,
  level: 1,
  fields: [
    wholeNumber({ name: "starting", least: 0n, most: () => NUMBER_MAX, preset: 0n }),
    stepField,
  ],
  series: (values) => new LineSeries(values, 0),
};

/** The fields of a line that has every number from this one on. */
export function fieldsOfAllFrom(number: bigint): ReadonlyMap<string, string> {
  return new Map([
    ["type", String(plain.code)],
    ["starting", String(number)],
  ]);
}

class LineSeries implements NumberSeries {
  readonly positions: bigint;
  readonly progression: Progression;
  /** Digits of each number at least; 0 where none are added. */
  private readonly width: number;
  private readonly largest: bigint;

  constructor({ starting, step }: Values, width: number) {
    this.progression = { first: starting as bigint, step: step as bigint };
    this.width = width;
    this.largest = width === 0 ? NUMBER_MAX : largestOf(BigInt(width));
    this.positions = (this.largest - this.progression.first) / this.progression.step + 1n;
  }

  numberAt(position: bigint): string {
    return valueAt(this.progression, position).toString().padStart(this.width, "0");
  }

  positionOf(number: string): bigint | undefined {
    const value = parseNumber(number);
    if (value === undefined) return undefined;
    const position = positionAtLeast(this.progression, value);
    return position < this.positions && this.numberAt(position) === number ? position : undefined;
  }

  positionOnceOf(number: string): bigint | undefined {
    const value = parseNumber(number);
    if (value === undefined || number.length > this.width) return this.positionOf(number);
    return this.positionOf(String(value).padStart(this.width, "0"));
  }

  positionFrom(text: string): bigint | Refusal {
    const number = parseNumber(text);
    if (number === undefined) return refuseNumber("number", text, 0n, NUMBER_MAX);
    return positionAtLeast(this.progression, number);
  }

  fieldFrom(number: bigint): string | undefined {
    return number <= this.largest ? `starting ${number}` : undefined;
  }

  open(position: bigint): NumberSource {
    return new Odometer(valueAt(this.progression, position), this.progression.step, this.width);
  }
}

let lastStep = -1n;
let lastStepDigits = new Uint8Array(0);

/** The digits of a step as values 0 to 9; one array for the same step again, as most are 1. */
function digitsOf(step: bigint): Uint8Array {
  if (step !== lastStep) {
    lastStep = step;
    lastStepDigits = Uint8Array.from(step.toString(), Number);
  }
  return lastStepDigits;
}

/** The wheels of so many lines lie in one array: an array of its own costs a line 80 bytes more. */
const LINES_PER_ARRAY = 64;
let array = new Uint8Array(0);
let used = 0;

class Odometer implements NumberSource {
  /** The next number, one ASCII digit a wheel, the units last, which end at `end`. */
  private readonly wheels: Uint8Array;
  private readonly end: number;
  /** The step's digits as values 0 to 9, the units last. */
  private readonly stepDigits: Uint8Array;
  /** The first wheel that is shown. */
  private first: number;

  constructor(number: bigint, step: bigint, width: number) {
    this.stepDigits = digitsOf(step);
    const text = number.toString();
    if (used === array.length) {
      array = new Uint8Array(WHEELS * LINES_PER_ARRAY);
      used = 0;
    }
    const start = used;
    used += WHEELS;
    this.wheels = array;
    this.end = used;
    this.first = this.end - Math.max(text.length, width);
    array.fill(ZERO, start, used).set(Buffer.from(text), this.end - text.length);
  }

  get bytes(): number {
    return this.end - this.first;
  }

  next(into: Uint8Array, at: number): void {
    const { wheels, end } = this;
    let to = at;
    for (let wheel = this.first; wheel < end; wheel++) into[to++] = wheels[wheel]!;
    this.turn();
  }

  /** Adds the step, carrying to the left. */
  private turn(): void {
    const wheels = this.wheels;
    const stepDigits = this.stepDigits;
    let wheel = this.end;
    let from = stepDigits.length;
    let carry = 0;
    while (from > 0 || carry > 0) {
      wheel--;
      let digit = wheels[wheel]! + carry;
      if (from > 0) digit += stepDigits[--from]!;
      carry = 0;
      if (digit > NINE) {
        digit -= 10;
        carry = 1;
      }
      wheels[wheel] = digit;
    }
    if (wheel < this.first) this.first = wheel;
  }
}
