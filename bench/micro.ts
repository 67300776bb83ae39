/**
 * What do the parts of a GET cost? Decoding a pipeline, taking a number of each type, a reply, a
 * commit. `bun run bench`; BENCH_SMALL=1 runs each a few times only, as the tests do.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { do_not_optimize, group, bench as measure, run, summary } from "mitata";
import { Engine } from "../src/engine.ts";
import { Decoder, NOTHING } from "../src/resp/decode.ts";
import { Replies } from "../src/resp/encode.ts";
import { openSqliteStore } from "../src/store/sqlite.ts";

const isSmall = process.env.BENCH_SMALL !== undefined;
const SMALL_CALLS = 3;

function bench(title: string, work: () => void): void {
  if (isSmall) for (let call = 0; call < SMALL_CALLS; call++) work();
  else measure(title, work);
}

const limits = { requestBytesMax: 1 << 20, requestArgumentsMax: 1 << 20 };
const folder = mkdtempSync(join(tmpdir(), "number-dispenser-bench-"));
const store = openSqliteStore(join(folder, "data"), {
  create: true,
  allowNetworkFileSystem: false,
});
const engine = new Engine(store, {
  now: () => performance.now(),
  savesCounts: true,
  onStaged: () => {},
});

function define(name: string, fields: Record<string, string>) {
  engine.define(name, new Map(Object.entries(fields)));
  engine.commit();
  return engine.find(name)!;
}

const request = (...words: string[]) =>
  `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;

group("decode: what does a request cost in a pipeline of 16?", () => {
  const pipelines = {
    "GET, the fast lane": request("GET", "order_id"),
    "HGET, through redis-parser": request("HGET", "order_id", "step"),
    "GET, inline": "GET order_id\r\n",
  };
  for (const [title, one] of Object.entries(pipelines)) {
    const chunk = Buffer.from(one.repeat(16));
    const decoder = new Decoder(limits);
    bench(title, () => {
      decoder.push(chunk);
      let found = decoder.next();
      for (; found !== NOTHING; found = decoder.next()) do_not_optimize(found);
    });
  }
});

group("take: what does a number cost, by type and size?", () => {
  const memory = { auto_disk: "memory" };
  const shapes = {
    "type 1, 12 digits": { type: "1", length: "12", ...memory },
    "type 2, 12 digits": { type: "2", length: "12", ...memory },
    "type 3, small": { type: "3", ...memory },
    "type 3, step 1000": { type: "3", step: "1000", ...memory },
    "type 3, above 2^53": { type: "3", starting: "4611686018427387904", ...memory },
    "type 3, pre_close": { type: "3", auto_disk: "pre_close" },
  };
  const replies = new Replies();
  for (const [title, fields] of Object.entries(shapes)) {
    const dispenser = define(title.replaceAll(/\W/g, "_"), fields);
    bench(title, () => {
      const at = replies.bulkRoom(dispenser.digits);
      engine.take(dispenser, replies.bytes, at);
      if (dispenser.taken > dispenser.reserved) engine.commit();
      replies.length = 0;
    });
  }
});

summary(() => {
  group("commit: what does a transaction of so many lines cost?", () => {
    for (const lines of [1, 16, 256]) {
      const into = Buffer.alloc(20);
      const dispensers = Array.from({ length: lines }, (_, index) =>
        define(`line_${lines}_${index}`, { type: "3" }),
      );
      bench(`${lines} staged`, () => {
        for (const dispenser of dispensers) engine.take(dispenser, into, 0);
        engine.commit();
        engine.maintain();
      });
    }
  });
});

if (!isSmall) await run({ throw: true });
engine.commit();
engine.close();
rmSync(folder, { recursive: true });
