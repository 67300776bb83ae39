/**
 * Reads the field `format`: literal text, `{n}`, and tokens, each with a fixed width, so that a text
 * is unique because its number is. A new check digit is a file in checks/ and a line in its table.
 */

import { invalid, type Refusal } from "../../base/errors.ts";
import type { Check } from "./checks/check.ts";
import { checks } from "./checks/table.ts";
import { type DateToken, dateTokens } from "./dates.ts";

const FORMAT_BYTES_MAX = 64;

/** A date in the front of a format, or in its back, where it begins at byte `at`. */
export interface DatePart {
  readonly token: DateToken;
  readonly isInFront: boolean;
  readonly at: number;
}

/** A format, taken apart. Texts are byte strings. */
export interface Parts {
  /** The text in front of the number, and behind it: checks and dates have zeros in it. */
  readonly front: string;
  readonly back: string;
  readonly dates: readonly DatePart[];
  /** After so many characters of the number comes a dash; 0 for never. */
  readonly group: number;
  readonly check: Check | undefined;
  /** Where the check stands in `front` (of one that is in front) or in `back`. */
  readonly checkAt: number;
}

const names = [...dateTokens, ...checks].map(({ name }) => `{${name}}`);
const tokens = ["{n}", "{n:4}", ...names].join(", ");

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Whether a byte string is UTF-8 without control characters. */
function isPrintable(bytes: string): boolean {
  try {
    return !/\p{Cc}/u.test(utf8.decode(Buffer.from(bytes, "latin1")));
  } catch {
    return false;
  }
}

/**
 * A piece of a format: literal text, the number in groups of so many characters, a check, a date.
 */
type Token = string | { readonly group: number } | Check | DateToken;

const isCheck = (token: Token): token is Check => typeof token === "object" && "write" in token;
const isDate = (token: Token): token is DateToken => typeof token === "object" && "unit" in token;
const isNumber = (token: Token) => typeof token === "object" && "group" in token;

/** The token that a piece stands for; undefined if there is none such. */
function tokenOf(piece: string): Token | undefined {
  if (piece === "{{" || piece === "}}") return piece[0]!;
  if (!/[{}]/.test(piece)) return piece;
  const number = /^\{n(?::([1-9][0-9]?))?\}$/.exec(piece);
  if (number !== null) return { group: Number(number[1] ?? 0) };
  return [...dateTokens, ...checks].find(({ name }) => piece === `{${name}}`);
}

/** What is wrong with the order of tokens; undefined if nothing is. */
function wrongOrder(all: readonly Token[]): string | undefined {
  if (all.filter(isNumber).length !== 1) return "must have {n} exactly once";
  const found = all.filter(isCheck);
  if (found.length > 1) return "must have one check digit at most";
  const [check] = found;
  if (check === undefined) return undefined;
  const at = all.indexOf(check);
  if (check.isInFront && at > 0) return `must begin with {${check.name}}`;
  const isBehind = at > all.findIndex(isNumber);
  return check.isInFront || isBehind ? undefined : `must have {n} in front of {${check.name}}`;
}

/** Takes a format apart, or says what is wrong with it. */
export function partsOf(format: string): Parts | Refusal {
  const refuse = (allowed: string) => invalid("format", format, allowed);
  if (format.length > FORMAT_BYTES_MAX) {
    return refuse(`must have ${FORMAT_BYTES_MAX} bytes at most, not ${format.length}`);
  }
  if (!isPrintable(format)) return refuse("must be UTF-8 without control characters");
  const all: Token[] = [];
  for (const piece of format.match(/\{\{|\}\}|\{[^{}]*\}|[^{}]+|[{}]/g) ?? []) {
    const token = tokenOf(piece);
    if (token === undefined) {
      return refuse(`must have no '${piece}' but ${tokens}; {{ and }} stand for braces`);
    }
    all.push(token);
  }
  const wrong = wrongOrder(all);
  if (wrong !== undefined) return refuse(wrong);
  const number = all.findIndex(isNumber);
  const check = all.find(isCheck);
  const side = all.slice(check?.isInFront ? 0 : number + 1);
  const [front, back] = [all.slice(0, number), all.slice(number + 1)];
  return {
    front: textOf(front),
    back: textOf(back),
    dates: [...datesIn(front, true), ...datesIn(back, false)],
    group: (all[number] as { readonly group: number }).group,
    check,
    checkAt: check === undefined ? 0 : textOf(side.slice(0, side.indexOf(check))).length,
  };
}

/** Literal text, and zeros where a check or a date is written later. */
function textOf(part: readonly Token[]): string {
  return part
    .map((token) => (isCheck(token) || isDate(token) ? "0".repeat(token.bytes) : (token as string)))
    .join("");
}

function datesIn(part: readonly Token[], isInFront: boolean): DatePart[] {
  return part.flatMap((token, index) =>
    isDate(token) ? [{ token, isInFront, at: textOf(part.slice(0, index)).length }] : [],
  );
}
