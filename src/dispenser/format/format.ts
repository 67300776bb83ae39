/**
 * The text around a number: what it adds to the bytes of a number, and which number a text has. A
 * text is unique because its number is: all that stands around it has a fixed width.
 */

import { invalid, Refusal } from "../../base/errors.ts";
import type { NumberSource } from "../types/type.ts";
import { type Parts, partsOf } from "./parts.ts";

const DASH = 45;
/** ISO 11649: so many letters and digits at most behind RF and its two digits. */
const REFERENCE_MAX = 21;
const RF = "rf";

export class Format {
  /** The field as HSET gave it. */
  readonly text: string;
  private readonly parts: Parts;
  private readonly front: Uint8Array;
  private readonly back: Uint8Array;

  private constructor(text: string, parts: Parts) {
    this.text = text;
    this.parts = parts;
    this.front = Buffer.from(parts.front, "latin1");
    this.back = Buffer.from(parts.back, "latin1");
  }

  /** Reads the field `format`, for numbers that are made of these characters. */
  static read(text: string, characters: string): Format | Refusal {
    const parts = partsOf(text);
    if (parts instanceof Refusal) return parts;
    const { check } = parts;
    if (check !== undefined && !(check.takesLetters ? isPlain(characters) : isDigits(characters))) {
      const allowed = check.takesLetters ? "digits and letters of one case" : "digits alone";
      return invalid("format", text, `must have {${check.name}} only where numbers are ${allowed}`);
    }
    return new Format(text, parts);
  }

  /** How many characters a number may have at most; Infinity where that makes no difference. */
  get numberCharactersMax(): number {
    const { check, front, back } = this.parts;
    if (check?.name !== RF) return Number.POSITIVE_INFINITY;
    const around = front.slice(check.bytes) + back;
    return REFERENCE_MAX - around.replace(/[^0-9A-Za-z]/g, "").length;
  }

  /** How many bytes the text of a number of so many bytes has. */
  bytesFor(number: number): number {
    return this.front.length + number + this.dashesIn(number) + this.back.length;
  }

  private dashesIn(number: number): number {
    const { group } = this.parts;
    return group === 0 ? 0 : Math.ceil(number / group) - 1;
  }

  /**
   * Writes the text of a number to `into[at]` and on. `number` writes itself, which takes so many
   * bytes, to where it is told.
   */
  write(into: Uint8Array, at: number, bytes: number, number: NumberSource): void {
    const { front, back } = this;
    const { check, checkAt, group } = this.parts;
    let to = at;
    for (let index = 0; index < front.length; index++) into[to++] = front[index]!;
    number.next(into, to);
    const start = to;
    to += bytes;
    if (group > 0) {
      const dashes = this.dashesIn(bytes);
      if (dashes > 0) spread(into, start, bytes, group, dashes);
      to += dashes;
    }
    const backAt = to;
    for (let index = 0; index < back.length; index++) into[to++] = back[index]!;
    if (check === undefined) return;
    if (check.isInFront) check.write(into, at + check.bytes, to, at);
    else check.write(into, at, backAt + checkAt, backAt + checkAt);
  }

  /** The text of a number. */
  textOf(number: string): string {
    const into = Buffer.alloc(this.bytesFor(number.length));
    const next = (bytes: Uint8Array, at: number) =>
      void bytes.set(Buffer.from(number, "latin1"), at);
    this.write(into, 0, number.length, { bytes: number.length, next });
    return into.toString("latin1");
  }

  /** The number in a text; undefined where no number has this text. */
  numberIn(text: string): string | undefined {
    const inner = text.slice(this.front.length, text.length - this.back.length);
    if (inner.length === 0 || text.length < this.front.length + this.back.length) return undefined;
    const number = this.parts.group === 0 ? inner : inner.replaceAll("-", "");
    return this.textOf(number) === text ? number : undefined;
  }
}

/** Moves the characters of a number apart, from its end, so that a dash fits after each group. */
function spread(
  into: Uint8Array,
  start: number,
  bytes: number,
  group: number,
  dashes: number,
): void {
  let gap = dashes;
  for (let index = bytes; gap > 0; ) {
    index--;
    into[start + index + gap] = into[start + index]!;
    if (index % group === 0) into[start + index + --gap] = DASH;
  }
}

const isDigits = (characters: string) => /^[0-9]+$/.test(characters);

const isPlain = (characters: string) => /^([0-9A-Z]+|[0-9a-z]+)$/.test(characters);
