/** What does a reply cost, from its value to bytes? */

import { do_not_optimize, group } from "mitata";
import { Replies } from "../../src/resp/encode.ts";
import { bench } from "./bench.ts";

const DEPTH = 16;
const DIGITS = 12;
const text = "x".repeat(DIGITS);
/** A text as long as INFO of one dispenser. */
const long = "field:value\r\n".repeat(12);

export function benchEncode(): void {
  group(`encode: what do ${DEPTH} replies cost?`, () => {
    const replies = new Replies();
    const kinds: Record<string, () => void> = {
      "a bulk with room for digits, as GET makes it": () => {
        do_not_optimize(replies.bulkRoom(DIGITS));
      },
      "a bulk of a text as long": () => replies.bulk(text),
      "an integer": () => replies.integer(replies.length),
      "a long text": () => replies.verbatim(long),
      "an error": () => replies.error("ERR dispenser not found: 'order_id'"),
    };
    for (const [title, append] of Object.entries(kinds)) {
      bench(title, () => {
        for (let count = 0; count < DEPTH; count++) append();
        replies.clear();
      });
    }
  });
}
