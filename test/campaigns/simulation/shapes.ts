/**
 * What lines the simulation defines, and how an observer reads their numbers. A number of a line with
 * periods goes by its rank, which has the period in front: so ranks order all numbers of a line, and
 * tell them apart. Without periods the rank is the number.
 */

import type { Definition } from "../../../src/dispenser/definition.ts";
import { define } from "../../../src/dispenser/fields.ts";
import { NO_PERIOD, type NumberSeries } from "../../../src/dispenser/types/type.ts";
import type { Prng } from "../../../testkit/prng.ts";
import { type Calendar, type FormatText, formats } from "./formats.ts";

/** Of codes the number is the position: starting is 0, and step 1. */
export interface Shape {
  readonly type: "1" | "2" | "3" | "4";
  readonly length: number;
  readonly starting: bigint;
  readonly step: bigint;
  /** The text around each number. */
  readonly format: FormatText;
}

/** The key of all codes: so an observer can tell which one a code is. */
const KEY = "5b8e2f71c09d4a36e1f7083bd2a49c65";
const series = new Map<number, NumberSeries>();

function codesOf(length: number): NumberSeries {
  const fields = { type: "4", length: String(length), key: KEY };
  const found =
    series.get(length) ?? (define(new Map(Object.entries(fields))) as Definition).series;
  series.set(length, found);
  return found;
}

export const calendarOf = ({ format }: Shape): Calendar | undefined => formats[format].calendar;

/** The fields of HSET that define a line of this shape, without a strategy. */
export function fieldsOf(shape: Shape): Record<string, string> {
  const { type, length, starting, step, format } = shape;
  return {
    type,
    ...(type !== "3" && { length: `${length}` }),
    ...((type === "2" || type === "3") && { starting: `${starting}`, step: `${step}` }),
    ...(type === "4" && { key: KEY }),
    ...(format !== "" && { format }),
    ...calendarOf(shape)?.fields,
  };
}

export function isSameShape(left: Shape, right: Shape): boolean {
  return (
    left.type === right.type &&
    left.length === right.length &&
    left.starting === right.starting &&
    left.step === right.step &&
    left.format === right.format
  );
}

/** A shape of one kind or another. */
export function someShape(prng: Prng): Shape {
  const type = prng.pick(["1", "2", "2", "3", "3", "3", "4"] as const);
  const format =
    type === "1" || prng.once(2)
      ? prng.pick(["", "", "A-{n:3}{luhn}/7"] as const)
      : prng.pick(Object.keys(formats) as FormatText[]);
  if (type === "4") {
    return { type, length: prng.pick([4, 12]), starting: 0n, step: 1n, format };
  }
  const length = type === "1" ? 18 : prng.pick([1, 2, 3, 18]);
  const step = prng.pick([1n, 1n, 3n, 1000n, 2n ** 61n]);
  const hasPeriods = formats[format].calendar !== undefined;
  const first = hasPeriods && prng.once(2) ? 0n : 10n ** BigInt(length) - prng.pick([1n, 2n, 8n]);
  const starting =
    type === "2" ? first : prng.pick([0n, 7n, 2n ** 53n - 3n, 2n ** 63n - 40n, 2n ** 63n - 1n]);
  return type === "3"
    ? { type, length: 0, starting, step, format }
    : { type, length, starting, step: type === "1" ? 1n : step, format };
}

/** The largest number that may be on a line. */
export function limitOf({ type, length }: Shape): bigint {
  if (type === "4") return codesOf(length).positions - 1n;
  return type === "2" ? 10n ** BigInt(length) - 1n : 2n ** 63n - 1n;
}

/** The number at position k: of the line, or of each of its periods. */
export const numberAt = ({ starting, step }: Shape, k: bigint): bigint => starting + step * k;

export const positionOf = ({ starting, step }: Shape, number: bigint): bigint =>
  (number - starting) / step;

/** Whether a number is one of a line. */
export function isOn(shape: Shape, number: bigint): boolean {
  const { starting, step } = shape;
  return number >= starting && (number - starting) % step === 0n && number <= limitOf(shape);
}

const RANK_BITS = 64n;

export const rankOf = (period: number, number: bigint): bigint =>
  (BigInt(period) << RANK_BITS) + number;

export const periodIn = (rank: bigint): number => Number(rank >> RANK_BITS);
export const numberIn = (rank: bigint): bigint => BigInt.asUintN(Number(RANK_BITS), rank);

/** What a text says. */
export interface Said {
  readonly rank: bigint;
  readonly number: bigint;
  readonly period: number;
  /** The number as it is written, without its format. */
  readonly written: string;
}

/** What the text of a number of a line says; a text that is none throws an Error, which says why. */
export function read(shape: Shape, text: string): Said {
  const format = formats[shape.format];
  const found = format.read(text);
  if (found === undefined || format.textOf(found.number, found.localMs) !== text)
    throw new Error(`'${text}' is not in the format`);
  const period = format.calendar?.periodOf(found.localMs) ?? NO_PERIOD;
  const number = numberOf(shape, found.number, period);
  return { rank: rankOf(period, number), number, period, written: found.number };
}

function numberOf({ type, length }: Shape, written: string, period: number): bigint {
  if (type !== "4") return BigInt(written);
  const position = codesOf(length).positionOf(written, period);
  if (position === undefined) throw new Error(`'${written}' is no code`);
  return position;
}

/** How GET writes a number of a period at a Unix time. */
export function textOf(shape: Shape, number: bigint, period: number, wallMs = 0): string {
  return textAround(shape, written(shape, number, period), period, wallMs);
}

/** The same of a number as it is written. */
export function textAround(shape: Shape, written: string, period: number, wallMs: number): string {
  const { calendar, textOf } = formats[shape.format];
  return textOf(written, calendar?.localWithin(period, wallMs) ?? 0);
}

/** A number as it is written without its format. */
export function written({ type, length }: Shape, number: bigint, period: number): string {
  if (type === "4") return codesOf(length).numberAt(number, { wallMs: 0, period });
  return String(number).padStart(type === "2" ? length : 0, "0");
}
