/**
 * Type 1: random numbers of a fixed number of digits, the first 1 to 9, uniform over all of them.
 *
 * Each digit is drawn from one byte of the platform's cryptographic source. Bytes past the largest
 * multiple of the digit's range are thrown away, so no digit is likelier than another (no modulo
 * bias). The source is asked for a batch at a time.
 */

import { Refusal } from "../../base/errors.ts";
import type { NumberSeries, NumberSource, NumberType } from "./type.ts";
import { lengthField } from "./whole-number.ts";

const BATCH_BYTES = 8192;
const ZERO = 48;
/** 252 = 28 * 9 and 250 = 25 * 10: bytes from here on would favour the low digits. */
const FIRST_DIGIT_BYTES = 252;
const DIGIT_BYTES = 250;

const batch = new Uint8Array(BATCH_BYTES);
let used = BATCH_BYTES;

function randomByte(): number {
  if (used === BATCH_BYTES) {
    crypto.getRandomValues(batch);
    used = 0;
  }
  return batch[used++]!;
}

function byteBelow(limit: number): number {
  let byte = randomByte();
  while (byte >= limit) byte = randomByte();
  return byte;
}

export const random: NumberType = {
  code: 1,
  word: "random",
  hasPositions: false,
  isOrdered: false,
  mayStartOver: true,
  level: 1,
  fields: [lengthField(false)],
  series: ({ length }) => new RandomSeries(Number(length)),
};

/** Random numbers have no positions: whatever is asked about one has no answer. */
class RandomSeries implements NumberSeries {
  readonly positions = 0n;
  readonly progression = undefined;
  private readonly length: number;

  constructor(length: number) {
    this.length = length;
  }

  numberAt(): string {
    return "0";
  }

  positionOf(): undefined {
    return undefined;
  }

  positionOnceOf(): undefined {
    return undefined;
  }

  positionFrom(): Refusal {
    return new Refusal(`ERR ADVANCE does not apply to type ${random.code}`);
  }

  fieldFrom(): undefined {
    return undefined;
  }

  open(): NumberSource {
    return new RandomDigits(this.length);
  }
}

class RandomDigits implements NumberSource {
  readonly bytes: number;

  constructor(bytes: number) {
    this.bytes = bytes;
  }

  next(into: Uint8Array, at: number): void {
    into[at] = ZERO + 1 + (byteBelow(FIRST_DIGIT_BYTES) % 9);
    for (let to = at + 1; to < at + this.bytes; to++) {
      into[to] = ZERO + (byteBelow(DIGIT_BYTES) % 10);
    }
  }
}
