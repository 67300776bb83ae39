/**
 * Reads the field `format`: literal text, `{n}`, and tokens, each with a fixed width, so that a text
 * is unique because its number is. A new check digit is a file in checks/ and a line in its table.
 */

import { invalid, type Refusal } from "../../base/errors.ts";
import type { Check } from "./checks/check.ts";
import { checks } from "./checks/table.ts";

const FORMAT_BYTES_MAX = 64;

/** A format, taken apart. Texts are byte strings. */
export interface Parts {
  /** The literal text in front of the number, and behind it; a check has its bytes in it as well. */
  readonly front: string;
  readonly back: string;
  /** After so many characters of the number comes a dash; 0 for never. */
  readonly group: number;
  readonly check: Check | undefined;
  /** Where the check stands in `front` (of one that is in front) or in `back`. */
  readonly checkAt: number;
}

const tokens = ["{n}", "{n:4}", ...checks.map(({ name }) => `{${name}}`)].join(", ");

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Whether a byte string is UTF-8 without control characters. */
function isPrintable(bytes: string): boolean {
  try {
    return !/\p{Cc}/u.test(utf8.decode(Buffer.from(bytes, "latin1")));
  } catch {
    return false;
  }
}

/** A piece of a format: literal text, the number in groups of so many characters, or a check. */
type Token = string | { readonly group: number } | Check;

const isCheck = (token: Token): token is Check => typeof token === "object" && "write" in token;
const isNumber = (token: Token) => typeof token === "object" && "group" in token;

/** The token that a piece stands for; undefined if there is none such. */
function tokenOf(piece: string): Token | undefined {
  if (piece === "{{" || piece === "}}") return piece[0]!;
  if (!/[{}]/.test(piece)) return piece;
  const number = /^\{n(?::([1-9][0-9]?))?\}$/.exec(piece);
  if (number !== null) return { group: Number(number[1] ?? 0) };
  return checks.find(({ name }) => piece === `{${name}}`);
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
  return {
    front: textOf(all.slice(0, number)),
    back: textOf(all.slice(number + 1)),
    group: (all[number] as { readonly group: number }).group,
    check,
    checkAt: check === undefined ? 0 : textOf(side.slice(0, side.indexOf(check))).length,
  };
}

/** Literal text, and zeros where a check writes itself later. */
function textOf(part: readonly Token[]): string {
  return part
    .map((token) => (isCheck(token) ? "0".repeat(token.bytes) : (token as string)))
    .join("");
}
