/**
 * The line of an increment dispenser: starting + step * k, exact to 2^63 - 1.
 *
 * The next number is kept as its decimal digits, and going one on is an addition on them, as an
 * odometer does it: no BigInt and no text is made for a number handed out, and numbers above 2^53
 * cost what small ones cost. BigInt serves only where the line is entered.
 */

import { DIGITS_MAX, type NumberSource, type NumberType, type Shape } from "./type.ts";

/** The largest number there is: 2^63 - 1. */
export const NUMBER_MAX = 2n ** 63n - 1n;

/** One more than a number has digits: a step from the last one may carry past 2^63 - 1. */
const WHEELS = DIGITS_MAX + 1;
const ZERO = 48;
const NINE = 57;

/** The number at a position of the line, whether or not it still fits. */
export function numberAt(shape: Shape, position: bigint): bigint {
  return shape.starting + shape.step * position;
}

/** The first position whose number is at least `number`. */
export function positionOf(shape: Shape, number: bigint): bigint {
  if (number <= shape.starting) return 0n;
  return (number - shape.starting + shape.step - 1n) / shape.step;
}

/** Fixed-width increment: the line, padded with zeros on the left to `length` digits. */
export const fixedWidth: NumberType = {
  code: 2,
  word: "fixed",
  isLine: true,
  fields: ["length", "starting", "step"],
  growing: ["length"],
  largest: (length) => 10n ** BigInt(length) - 1n,
  positions: (shape) => countUpTo(shape, fixedWidth.largest(shape.length)),
  open: (shape, position) => new Line(shape, position),
};

/** Plain increment: the line, unpadded. */
export const plain: NumberType = {
  code: 3,
  word: "increment",
  isLine: true,
  fields: ["starting", "step"],
  growing: [],
  largest: () => NUMBER_MAX,
  positions: (shape) => countUpTo(shape, NUMBER_MAX),
  open: (shape, position) => new Line(shape, position),
};

function countUpTo(shape: Shape, largest: bigint): bigint {
  return shape.starting > largest ? 0n : (largest - shape.starting) / shape.step + 1n;
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

class Line implements NumberSource {
  /** The next number, one ASCII digit a wheel, the units last, which end at `end`. */
  private readonly wheels: Uint8Array;
  private readonly end: number;
  /** The step's digits as values 0 to 9, the units last. */
  private readonly stepDigits: Uint8Array;
  /** The first wheel that is shown. */
  private first: number;

  constructor(shape: Shape, position: bigint) {
    this.stepDigits = digitsOf(shape.step);
    const text = numberAt(shape, position).toString();
    if (used === array.length) {
      array = new Uint8Array(WHEELS * LINES_PER_ARRAY);
      used = 0;
    }
    const start = used;
    used += WHEELS;
    this.wheels = array;
    this.end = used;
    this.first = this.end - Math.max(text.length, shape.length);
    array.fill(ZERO, start, used).set(Buffer.from(text), this.end - text.length);
  }

  get digits(): number {
    return this.end - this.first;
  }

  get firstDigit(): number {
    return this.wheels[this.first]!;
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
