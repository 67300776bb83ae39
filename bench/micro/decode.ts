/** What does a request cost, from bytes to its words? */

import { do_not_optimize, group } from "mitata";
import { Decoder, NOTHING } from "../../src/resp/decode.ts";
import { encodeRequest } from "../../testkit/resp.ts";
import { bench } from "./bench.ts";

const DEPTH = 16;
const limits = { requestBytesMax: 1 << 20, requestArgumentsMax: 1 << 20 };

const requests = {
  "GET, the fast path": encodeRequest("GET", "order_id"),
  "GET of a long name": encodeRequest("GET", "shop:eu:order:".repeat(6)),
  "HGET, through redis-parser": encodeRequest("HGET", "order_id", "step"),
  "GET, inline": "GET order_id\r\n",
};

export function benchDecode(): void {
  group(`decode: what does a request cost in a pipeline of ${DEPTH}?`, () => {
    for (const [title, request] of Object.entries(requests)) {
      const chunk = Buffer.from(request.repeat(DEPTH));
      const decoder = new Decoder(limits);
      bench(title, () => {
        decoder.push(chunk);
        for (let found = decoder.next(); found !== NOTHING; found = decoder.next()) {
          do_not_optimize(found);
        }
      });
    }
  });
  group(`decode: what does it cost more when a pipeline of ${DEPTH} arrives in two pieces?`, () => {
    const bytes = Buffer.from(requests["GET, the fast path"].repeat(DEPTH));
    const decoder = new Decoder(limits);
    // The cut is in the middle of a name.
    const cut = (bytes.length >> 1) - 5;
    bench("GET, cut within a request", () => {
      for (const piece of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
        decoder.push(piece);
        for (let found = decoder.next(); found !== NOTHING; found = decoder.next()) {
          do_not_optimize(found);
        }
      }
    });
  });
}
