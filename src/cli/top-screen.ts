/** What `top` shows: the lines of its screen, worked out from figures. */

import type { Figures } from "./figures.ts";
import { cell, compactCount, shownName, shownRate } from "./table.ts";

/** By what the table is sorted. */
export const orders = ["rate", "used"] as const;
export type Order = (typeof orders)[number];

/** From this width on counts are shown with all their digits. */
const WIDE = 120;
const NAME_MIN = 10;

export interface Overview {
  /** Fields of INFO about the server. */
  readonly server: Readonly<Record<string, string>>;
  /** Numbers a second of the busiest dispensers that were seen, and how many they are. */
  readonly numbersPerSecond: number;
  readonly busy: number;
  /** How many dispensers this round has looked at so far. */
  readonly looked: number;
  /** How long the last whole round took; undefined before its end. */
  readonly roundSeconds: number | undefined;
}

/** The dispensers in their order, at most so many. */
export function sorted(all: readonly Figures[], order: Order, most: number): Figures[] {
  const value = ({ rate, usedPercent }: Figures) => (order === "rate" ? rate : usedPercent);
  const other = ({ rate, usedPercent }: Figures) => (order === "rate" ? usedPercent : rate);
  const compare = (one: Figures, two: Figures) =>
    value(two) - value(one) || other(two) - other(one) || (one.name < two.name ? -1 : 1);
  return [...all].sort(compare).slice(0, most);
}

/** Lines about the server and how much of it was seen, at most `width` columns wide. */
export function header(overview: Overview, order: Order, width: number): string[] {
  const { server, numbersPerSecond, busy, looked, roundSeconds } = overview;
  const { dispensers, connected_clients: clients, storage_status: storage } = server;
  // Who may not use every name is not told how many there are.
  const all = dispensers === undefined ? "" : ` of ${dispensers}`;
  const seen =
    roundSeconds === undefined
      ? `looked at ${looked}${all} so far, others may be busier`
      : `looked at all${all} within ${Math.ceil(roundSeconds)} s`;
  return [
    `numbers a second: ${shownRate(numbersPerSecond)}, busy dispensers: ${busy}, clients: ${clients}, storage: ${storage}`,
    ...(storage === "ok" ? [] : [`storage trouble: ${server.storage_error}`]),
    `sorted by ${order === "rate" ? "rate" : "used percent"}; ${seen}`,
  ].map((line) => cell(shownName(line), width, false).trimEnd());
}

/** The table, its titles first, each line at most `width` columns wide. */
export function table(rows: readonly Figures[], width: number): string[] {
  const count = (value: bigint) => (width >= WIDE ? String(value) : compactCount(value));
  const titles = ["RATE", "USED%", "TYPE", "NEXT", "LEFT", "TAKEN", "WASTED", "NAME"];
  const cells = rows.map((figures) => {
    const { name, rate, usedPercent, type, next, remaining, generated, wasted } = figures;
    const left = type === "1" ? "-" : count(remaining);
    return [
      ...[shownRate(rate), usedPercent.toFixed(2), type, next || "-", left],
      ...[count(generated), count(wasted), shownName(name)],
    ];
  });
  const all = [titles, ...cells];
  const widths = titles.map((_, column) =>
    Math.max(...all.map((row) => Bun.stringWidth(row[column]!))),
  );
  const last = titles.length - 1;
  const others = widths.slice(0, last).reduce((sum, each) => sum + each + 1, 0);
  widths[last] = Math.max(width - others, NAME_MIN);
  return all.map((row) =>
    cell(
      row.map((text, column) => cell(text, widths[column]!, column < last)).join(" "),
      width,
      false,
    ).trimEnd(),
  );
}
