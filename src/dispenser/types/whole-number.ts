/** Fields whose values are whole numbers, written in plain decimal digits. */

import { invalid, type Refusal } from "../../base/errors.ts";
import type { FieldSpec, Values } from "./type.ts";

/** The largest number there is: 2^63 - 1. */
export const NUMBER_MAX = 2n ** 63n - 1n;

const DIGITS_MAX = String(NUMBER_MAX).length;

/** A number of plain decimal digits, 0 to 2^63 - 1; undefined for anything else. */
export function parseNumber(text: string): bigint | undefined {
  if (!/^[0-9]+$/.test(text)) return undefined;
  const significant = text.replace(/^0+(?=.)/, "");
  if (significant.length > DIGITS_MAX) return undefined;
  const value = BigInt(significant);
  return value <= NUMBER_MAX ? value : undefined;
}

/**
 * Why a text is no whole number from `least` to `most`, for a field or an argument of this name.
 */
export function refuseNumber(name: string, text: string, least: bigint, most: bigint): Refusal {
  return invalid(name, text, `must be a whole number from ${least} to ${most}`);
}

export interface WholeNumberOptions {
  readonly name: string;
  readonly least: bigint;
  /** The largest value, given those of the fields before it. */
  readonly most: (before: Values) => bigint;
  readonly preset?: bigint;
  readonly mayGrow?: boolean;
}

/** A field whose value is a bigint from `least` to `most`. */
export function wholeNumber(options: WholeNumberOptions): FieldSpec {
  const { name, least, most, preset, mayGrow = false } = options;
  return {
    name,
    preset: preset === undefined ? undefined : String(preset),
    mayGrow,
    read(text, before) {
      const value = parseNumber(text);
      if (value !== undefined && value >= least && value <= most(before)) return value;
      return refuseNumber(name, text, least, most(before));
    },
  };
}

const LENGTH_MAX = 18n;

/** How many digits each number has: 1 to 18. */
export const lengthField = (mayGrow: boolean): FieldSpec =>
  wholeNumber({ name: "length", least: 1n, most: () => LENGTH_MAX, mayGrow });

/** The largest number that so many digits allow. */
export const largestOf = (digits: bigint): bigint => 10n ** digits - 1n;
