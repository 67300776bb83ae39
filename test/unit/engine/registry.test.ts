import { expect, test } from "bun:test";
import fc from "fast-check";
import { wholeLine } from "../../../src/dispenser/allocation.ts";
import type { Definition } from "../../../src/dispenser/definition.ts";
import { Dispenser } from "../../../src/dispenser/dispenser.ts";
import { define } from "../../../src/dispenser/fields.ts";
import { Registry } from "../../../src/engine/registry.ts";
import type { StoredDispenser } from "../../../src/storage/store.ts";

const definitionOf = (type: string, more: Record<string, string>) =>
  define(new Map(Object.entries({ type, ...more }))) as Definition;
const line = definitionOf("3", { auto_disk: "pre_close" });
const random = definitionOf("1", { length: "9" });

const names = (found: Registry) => [...found.list(0)].map(({ name }) => name);

test("what is parked wakes as what a start would have made of it", () => {
  const account = { reserved: 2n ** 63n, generated: 2n ** 63n - 7n, wasted: 7n };
  const stored: StoredDispenser[] = [
    { id: 3, name: "new", definition: line, account: undefined, segmentEnd: undefined },
    { id: 5, name: "whole", definition: line, account, segmentEnd: 2n ** 63n },
    {
      id: 6,
      name: "checkpoint",
      definition: line,
      account: { reserved: 9n, generated: 9n, wasted: 0n },
      segmentEnd: undefined,
    },
    {
      id: 7,
      name: "lost",
      definition: line,
      account: { reserved: 100n, generated: 5n, wasted: 1n },
      segmentEnd: 200n,
    },
    {
      id: 9,
      name: "random",
      definition: random,
      account: { reserved: 0n, generated: 12n, wasted: 0n },
      segmentEnd: undefined,
    },
  ];
  const all = new Registry(0);
  for (const each of stored) all.addDormant(each);
  // Who lost numbers is to be told of at once.
  expect([...all.loaded()].map(({ name }) => name)).toEqual(["lost"]);
  for (const { id, name, definition, ...recovered } of stored) {
    expect(all.view(name)).toEqual(new Dispenser(id, name, definition, wholeLine, recovered));
  }
  expect(all.view("nobody")).toBeUndefined();
  // A look loads nothing.
  expect([...all.loaded()].map(({ name }) => name)).toEqual(["lost"]);
  for (const { id, name, definition, ...recovered } of stored) {
    expect(all.find(name)).toEqual(new Dispenser(id, name, definition, wholeLine, recovered));
    expect(all.find(name)).toBe(all.find(name)!);
    expect(all.view(name)).toBe(all.find(name)!);
  }
  expect([...all.all()].map(({ id }) => id)).toEqual([3, 5, 6, 7, 9]);
});

/** Steps: a number of a name that is made, or taken away and perhaps given back. */
const step = fc.record({
  name: fc.integer({ min: 0, max: 300 }).map(String),
  keeps: fc.boolean(),
});

test("holds what a map holds, in the order of ids, whatever comes and goes", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 3000 }), fc.nat(300), (steps, parked) => {
      const all = new Registry(parked);
      const expected = new Map<string, number>();
      let id = 0;
      for (; id < parked; id++) {
        const stored = { account: undefined, segmentEnd: undefined, definition: line };
        all.addDormant({ id: id + 1, name: String(id), ...stored });
        expected.set(String(id), id + 1);
      }
      for (const { name, keeps } of steps) {
        const present = all.find(name);
        expect(present?.id).toBe(expected.get(name));
        expect(all.has(name)).toBe(expected.has(name));
        if (present === undefined) {
          all.add(new Dispenser(++id, name, line));
          expected.set(name, id);
        } else {
          all.remove(present);
          if (keeps) all.add(present);
          else expected.delete(name);
        }
        expect(all.size).toBe(expected.size);
      }
      const inOrder = [...expected].sort(([, left], [, right]) => left - right);
      expect(names(all)).toEqual(inOrder.map(([name]) => name));
    }),
    { numRuns: 30 },
  );
});

test("ever new names never fill the index, and new ones leave a sixteenth of it", () => {
  const all = new Registry(0, wholeLine, { rows: 2 ** 10, bytes: 2 ** 20 });
  let id = 0;
  const nameOf = (of: number) => `n${of}`;
  const add = () => all.add(new Dispenser(++id, nameOf(id), line));
  while (all.fits(5, true)) add();
  expect(all.size).toBe(960);
  for (let nth = 0; nth < 5000; nth++) {
    all.remove(all.find(nameOf(id - 959))!);
    add();
  }
  expect([...all.list(0)].map(({ id: found }) => found)).toEqual(
    Array.from({ length: 960 }, (_, nth) => id - 959 + nth),
  );
  expect([all.size, all.fits(5, true), all.rowsHeld <= 1024]).toEqual([960, false, true]);
  while (all.fits(5, false)) add();
  expect(all.size).toBe(1024);
  expect(add).toThrow("the index of names is full");
});

test("rows of removed names are thrown away, and a list under way goes on", () => {
  const all = new Registry(0);
  const stored = { account: undefined, segmentEnd: undefined, definition: line };
  for (let id = 1; id <= 10_000; id++) all.addDormant({ id, name: `n${id}`, ...stored });
  const list = all.list(0);
  const listed = list.take(1000).toArray().length;
  expect(listed).toBe(1000);
  const rest = all.list(1000);
  expect(rest.next().value).toEqual({ id: 1001, name: "n1001" });
  for (let id = 1; id <= 9000; id++) all.remove(all.find(`n${id}`)!);
  all.compact();
  expect(rest.next().value).toEqual({ id: 9001, name: "n9001" });
  expect([...rest]).toHaveLength(999);
  expect(all.size).toBe(1000);
  expect(all.find("n9000")).toBeUndefined();
  expect(all.find("n9500")!.id).toBe(9500);
  all.clear();
  expect([all.size, all.find("n9500")]).toEqual([0, undefined]);
});
