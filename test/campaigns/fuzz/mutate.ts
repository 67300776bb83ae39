/** Bytes changed as slips and noise change them. */

import type { Prng } from "../../../testkit/prng.ts";
import { NUMBERS } from "./words.ts";

const MUTATIONS_MAX = 3;
/** Inputs do not grow by mutation past this. */
const BYTES_MAX = 100_000;
const MARKS = "\r\n\0 \t\v\f\"'\\$*-+:_%0123456789\x7f\x80\xff";
const PIECES = ["\r\n", "\n\r", "\r", "\n", "*1\r\n", "$1\r\n", "$-1\r\n", "*0\r\n", "\r\n\r\n"];

type Mutation = (dice: Prng, bytes: string, before: readonly string[]) => string;

const insert = (bytes: string, at: number, put: string) =>
  bytes.slice(0, at) + put + bytes.slice(at);

const replace = (bytes: string, at: number, put: string) =>
  bytes.slice(0, at) + put + bytes.slice(at + put.length);

const mutations: readonly Mutation[] = [
  /** Flips a bit. */
  (dice, bytes) => {
    const at = dice.below(bytes.length);
    return replace(bytes, at, String.fromCharCode(bytes.charCodeAt(at) ^ (1 << dice.below(8))));
  },
  (dice, bytes) => replace(bytes, dice.below(bytes.length), MARKS[dice.below(MARKS.length)]!),
  (dice, bytes) => insert(bytes, dice.below(bytes.length + 1), MARKS[dice.below(MARKS.length)]!),
  (dice, bytes) => insert(bytes, dice.below(bytes.length + 1), dice.pick(PIECES)),
  /** Drops some bytes. */
  (dice, bytes) => {
    const at = dice.below(bytes.length);
    return bytes.slice(0, at) + bytes.slice(at + dice.pick([1, 1, 2, 2 + dice.below(20)]));
  },
  /** Cuts the end off. */
  (dice, bytes) => bytes.slice(0, dice.below(bytes.length)),
  /** Doubles a part. */
  (dice, bytes) => {
    const at = dice.below(bytes.length);
    return insert(bytes, at, bytes.slice(at, at + 1 + dice.below(40)));
  },
  /** Goes on as another input does. */
  (dice, bytes, before) => {
    const other = before.length === 0 ? "" : dice.pick(before);
    return bytes.slice(0, dice.below(bytes.length)) + other.slice(dice.below(other.length + 1));
  },
  /** Puts another number in the place of one. */
  (dice, bytes) => {
    const from = dice.below(bytes.length);
    const number = dice.pick(NUMBERS);
    return bytes.slice(0, from) + bytes.slice(from).replace(/[0-9]+/, number);
  },
];

/** Changes the bytes once or a few times. */
export function mutate(dice: Prng, bytes: string, before: readonly string[]): string {
  let mutated = bytes;
  for (let left = 1 + dice.below(MUTATIONS_MAX); left > 0 && mutated !== ""; left--) {
    mutated = dice.pick(mutations)(dice, mutated, before);
  }
  return mutated.slice(0, BYTES_MAX);
}
