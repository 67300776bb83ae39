import { expect, test } from "bun:test";
import { Leased, wholeLine } from "../../../src/dispenser/allocation.ts";
import type { Definition } from "../../../src/dispenser/definition.ts";
import { Dispenser } from "../../../src/dispenser/dispenser.ts";
import { define } from "../../../src/dispenser/fields.ts";
import { HeldLeases } from "../../../src/engine/held-leases.ts";

const definitionOf = (fields: Record<string, string>) =>
  define(new Map(Object.entries(fields))) as Definition;
const growing = definitionOf({ type: "3" });
const lease = new Leased([{ local: 0n, first: 0n, count: 2n }]);
const leased = (id: number, definition = growing) =>
  new Dispenser(id, `line ${id}`, definition, lease);

/** Lines without periods. */
const plain = {
  available: ({ remaining }: Dispenser) => remaining,
  holds: ({ allocation, hasPositions, remaining }: Dispenser) =>
    allocation.isLeased && hasPositions && remaining > 0,
};

function takeAll(line: Dispenser): void {
  const into = Buffer.alloc(20);
  while (line.remaining > 0) line.take(into, 0);
}

test("what needs no lease is none that is held, and neither is a lease that is used up", () => {
  const held = new HeldLeases(plain);
  expect(held.look()).toBe(false);
  held.add(leased(1, definitionOf({ type: "1", length: "4" })));
  held.add(new Dispenser(2, "alone", growing, wholeLine));
  const empty = leased(3);
  takeAll(empty);
  held.add(empty);
  expect(held.look()).toBe(false);
});

test("a lease counts until its last number is taken, or its line is removed", () => {
  const held = new HeldLeases(plain);
  const [one, other, third] = [leased(1), leased(2), leased(3)];
  for (const line of [one, other, third]) held.add(line);
  takeAll(one);
  expect(held.look()).toBe(true);
  held.remove(other);
  expect(held.look()).toBe(true);
  takeAll(third);
  expect(held.look()).toBe(false);
  one.extend(2n, 5n, 1);
  held.add(one);
  expect(held.look()).toBe(true);
});

test("of very many lines without numbers each look meets a few, and the last one finds none", () => {
  const held = new HeldLeases(plain);
  for (let id = 1; id <= 5000; id++) {
    const line = leased(id);
    held.add(line);
    takeAll(line);
  }
  expect(Array.from({ length: 4 }, () => held.look())).toEqual([true, true, false, false]);
});
