/** Bytes changed as slips and noise change them. */

import type { Prng } from "../../../testkit/prng.ts";
import { NUMBERS } from "./words.ts";

const MUTATIONS_MAX = 3;
/** Inputs do not grow by mutation past this. */
const BYTES_MAX = 100_000;
const MARKS = "\r\n\0 \t\v\f\"'\\$*-+:_%0123456789\x7f\x80\xff";
const PIECES = ["\r\n", "\n\r", "\r", "\n", "*1\r\n", "$1\r\n", "$-1\r\n", "*0\r\n", "\r\n\r\n"];

type Mutation = (prng: Prng, bytes: string, before: readonly string[]) => string;

const insert = (bytes: string, at: number, put: string) =>
  bytes.slice(0, at) + put + bytes.slice(at);

const replace = (bytes: string, at: number, put: string) =>
  bytes.slice(0, at) + put + bytes.slice(at + put.length);

const mutations: readonly Mutation[] = [
  /** Flips a bit. */
  (prng, bytes) => {
    const at = prng.below(bytes.length);
    return replace(bytes, at, String.fromCharCode(bytes.charCodeAt(at) ^ (1 << prng.below(8))));
  },
  (prng, bytes) => replace(bytes, prng.below(bytes.length), MARKS[prng.below(MARKS.length)]!),
  (prng, bytes) => insert(bytes, prng.below(bytes.length + 1), MARKS[prng.below(MARKS.length)]!),
  (prng, bytes) => insert(bytes, prng.below(bytes.length + 1), prng.pick(PIECES)),
  /** Drops some bytes. */
  (prng, bytes) => {
    const at = prng.below(bytes.length);
    return bytes.slice(0, at) + bytes.slice(at + prng.pick([1, 1, 2, 2 + prng.below(20)]));
  },
  /** Cuts the end off. */
  (prng, bytes) => bytes.slice(0, prng.below(bytes.length)),
  /** Doubles a part. */
  (prng, bytes) => {
    const at = prng.below(bytes.length);
    return insert(bytes, at, bytes.slice(at, at + 1 + prng.below(40)));
  },
  /** Goes on as another input does. */
  (prng, bytes, before) => {
    const other = before.length === 0 ? "" : prng.pick(before);
    return bytes.slice(0, prng.below(bytes.length)) + other.slice(prng.below(other.length + 1));
  },
  /** Puts another number in the place of one. */
  (prng, bytes) => {
    const from = prng.below(bytes.length);
    const number = prng.pick(NUMBERS);
    return bytes.slice(0, from) + bytes.slice(from).replace(/[0-9]+/, number);
  },
];

/** Changes the bytes once or a few times. */
export function mutate(prng: Prng, bytes: string, before: readonly string[]): string {
  let mutated = bytes;
  for (let left = 1 + prng.below(MUTATIONS_MAX); left > 0 && mutated !== ""; left--) {
    mutated = prng.pick(mutations)(prng, mutated, before);
  }
  return mutated.slice(0, BYTES_MAX);
}
