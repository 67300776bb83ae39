import { describe, expect, test } from "bun:test";
import { Engine } from "../../../src/engine/engine.ts";
import { LocalCatalog } from "../../../src/engine/local-catalog.ts";
import { MemoryStore } from "../../support/memory-store.ts";

/** An engine whose clocks are turned by hand. */
function start(time: string, store = new MemoryStore()) {
  const clock = { now: 1000, wall: Date.parse(time) };
  const engine = new Engine(store, {
    now: () => clock.now,
    wallMs: () => clock.wall,
    savesCounts: false,
  });
  const catalog = new LocalCatalog(engine);
  const define = (name: string, fields: Readonly<Record<string, string>>) => {
    expect(catalog.define(name, new Map(Object.entries(fields)))).toBeNumber();
    engine.commit();
  };
  const into = Buffer.alloc(99);
  /** As a request does it: look, then take. */
  const take = (name: string) => {
    engine.dated.look(clock.now);
    const dispenser = engine.find(name)!;
    const bytes = engine.nextBytes(dispenser);
    if (bytes > 0) engine.take(dispenser, into, 0);
    engine.commit();
    return into.toString("latin1", 0, bytes);
  };
  const pass = (ms: number) => {
    clock.now += ms;
    clock.wall += ms;
  };
  return { clock, engine, define, take, pass };
}

const DAY_MS = 86_400_000;

describe("a line whose texts show dates", () => {
  test("shows those of the hand-out: the new ones from midnight on", () => {
    const { define, take, pass } = start("2026-11-30T23:59:59.990Z");
    define("d", { type: "3", format: "{yyyy}{MM}{dd}-{n}", auto_disk: "pre_close" });
    expect([take("d"), take("d")]).toEqual(["20261130-0", "20261130-1"]);
    pass(9);
    expect(take("d")).toBe("20261130-2");
    pass(1);
    expect([take("d"), take("d")]).toEqual(["20261201-3", "20261201-4"]);
    pass(3 * DAY_MS);
    expect(take("d")).toBe("20261204-5");
  });

  test("has the dates of its own zone", () => {
    const { define, take, pass } = start("2026-11-30T15:59:59Z");
    define("a", { type: "3", format: "{dd}-{n}", zone: "Asia/Shanghai" });
    define("b", { type: "3", format: "{dd}-{n}" });
    expect([take("a"), take("b")]).toEqual(["30-0", "30-0"]);
    pass(1000);
    expect([take("a"), take("b")]).toEqual(["01-1", "30-1"]);
    pass(8 * 3_600_000);
    expect([take("a"), take("b")]).toEqual(["01-2", "01-2"]);
  });

  test("follows a clock that is set, within the next look at it", () => {
    const { clock, engine, define, take } = start("2026-11-30T12:00:00Z");
    define("d", { type: "3", format: "{yyyy}-{MM}-{dd} {n}" });
    expect(take("d")).toBe("2026-11-30 0");
    clock.wall += 365 * DAY_MS;
    engine.dated.checkClock();
    expect(take("d")).toBe("2027-11-30 1");
    clock.wall -= 366 * DAY_MS;
    engine.dated.checkClock();
    expect(take("d")).toBe("2026-11-29 2");
    // What a clock drifts is no reason to open all lines anew.
    clock.wall += 400;
    engine.dated.checkClock();
    expect(engine.find("d")!.nextBytes).toBeGreaterThan(0);
  });

  test("asks the calendar only where its dates change", () => {
    const { engine, define, take, pass } = start("2026-11-30T12:00:00Z");
    define("d", { type: "3", format: "{dd}-{n}" });
    take("d");
    expect(engine.dated.deadlineMs).toBe(1000 + DAY_MS / 2);
    pass(DAY_MS / 2 - 1);
    engine.dated.look(1000 + DAY_MS / 2 - 1);
    expect(engine.find("d")!.nextBytes).toBe(4);
    engine.dated.look(1000 + DAY_MS / 2);
    expect(engine.find("d")!.nextBytes).toBe(0);
    expect(engine.dated.deadlineMs).toBe(Number.POSITIVE_INFINITY);
  });

  test("is forgotten when it is deleted", () => {
    const { engine, define, take } = start("2026-11-30T12:00:00Z");
    for (let round = 0; round < 3; round++) {
      define("d", { type: "3", format: "{yyyy}-{n}" });
      take("d");
      expect(engine.dated.size).toBe(1);
      new LocalCatalog(engine).remove(["d"]);
      engine.commit();
      expect(engine.dated.size).toBe(0);
    }
  });

  test("shows the right dates also after a DEL that failed", () => {
    const store = new MemoryStore();
    const { engine, define, take, pass } = start("2026-11-30T12:00:00Z", store);
    define("d", { type: "3", format: "{dd}-{n}" });
    expect(take("d")).toBe("30-0");
    new LocalCatalog(engine).remove(["d"]);
    store.failures = ["unavailable"];
    expect(engine.commit()).toBeDefined();
    pass(DAY_MS);
    expect(take("d")).toBe("01-1");
  });

  test("goes on after a failed commit, and ends at its end", () => {
    const { engine, define, take } = start("2026-11-30T12:00:00Z");
    define("d", { type: "2", length: "1", starting: "8", format: "{dd}-{n}" });
    expect([take("d"), take("d"), take("d"), take("d")]).toEqual(["30-8", "30-9", "", ""]);
    expect(engine.next(engine.find("d")!)).toBe("30-10");
  });
});
