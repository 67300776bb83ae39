/**
 * What does it cost to find names among very many, and to take their numbers, when none is in the
 * caches?
 */

import { group } from "mitata";
import type { Definition } from "../../src/dispenser/definition.ts";
import { define } from "../../src/dispenser/fields.ts";
import { Registry } from "../../src/engine/registry.ts";
import { isSmall } from "../support/flags.ts";
import { bench } from "./bench.ts";

/** How many GETs a client sends together. */
const TOGETHER = 16;
const NAME_BYTES = 16;
const LINE = define(new Map(Object.entries({ type: "3", auto_disk: "memory" }))) as Definition;

export function benchNames(): void {
  group(`names: what do ${TOGETHER} numbers cost, each of another of so many names?`, () => {
    for (const count of isSmall ? [1000] : [1000, 10_000, 100_000, 1_000_000]) benchOne(count);
  });
}

/** The numbers below `count` in random order (Fisher and Yates). */
function shuffled(count: number): number[] {
  const order = Array.from({ length: count }, (_, index) => index);
  for (let last = count - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1));
    [order[last], order[other]] = [order[other]!, order[last]!];
  }
  return order;
}

function benchOne(count: number): void {
  const names = new Registry(count);
  const nameOf = (index: number) => `order:${String(index).padStart(NAME_BYTES - 6, "0")}`;
  for (let index = 0; index < count; index++) {
    const [id, name] = [index + 1, nameOf(index)];
    names.addDormant({ id, name, definition: LINE, account: undefined, segmentEnd: undefined });
  }
  // Loads all dispensers, as lines in use are, in another order than they are asked for later.
  for (const dispenser of names.all()) dispenser.nextBytes;
  const order = shuffled(count);
  const bytes = Buffer.from(order.map(nameOf).join(""));
  const digits = new Uint8Array(32);
  let first = 0;
  const take = () => {
    for (let index = 0; index < TOGETHER; index++) {
      const from = NAME_BYTES * (first + index);
      const dispenser = names.findBytes(bytes, from, from + NAME_BYTES)!;
      if (dispenser.nextBytes > 0) dispenser.take(digits, 0);
    }
    first = first + 2 * TOGETHER > count ? 0 : first + TOGETHER;
  };
  const ahead = {
    bytes,
    count: TOGETHER,
    from: (index: number) => NAME_BYTES * (first + index),
    to: (index: number) => NAME_BYTES * (first + index + 1),
  };
  bench(`${count.toLocaleString("en")}, one after the other`, take);
  bench(`${count.toLocaleString("en")}, fetched together`, () => {
    names.prefetch(ahead);
    take();
  });
}
