/** What does a number cost, from the engine into the bytes of a reply? */

import { group } from "mitata";
import { strategyNames } from "../../src/dispenser/strategy.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { Replies } from "../../src/resp/encode.ts";
import { bench } from "./bench.ts";
import { define } from "./store.ts";

const memory = { auto_disk: "memory" };
const shapes: Record<string, Record<string, string>> = {
  "type 1, 12 digits": { type: "1", length: "12", ...memory },
  "type 1, 18 digits": { type: "1", length: "18", ...memory },
  "type 2, 12 digits": { type: "2", length: "12", ...memory },
  "type 3, small": { type: "3", ...memory },
  "type 3, step 1000": { type: "3", step: "1000", ...memory },
  "type 3, above 2^53": { type: "3", starting: "4611686018427387904", ...memory },
};

export function benchTake(engine: Engine): void {
  group("take: what does a number cost, by type and size?", () => {
    for (const [title, fields] of Object.entries(shapes)) benchOne(engine, title, fields);
  });
  group("take: what does a number of type 3 cost, by strategy, its commits included?", () => {
    for (const strategy of strategyNames) {
      benchOne(engine, strategy, { type: "3", auto_disk: strategy });
    }
  });
}

/** Measures one take, with its commit if the number is not reserved yet. */
function benchOne(engine: Engine, title: string, fields: Record<string, string>): void {
  const dispenser = define(engine, `take_${title}`, fields);
  const replies = new Replies();
  bench(title, () => {
    const at = replies.bulkRoom(dispenser.nextBytes);
    engine.take(dispenser, replies.bytes, at);
    if (dispenser.taken > dispenser.reserved) {
      engine.commit();
      engine.maintain();
    }
    replies.length = 0;
  });
}
