/** What does a GET cost in this process, from its bytes to those of the reply, without a socket? */

import { group } from "mitata";
import { strategyNames } from "../../src/dispenser/strategy.ts";
import { encodeRequest } from "../../testkit/resp.ts";
import type { InProcess } from "../support/in-process.ts";
import { bench } from "./bench.ts";

const DEPTHS = [1, 16, 64];

export function benchEndToEnd(server: InProcess): void {
  for (const depth of DEPTHS) {
    group(`end to end: what do ${depth} GETs in one chunk cost, their commit included?`, () => {
      for (const strategy of strategyNames) {
        benchOne(server, depth, `type 3, ${strategy}`, "type", "3", "auto_disk", strategy);
      }
      benchOne(server, depth, "type 1, 12 digits", "type", "1", "length", "12");
      benchOne(server, depth, "type 2, memory", "type", "2", "length", "12", "auto_disk", "memory");
    });
  }
}

function benchOne(server: InProcess, depth: number, title: string, ...fields: string[]): void {
  const name = `end_${depth}_${title.replaceAll(/\W/g, "_")}`;
  server.define(name, ...fields);
  const chunk = Buffer.from(encodeRequest("GET", name).repeat(depth));
  bench(title, () => {
    const before = server.replied;
    server.receive(chunk);
    if (server.replied === before) throw new Error("no reply left");
  });
}
