/** The lines of the simulated cluster: how each is defined, and how a text of it is read. */

import type { Definition } from "../../../src/dispenser/definition.ts";
import { define } from "../../../src/dispenser/fields.ts";
import type { StrategyName } from "../../../src/dispenser/strategy.ts";
import { NO_PERIOD } from "../../../src/dispenser/types/type.ts";

/** A name that is deleted and made anew begins this much higher each time: its numbers say which it is. */
export const SPAN = 1_000_000_000;
export const HOUR_MS = 3_600_000;
/** When a history begins. */
export const BEGIN_MS = Date.parse("2026-11-30T20:00Z");
/** Hours are counted from a time before that, as clocks may be behind. */
const FIRST_HOUR_MS = BEGIN_MS - 100 * HOUR_MS;

export const hourAt = (wallMs: number) => Math.floor((wallMs - FIRST_HOUR_MS) / HOUR_MS);

const KEY = "e3b0c44298fc1c149afbf4c8996fb924";
const HOURLY = { format: "{yyyy}{MM}{dd}{HH}/{n}", period: "hour" };

/** Lines whose numbers are written in another way; the others are named by their strategies. */
const shapes = {
  codes: { type: "4", length: "12", key: KEY, auto_disk: "pre_close" },
  formatted: {
    ...{ type: "2", length: "12", format: "F-{n:4}{luhn}" },
    auto_disk: "elegant_close",
  },
  hourly: { type: "3", ...HOURLY, auto_disk: "pre_close" },
  hourlyExact: { type: "2", length: "9", ...HOURLY, auto_disk: "elegant_close" },
  hourlyCodes: { type: "4", length: "9", key: KEY, ...HOURLY, auto_disk: "pre-base" },
} as const;

type Written = keyof typeof shapes;
export type LineName = StrategyName | Written;
export const writtenLines = Object.keys(shapes) as Written[];

const isWritten = (name: string): name is Written => name in shapes;
export const isHourly = (name: string): boolean => name.startsWith("hourly");

/** The fields of HSET that define a line. */
export function shapeOf(name: LineName): Readonly<Record<string, string>> {
  return isWritten(name) ? shapes[name] : { type: "3", auto_disk: name };
}

const definitions = new Map(
  writtenLines.map((name) => [
    name as string,
    define(new Map(Object.entries(shapes[name]))) as Definition,
  ]),
);

/** What a text of a line is. */
export interface Read {
  /** Numbers of one part never come twice. */
  readonly part: string;
  /** The number in that; of a code its position. NaN of what is none. */
  readonly number: number;
  /** The hour that it shows, as hourAt(); undefined of a line without periods. */
  readonly hour?: number;
}

export function readNumber(name: string, text: string): Read {
  const definition = definitions.get(name);
  if (definition === undefined) {
    const number = Number(text);
    return { part: String(Math.floor(number / SPAN)), number: number % SPAN };
  }
  const { series, format } = definition;
  if (!isHourly(name)) {
    return { part: "0", number: Number(series.positionOf(text, NO_PERIOD) ?? Number.NaN) };
  }
  const [, year, month, day, hour] = /^(\d{4})(\d\d)(\d\d)(\d\d)\//.exec(text) ?? [];
  const atMs = Date.parse(`${year}-${month}-${day}T${hour}:00Z`);
  const period = format!.periodIn(text, format!.periods!.at(atMs)) ?? Number.NaN;
  const number = Number(series.positionOf(text, period) ?? Number.NaN);
  return { part: text.split("/")[0]!, number, hour: hourAt(atMs) };
}

/**
 * What ADVANCE is given so that a line goes on at a number; undefined where it cannot: a line of codes
 * goes on behind one.
 */
export function textBehind(name: string, number: number): string | undefined {
  if (name !== "codes") return name === "hourlyCodes" ? undefined : String(number);
  return number === 0 ? undefined : definitions.get(name)!.series.numberAt(BigInt(number - 1));
}
