/**
 * What a type of dispenser is, as seen from the dispenser: an interface without code. A new type
 * is one file that exports a NumberType and one line in the table of definition.ts.
 */

/** What shapes the numbers of a dispenser; a field that does not apply to its type is 0. */
export interface Shape {
  /** Digits of each number, 1 to 18; 0 for numbers of no fixed width. */
  readonly length: number;
  /** The first number of the line, 0 to 2^63 - 1. */
  readonly starting: bigint;
  /** What lies between two numbers of the line, 1 to 2^63 - 1. */
  readonly step: bigint;
}

export type ShapeField = keyof Shape;

/** The most digits a number can have: 2^63 - 1 has 19. */
export const DIGITS_MAX = 19;

/** An open supply of numbers. */
export interface NumberSource {
  /** How many digits the next number has. */
  readonly digits: number;
  /** Its first digit, in ASCII; 0 where it is drawn only then. */
  readonly firstDigit: number;
  /** Writes the next number as ASCII digits at `into[at]` and on, and goes on to the one after. */
  next(into: Uint8Array, at: number): void;
}

export interface NumberType {
  /** What the field `type` says. */
  readonly code: 1 | 2 | 3;
  /** The word that the field `type` may say instead. */
  readonly word: string;
  /** Whether its numbers lie on a line, in order; if not, it has no position. */
  readonly isLine: boolean;
  /** The fields of HSET that apply to it. */
  readonly fields: readonly ShapeField[];
  /** Those that may grow on a dispenser that is there: its numbers stay unique and in order. */
  readonly growing: readonly ShapeField[];
  /** The largest number that `length` digits allow. */
  largest(length: number): bigint;
  /** How many numbers its line has; 0 where there is no line. */
  positions(shape: Shape): bigint;
  /** Opens the supply at a position of the line. */
  open(shape: Shape, position: bigint): NumberSource;
}
