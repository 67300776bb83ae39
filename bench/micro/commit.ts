/** What does a transaction cost, with its sync, and how much of that do its changes share? */

import { group, summary } from "mitata";
import type { Engine } from "../../src/engine/engine.ts";
import { bench } from "./bench.ts";
import { define } from "./store.ts";

const STAGED = [1, 16, 256];
const strategies = ["elegant_close", "pre_close"];

export function benchCommit(engine: Engine): void {
  for (const strategy of strategies) {
    summary(() => {
      group(`commit: what does a transaction of so many lines cost, ${strategy}?`, () => {
        for (const lines of STAGED) benchLines(engine, strategy, lines);
      });
    });
  }
}

function benchLines(engine: Engine, strategy: string, lines: number): void {
  const into = Buffer.alloc(20);
  const dispensers = Array.from({ length: lines }, (_, index) =>
    define(engine, `commit_${strategy}_${lines}_${index}`, { type: "3", auto_disk: strategy }),
  );
  bench(`${lines} staged`, () => {
    for (const dispenser of dispensers) {
      // A line that reserves ahead is staged when half of that is used.
      do engine.take(dispenser, into, 0);
      while (!dispenser.isStaged);
    }
    engine.commit();
    engine.maintain();
  });
}
