/** Tables for a terminal: columns, numbers and names as people read them. */

import { visible } from "../base/log.ts";

const ELLIPSIS = "…";

/** A text in so many columns of a terminal: filled up, or cut with an ellipsis. */
export function cell(text: string, width: number, isNumber: boolean): string {
  const wide = Bun.stringWidth(text);
  if (wide <= width) {
    const room = " ".repeat(width - wide);
    return isNumber ? room + text : text + room;
  }
  let cut = "";
  for (const character of text) {
    if (Bun.stringWidth(cut + character) > width - 1) break;
    cut += character;
  }
  return cell(cut + ELLIPSIS, width, isNumber);
}

/** A name with all that a terminal does not show as a character escaped. */
export const shownName = (name: string): string => visible(name);

const UNITS = ["", "k", "M", "G", "T", "P", "E"];

/** A count in at most five characters: 999, 12.3k, 9.2E. */
export function compactCount(count: bigint | number): string {
  const value = Number(count);
  if (value < 1000) return String(Math.floor(value));
  const power = Math.min(Math.floor(Math.log10(value) / 3), UNITS.length - 1);
  // Rounded down: nothing is shown as more than it is.
  const tenths = Math.floor(value / 10 ** (3 * power - 1));
  const shown = tenths >= 1000 ? String(Math.floor(tenths / 10)) : (tenths / 10).toFixed(1);
  return `${shown}${UNITS[power]}`;
}

/** Numbers a second: two digits behind the point where there are few. */
export function shownRate(rate: number): string {
  if (rate === 0) return "0";
  return rate < 10 ? rate.toFixed(2) : rate.toFixed(0);
}
