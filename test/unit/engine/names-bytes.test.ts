/** The memory of names is bounded, whatever comes and goes. */

import { expect, test } from "bun:test";
import { Refusal } from "../../../src/base/errors.ts";
import { BYTES_BESIDE_NAME, Engine, type EngineOptions } from "../../../src/engine/engine.ts";
import { LocalCatalog } from "../../../src/engine/local-catalog.ts";
import type { Registry } from "../../../src/engine/registry.ts";
import { MemoryStore } from "../../support/memory-store.ts";

const limits = {
  ...{ dispensersMax: 1e6, nameBytesMax: 255, namesBytesMax: 100 * (BYTES_BESIDE_NAME + 6) },
  ...{ deletedMax: 50, deletedDays: 90 },
};

function start(store: MemoryStore, more: Partial<EngineOptions> = {}) {
  const engine = new Engine(store, { now: () => 0, savesCounts: true, limits, ...more });
  const catalog = new LocalCatalog(engine);
  const define = (name: string) => {
    const set = catalog.define(name, new Map([["type", "3"]]));
    return set instanceof Refusal ? set.message : set;
  };
  return { engine, catalog, define };
}

const nameOf = (nth: number) => String(100_000 + nth);

test("ever new names in the place of deleted ones leave nothing behind", () => {
  const store = new MemoryStore();
  const { engine, catalog, define } = start(store);
  for (let nth = 0; nth < 100; nth++) define(nameOf(nth));
  const full = engine.namesBytes;
  expect(full).toBe(limits.namesBytesMax);
  const { registry } = engine as unknown as { registry: Registry };
  const into = new Uint8Array(32);
  let rowsMost = 0;
  for (let nth = 100; nth < 30_000; nth++) {
    expect(define(nameOf(nth))).toStartWith("ERR max memory of names reached: ");
    // A line of which a number is in use is kept when it is deleted.
    engine.take(engine.find(nameOf(nth - 100))!, into, 0);
    expect(catalog.remove([nameOf(nth - 100)])).toHaveLength(1);
    expect(define(nameOf(nth))).toBe(1);
    expect(engine.namesBytes).toBe(full);
    if (nth % 50 === 0) engine.commit();
    rowsMost = Math.max(rowsMost, registry.rowsHeld);
  }
  // Rows of removed names stay until they are 4096 or half of all, and for a commit.
  expect(rowsMost).toBeLessThan(4096 + 100 + 100);
  // As many as are deleted with one commit may be too many until the next.
  expect(store.deletedSize).toBeLessThanOrEqual(limits.deletedMax + 50);
});

test("what a failed commit takes back no longer counts", () => {
  const store = new MemoryStore();
  const { engine, catalog, define } = start(store);
  define("stays");
  engine.commit();
  const before = engine.namesBytes;
  store.failures = ["unavailable"];
  define("new");
  catalog.remove(["stays"]);
  engine.commit();
  expect([engine.namesBytes, engine.size]).toEqual([before, 1]);
});

test("a database that is over the limit is loaded whole, and takes no more names", () => {
  const store = new MemoryStore();
  const first = start(store, { limits: { ...limits, namesBytesMax: 1e9 } });
  for (let nth = 0; nth < 150; nth++) first.define(nameOf(nth));
  first.engine.commit();
  const { engine, define, catalog } = start(store.reopen());
  expect(engine.size).toBe(150);
  expect(define("new")).toStartWith("ERR max memory of names reached: ");
  catalog.remove(Array.from({ length: 50 }, (_, nth) => nameOf(nth)));
  expect(define("new")).toStartWith("ERR max memory of names reached: ");
  catalog.remove([nameOf(50)]);
  expect(define("new")).toBe(1);
});

test("as many names as the index holds are taken, and a start refuses more", () => {
  const store = new MemoryStore();
  const capacity = { rows: 2 ** 6, bytes: 2 ** 20 };
  const { engine, define } = start(store, { capacity });
  for (let nth = 0; nth < 60; nth++) expect(define(nameOf(nth))).toBe(1);
  expect(define("new")).toBe(
    "ERR max number of dispensers reached: one server can hold no more than these 60. " +
      "Delete dispensers, or define others on another server",
  );
  engine.commit();
  const again = store.reopen();
  expect(start(again, { capacity }).engine.size).toBe(60);
  expect(() => start(again.reopen(), { capacity: { rows: 32, bytes: 2 ** 20 } })).toThrow(
    "the database has more dispensers than one server can hold: 32 fit; spread them over several servers",
  );
});
