/**
 * Inputs from dice: requests in all forms, their bytes changed now and then, the whole in chunks.
 * The same dice give the same inputs.
 */

import type { Prng } from "../../../testkit/prng.ts";
import { encodeRequest } from "../../../testkit/resp.ts";
import type { Input } from "./client.ts";
import { mutate } from "./mutate.ts";
import { makeWords } from "./words.ts";

const REQUESTS_MAX = 6;
const BURST_MAX = 30;
/** How many inputs later ones may take bytes of. */
const REMEMBERED = 32;

const EMPTY_REQUESTS = ["*0\r\n", "*-1\r\n", "*-10\r\n", "\r\n", "\n", "  \r\n"];

/** What is no request, or only as far as it goes. */
const WRONG = [
  "*01\r\n",
  "*x\r\n",
  "*\r\n",
  "*2147483648\r\n",
  "*1048577\r\n",
  "*21\r\n",
  "*11\r\n",
  "*9223372036854775807\r\n",
  "*9223372036854775808\r\n",
  "*1\r\n$-1\r\n",
  "*1\r\n$04\r\nPING\r\n",
  "*1\r\n+4\r\n",
  "*1\r\n$1048577\r\n",
  "*1\r\n$16385\r\n",
  "*1\r\n$9223372036854775807\r\n",
  "*1\r\n*1\r\n*1\r\n$4\r\nPING\r\n",
  `${"*1\r\n".repeat(30)}$4\r\nPING\r\n`,
  "*1\r\n$4\r\nPINGxx",
  "*1\r\n$4\r\nPING\n\r",
  "*1\r$4\r\rPING\r\n",
  "*1\n$4\nPING\n",
  "*2\r\n$3\r\nGET\r\n$",
  "*2\r\n$3\r\nGET\r\n$0\r\n\r\n",
  "*2\r\n$3\r\ngEt\r\n$1\r\nab\r\n",
  "$4\r\nPING\r\n",
  "+OK\r\n",
  "*1\0\r\n",
  "PI\0NG\r\n",
  "\xff\xfe\r\n",
  "\x16\x03\x01\x02\x00\x01",
];

/** Longer than anything may be. */
const endless = [
  "*".padEnd(65_600, "1"),
  "*1\r\n$".padEnd(65_600, "2"),
  "x".repeat(65_600),
  `*1\0${"y".repeat(65_600)}`,
  `PING ${"z".repeat(1500)}\r\n`,
  encodeRequest("ECHO", "z".repeat(16_385)),
  encodeRequest("ECHO", "e".repeat(1460)),
  encodeRequest("MGET", ...Array.from({ length: 19 }, () => "a")),
  encodeRequest("MGET", ...Array.from({ length: 20 }, () => "a")),
];
const ENDLESS_ONCE_IN = 1500;

export class Generator {
  private readonly dice: Prng;
  private readonly before: string[] = [];

  constructor(dice: Prng) {
    this.dice = dice;
  }

  next(): Input {
    const { dice } = this;
    let bytes = "";
    for (let left = 1 + dice.below(REQUESTS_MAX); left > 0; left--) bytes += this.piece();
    if (dice.once(4)) bytes = mutate(dice, bytes, this.before);
    this.remember(bytes);
    // A fence: answered where the client is still there and in step, here or in a transaction.
    if (!dice.once(4)) bytes += encodeRequest("ECHO", `fence-${dice.below(2 ** 31)}`);
    else if (!dice.once(3)) {
      const fence = ["DISCARD", "CLIENT REPLY ON", `ECHO fence-${dice.below(2 ** 31)}`];
      bytes += fence.map((line) => encodeRequest(...line.split(" "))).join("");
    }
    const cuts = Array.from({ length: dice.pick([0, 0, 1, 2, 4]) }, () => dice.below(bytes.length));
    if (dice.once(40) && bytes.length < 200)
      for (let at = 1; at < bytes.length; at++) cuts.push(at);
    return {
      bytes,
      cuts: cuts.sort((a, b) => a - b),
      room: dice.once(12) ? dice.pick([1, 7, 100, 1000]) : Number.POSITIVE_INFINITY,
      endsInput: dice.once(4),
      isLocal: !dice.once(8),
    };
  }

  private piece(): string {
    const { dice } = this;
    if (dice.once(ENDLESS_ONCE_IN)) return dice.pick(endless);
    switch (dice.below(64)) {
      case 0:
        return encode(dice).repeat(1 + dice.below(BURST_MAX));
      case 1:
        return dice.pick(EMPTY_REQUESTS);
      case 2:
        return dice.once(3) ? dice.pick(WRONG) : encode(dice);
      case 3:
      case 4:
      case 5:
        return asLine(dice, makeWords(dice));
      case 6:
        return `${encodeRequest("MULTI")}${Array.from({ length: dice.below(6) }, () => encode(dice)).join("")}${encodeRequest("EXEC")}`;
      default:
        return encode(dice);
    }
  }

  private remember(bytes: string): void {
    if (this.before.length < REMEMBERED) this.before.push(bytes);
    else this.before[this.dice.below(REMEMBERED)] = bytes;
  }
}

function encode(dice: Prng): string {
  const words = makeWords(dice);
  if (dice.once(3)) words[0] = words[0]!.toLowerCase();
  return encodeRequest(...words);
}

/** The words as a line, those that need it in quotes. */
function asLine(dice: Prng, words: readonly string[]): string {
  const space = dice.pick([" ", " ", " ", "  ", "\t", "\v"]);
  return `${words.map((word) => quoted(dice, word)).join(space)}${dice.pick(["\r\n", "\n"])}`;
}

function quoted(dice: Prng, word: string): string {
  if (!dice.once(10) && /^[!#-&(-~]+$/.test(word)) return word;
  if (dice.once(3) && !/[\n\0\\]/.test(word)) return `'${word.replaceAll("'", "\\'")}'`;
  const inside = word.replace(/[^ -~]|["\\]/g, (byte) =>
    /["\\]/.test(byte) ? `\\${byte}` : `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
  return `"${inside}"`;
}
