/** What does a code cost, by alphabet and by how many are made at once, and a number with its format? */

import { group } from "mitata";
import type { Definition } from "../../src/dispenser/definition.ts";
import { define } from "../../src/dispenser/fields.ts";
import { charactersOf } from "../../src/dispenser/types/alphabet.ts";
import { PAIRS_MAX, type Pairs, Permutation } from "../../src/dispenser/types/permutation.ts";
import { NO_PERIOD } from "../../src/dispenser/types/type.ts";
import { bench } from "./bench.ts";

const KEY = "000102030405060708090a0b0c0d0e0f";
const into = new Uint8Array(99);

/** Takes one number after the other of a dispenser with these fields. */
function benchNumbers(title: string, fields: Readonly<Record<string, string>>): void {
  const { series } = define(new Map(Object.entries(fields))) as Definition;
  const source = series.open(0n, { wallMs: Date.now(), period: NO_PERIOD });
  bench(title, () => {
    const { bytes } = source;
    source.next(into, 0);
    if (into[bytes - 1] === 0) throw new Error("no number");
  });
}

export function benchCodes(): void {
  group("codes: what does one cost, in batches of 64?", () => {
    for (const alphabet of ["digits", "hex", "base32", "base36", "base58", "base62", "safe"]) {
      for (const length of ["8", "12", "16"]) {
        const title = `${length} characters of ${charactersOf(alphabet).length} (${alphabet})`;
        benchNumbers(title, { type: "4", length, alphabet, key: KEY });
      }
    }
  });
  group("codes: what does a permutation of so many at once cost?", () => {
    const permutation = new Permutation(new Uint8Array(16), 900_000, 1_000_000);
    for (const count of [1, 2, 8, 32, PAIRS_MAX]) {
      const pairs: Pairs = { left: new Float64Array(count), right: new Float64Array(count) };
      bench(`${count} at once`, () => permutation.permute(pairs, count, 0));
    }
  });
}

export function benchFormats(): void {
  group("formats: what does a number of type 2 cost with text around it?", () => {
    const line = { type: "2", length: "12" };
    benchNumbers("no format", line);
    for (const format of [
      ...["INV-{n}", "INV-{yyyy}{MM}-{n}", "{n:4}", "{n}{luhn}", "{n}{damm}"],
      ...["{n}{mod97}", "{rf}{n}", "INV-{yyyy}-{n:4}-{verhoeff}"],
    ]) {
      benchNumbers(format, { ...line, format });
    }
  });
}
