/**
 * Inputs from prng: requests in all forms, their bytes changed now and then, the whole in chunks.
 * The same prng give the same inputs.
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
  private readonly prng: Prng;
  private readonly before: string[] = [];

  constructor(prng: Prng) {
    this.prng = prng;
  }

  next(): Input {
    const { prng } = this;
    let bytes = "";
    for (let left = 1 + prng.below(REQUESTS_MAX); left > 0; left--) bytes += this.piece();
    if (prng.once(4)) bytes = mutate(prng, bytes, this.before);
    this.remember(bytes);
    // A fence: answered where the client is still there and in step, here or in a transaction.
    if (!prng.once(4)) bytes += encodeRequest("ECHO", `fence-${prng.below(2 ** 31)}`);
    else if (!prng.once(3)) {
      const fence = ["DISCARD", "CLIENT REPLY ON", `ECHO fence-${prng.below(2 ** 31)}`];
      bytes += fence.map((line) => encodeRequest(...line.split(" "))).join("");
    }
    const cuts = Array.from({ length: prng.pick([0, 0, 1, 2, 4]) }, () => prng.below(bytes.length));
    if (prng.once(40) && bytes.length < 200)
      for (let at = 1; at < bytes.length; at++) cuts.push(at);
    return {
      bytes,
      cuts: cuts.sort((a, b) => a - b),
      room: prng.once(12) ? prng.pick([1, 7, 100, 1000]) : Number.POSITIVE_INFINITY,
      endsInput: prng.once(4),
      isLocal: !prng.once(8),
    };
  }

  private piece(): string {
    const { prng } = this;
    if (prng.once(ENDLESS_ONCE_IN)) return prng.pick(endless);
    switch (prng.below(64)) {
      case 0:
        return encode(prng).repeat(1 + prng.below(BURST_MAX));
      case 1:
        return prng.pick(EMPTY_REQUESTS);
      case 2:
        return prng.once(3) ? prng.pick(WRONG) : encode(prng);
      case 3:
      case 4:
      case 5:
        return asLine(prng, makeWords(prng));
      case 6:
        return `${encodeRequest("MULTI")}${Array.from({ length: prng.below(6) }, () => encode(prng)).join("")}${encodeRequest("EXEC")}`;
      default:
        return encode(prng);
    }
  }

  private remember(bytes: string): void {
    if (this.before.length < REMEMBERED) this.before.push(bytes);
    else this.before[this.prng.below(REMEMBERED)] = bytes;
  }
}

function encode(prng: Prng): string {
  const words = makeWords(prng);
  if (prng.once(3)) words[0] = words[0]!.toLowerCase();
  return encodeRequest(...words);
}

/** The words as a line, those that need it in quotes. */
function asLine(prng: Prng, words: readonly string[]): string {
  const space = prng.pick([" ", " ", " ", "  ", "\t", "\v"]);
  return `${words.map((word) => quoted(prng, word)).join(space)}${prng.pick(["\r\n", "\n"])}`;
}

function quoted(prng: Prng, word: string): string {
  if (!prng.once(10) && /^[!#-&(-~]+$/.test(word)) return word;
  if (prng.once(3) && !/[\n\0\\]/.test(word)) return `'${word.replaceAll("'", "\\'")}'`;
  const inside = word.replace(/[^ -~]|["\\]/g, (byte) =>
    /["\\]/.test(byte) ? `\\${byte}` : `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
  return `"${inside}"`;
}
