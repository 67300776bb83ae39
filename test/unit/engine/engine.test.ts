import { describe, expect, test } from "bun:test";
import { Refusal } from "../../../src/base/errors.ts";
import { invalidName } from "../../../src/dispenser/name.ts";
import { Engine } from "../../../src/engine/engine.ts";
import { LocalCatalog } from "../../../src/engine/local-catalog.ts";
import { DiskBroken, DiskUnavailable } from "../../../src/storage/store.ts";
import { MemoryStore } from "../../support/memory-store.ts";

const into = Buffer.alloc(20);
const FULL = new DiskUnavailable("the disk is full");

function start(store = new MemoryStore()) {
  let turns = 0;
  const engine = new Engine(store, { now: () => 0, savesCounts: true, onStaged: () => turns++ });
  const define = (name: string, fields: Record<string, string>, reuse = false) =>
    new LocalCatalog(engine).define(name, new Map(Object.entries(fields)), reuse);
  const take = (name: string) => {
    const dispenser = engine.find(name)!;
    const { nextBytes } = dispenser;
    engine.take(dispenser, into, 0);
    return into.toString("latin1", 0, nextBytes);
  };
  const waits = (name: string) => engine.dependsOn(name, engine.find(name)) !== 0;
  return { store, engine, define, take, waits, turns: () => turns };
}

describe("a commit", () => {
  test("is asked for once a turn, however much is staged", () => {
    const { engine, define, take, turns, store } = start();
    for (const name of ["a", "b", "c"]) define(name, { type: "3" });
    expect(turns()).toBe(1);
    expect(engine.commit()).toBeUndefined();
    for (let count = 0; count < 50; count++) for (const name of ["a", "b", "c"]) take(name);
    expect(turns()).toBe(2);
    engine.commit();
    expect(store.commits).toBe(2);
  });

  test("does nothing and counts for nothing where nothing is staged", () => {
    const { engine, store } = start();
    expect(engine.commit()).toBeUndefined();
    expect([engine.nextCommit, store.commits]).toEqual([1, 0]);
  });
});

describe("what waits for the commit", () => {
  test("a new name, a deleted name, an advanced line, a switched strategy", () => {
    const { engine, define, waits } = start();
    const staged = [
      () => define("x", { type: "3" }),
      () => define("x", { auto_disk: "pre_close" }),
      () => new LocalCatalog(engine).advance(engine.find("x")!, "50"),
      () => new LocalCatalog(engine).remove(["x"]),
    ];
    for (const stage of staged) {
      stage();
      expect(waits("x")).toBe(true);
      expect(waits("other")).toBe(false);
      expect(engine.dependsOnNames()).toBe(engine.nextCommit);
      engine.commit();
      expect(waits("x")).toBe(false);
      expect(engine.dependsOnNames()).toBe(0);
    }
  });

  test("a number beyond the reservation, and none in memory or at random", () => {
    const { engine, define, take, waits } = start();
    define("durable", { type: "3" });
    define("volatile", { type: "3", auto_disk: "memory" });
    define("random", { type: "1", length: "5" });
    engine.commit();
    for (const name of ["durable", "volatile", "random"]) take(name);
    expect(["durable", "volatile", "random"].map(waits)).toEqual([true, false, false]);
    engine.commit();
    expect(waits("durable")).toBe(false);
  });
});

describe("a failed commit", () => {
  test("takes back definitions, deletions, advances and switches, and the numbers with them", () => {
    const { engine, define, take, store } = start();
    define("old", { type: "3", auto_disk: "pre-base" });
    define("gone", { type: "3" });
    engine.commit();
    take("old");
    engine.commit();
    store.failures = ["unavailable"];
    define("new", { type: "3" });
    take("new");
    new LocalCatalog(engine).remove(["gone"]);
    define("gone", { type: "1", length: "3" });
    define("old", { auto_disk: "elegant_close" });
    take("old");
    new LocalCatalog(engine).advance(engine.find("old")!, "1000");
    take("old");
    expect(engine.commit()).toEqual(FULL);
    expect(engine.find("new")).toBeUndefined();
    expect(engine.find("gone")!.definition.type.code).toBe(3);
    expect(engine.find("old")!.definition.strategy).toBe("pre-base");
    expect([take("old"), take("gone")]).toEqual(["1", "0"]);
    expect(engine.commit()).toBeUndefined();
  });

  test("costs no number: the next one after it is the next", () => {
    const { engine, define, take, store } = start();
    define("x", { type: "3" });
    engine.commit();
    take("x");
    engine.commit();
    store.lasting = "unavailable";
    for (let attempt = 0; attempt < 3; attempt++) {
      expect([take("x"), take("x")]).toEqual(["1", "2"]);
      expect(engine.commit()).toEqual(FULL);
    }
    store.lasting = undefined;
    expect(take("x")).toBe("1");
    expect(engine.commit()).toBeUndefined();
    expect(engine.find("x")!.counts).toEqual({ generated: 2n, wasted: 0n });
  });

  test("leaves what the reservation already covers", () => {
    const { engine, define, take, waits, store } = start();
    define("x", { type: "3", auto_disk: "pre-base" });
    engine.commit();
    for (let count = 0; count < 100; count++) {
      take("x");
      engine.commit();
    }
    store.lasting = "unavailable";
    const covered = engine.find("x")!.reserved - engine.find("x")!.taken;
    expect(covered).toBeGreaterThan(0);
    for (let count = 0; count < covered; count++) {
      take("x");
      expect(waits("x")).toBe(false);
      engine.commit();
    }
    take("x");
    expect(waits("x")).toBe(true);
    engine.commit();
    expect(engine.find("x")!.current).toBe(String(100 + covered));
  });

  test("wastes the covered numbers of a reply that failed as a whole, and counts them so", () => {
    const { engine, define, take, store } = start();
    define("m", { type: "3", auto_disk: "memory" });
    define("x", { type: "3" });
    engine.commit();
    store.failures = ["unavailable"];
    take("m");
    take("x");
    engine.markUncertain(engine.find("m")!);
    expect(engine.commit()).toEqual(FULL);
    expect(engine.find("m")!.counts).toEqual({ generated: 0n, wasted: 1n });
    expect(engine.find("x")!.counts).toEqual({ generated: 0n, wasted: 0n });
    take("m");
    engine.markUncertain(engine.find("m")!);
    take("x");
    engine.commit();
    expect(engine.find("m")!.counts).toEqual({ generated: 1n, wasted: 1n });
  });

  test("wastes what an MGET had taken, and the clean close knows, be it all that changed", () => {
    const { engine, define, take, store } = start();
    define("p", { type: "3", auto_disk: "pre_close" });
    define("x", { type: "3" });
    for (let count = 0; count < 100; count++) {
      take("p");
      engine.commit();
    }
    engine.stageCounts();
    engine.commit();
    const { reserved, taken } = engine.find("p")!;
    expect(reserved).toBeGreaterThan(taken);
    for (let count = taken; count < reserved; count++) {
      store.failures = ["unavailable"];
      take("p");
      engine.markUncertain(engine.find("p")!);
      take("x");
      expect(engine.commit()).toEqual(FULL);
    }
    const { counts } = engine.find("p")!;
    expect(counts).toEqual({ generated: 100n, wasted: BigInt(reserved - taken) });
    engine.close();
    expect(start(store.reopen()).engine.find("p")!.counts).toEqual(counts);
  });

  test("leaves nothing of a definition that failed, for whoever gets its id", () => {
    const { engine, define, take, store } = start();
    store.failures = ["unavailable"];
    define("r", { type: "1", length: "5" });
    take("r");
    engine.commit();
    engine.stageCounts();
    engine.commit();
    expect(store.commits).toBe(0);
    engine.close();
    const next = start(store.reopen());
    next.define("order_id", { type: "3" });
    next.engine.commit();
    next.engine.close();
    expect(start(next.store.reopen()).take("order_id")).toBe("0");
  });

  test("of which nobody knows what is on disk is not survived", () => {
    const { engine, define, store } = start();
    store.failures = ["broken"];
    define("x", { type: "3" });
    expect(() => engine.commit()).toThrow(DiskBroken);
  });
});

describe("a life after another", () => {
  test("knows what the crash cost", () => {
    const { engine, define, take, store } = start();
    define("x", { type: "3", auto_disk: "pre-base" });
    define("y", { type: "3" });
    engine.commit();
    for (let count = 0; count < 10; count++) {
      take("x");
      take("y");
      engine.commit();
    }
    const { reserved } = engine.find("x")!;
    const next = start(store.reopen());
    expect(next.store.crashed).toBe(true);
    const { generated, wasted } = next.engine.find("x")!.counts;
    expect(next.engine.skippedByCrash()).toEqual([{ name: "x", numbers: wasted }]);
    expect(generated + wasted).toBe(BigInt(reserved));
    expect(wasted).toBeGreaterThan(0n);
  });

  test("knows counts that the background saved, though no reservation was needed", () => {
    const { engine, define, take, store } = start();
    define("r", { type: "1", length: "5" });
    engine.commit();
    for (let count = 0; count < 7; count++) take("r");
    expect(engine.commit()).toBeUndefined();
    engine.stageCounts();
    engine.commit();
    const commits = store.commits;
    engine.stageCounts();
    engine.commit();
    expect(store.commits).toBe(commits);
    const next = start(store.reopen());
    expect(next.engine.find("r")!.counts.generated).toBe(7n);
  });

  test("after a clean close, exact counts for all, and ids that go on", () => {
    const { engine, define, take, store } = start();
    for (const strategy of ["pre-base", "pre-checkpoint", "pre_close", "elegant_close"]) {
      define(strategy, { type: "3", auto_disk: strategy });
    }
    engine.commit();
    const names = [...engine.all()].map(({ name }) => name);
    for (let count = 0; count < 200; count++) {
      for (const name of names) take(name);
      engine.commit();
    }
    engine.close();
    const next = start(store.reopen());
    expect(next.store.crashed).toBe(false);
    for (const name of names) expect(next.engine.find(name)!.counts.generated).toBe(200n);
    expect(next.engine.find("pre_close")!.current).toBe("200");
    expect(next.define("later", { type: "3" })).toBe(1);
    expect(next.engine.find("later")!.id).toBe(5);
  });
});

test("pre_close wastes less than 0.1 % over 99 clean stops and a crash", () => {
  let life = start();
  life.define("x", { type: "3", auto_disk: "pre_close" });
  life.engine.commit();
  for (let count = 0; count < 100; count++) {
    for (let number = 0; number < 400; number++) {
      life.take("x");
      life.engine.commit();
    }
    if (count < 99) life.engine.close();
    life = start(life.store.reopen());
  }
  const { generated, wasted } = life.engine.find("x")!.counts;
  expect(generated + wasted).toBeGreaterThanOrEqual(40_000n);
  expect(Number(wasted) / Number(generated + wasted)).toBeLessThan(0.001);
  expect(wasted).toBeGreaterThan(0n);
});

const refusalOf = (answer: string | Refusal) =>
  answer instanceof Refusal ? answer.message : undefined;

describe("advance", () => {
  test("goes to the first number that is not below, and not back", () => {
    const { engine, define } = start();
    define("x", { type: "3", starting: "5", step: "10" });
    const x = engine.find("x")!;
    expect(new LocalCatalog(engine).advance(x, "26")).toBe("35");
    expect(x.current).toBe("35");
    expect(new LocalCatalog(engine).advance(x, "7")).toBe("35");
    expect(x.current).toBe("35");
  });

  test("refuses what is past the end, and types without a line", () => {
    const { engine, define, take } = start();
    define("x", { type: "2", length: "2" });
    define("r", { type: "1", length: "2" });
    const x = engine.find("x")!;
    expect(refusalOf(new LocalCatalog(engine).advance(x, "100"))).toStartWith(
      "ERR number range exhausted: 'x' has no number",
    );
    expect(x.current).toBe("00");
    expect(new LocalCatalog(engine).advance(x, "99")).toBe("99");
    expect(take("x")).toBe("99");
    expect(refusalOf(new LocalCatalog(engine).advance(x, "5"))).toBe(
      "ERR number range exhausted: 'x'",
    );
    expect(refusalOf(new LocalCatalog(engine).advance(engine.find("r")!, "5"))).toBe(
      "ERR ADVANCE does not apply to type 1",
    );
  });

  test("moves where a line in memory starts over", () => {
    const { engine, define, take, store } = start();
    define("x", { type: "3", auto_disk: "memory" });
    new LocalCatalog(engine).advance(engine.find("x")!, "100");
    engine.commit();
    take("x");
    const next = start(store.reopen());
    expect(next.take("x")).toBe("100");
  });
});

describe("a line in memory starts over where it became so", () => {
  test("though numbers were taken before that was committed", () => {
    const { engine, define, take, store } = start();
    define("m", { type: "3" });
    take("m");
    engine.commit();
    define("m", { auto_disk: "memory" }, true);
    for (let count = 0; count < 3; count++) take("m");
    engine.commit();
    expect(start(store.reopen()).take("m")).toBe("1");
  });

  test("and after ADVANCE at the number it answered", () => {
    const { engine, define, take, store } = start();
    define("m", { type: "3", auto_disk: "memory" });
    new LocalCatalog(engine).advance(engine.find("m")!, "100");
    expect([take("m"), take("m")]).toEqual(["100", "101"]);
    engine.commit();
    expect(start(store.reopen()).take("m")).toBe("100");
  });

  test("but the count of type 1 is kept, whatever its strategy", () => {
    const { engine, define, take, store } = start();
    define("r", { type: "1", length: "4", auto_disk: "memory" });
    engine.commit();
    take("r");
    engine.close();
    expect(start(store.reopen()).engine.find("r")!.counts.generated).toBe(1n);
  });
});

test("an exhausted line of 2^63 numbers may change its strategy", () => {
  const { engine, define, take } = start();
  define("x", { type: "3" });
  new LocalCatalog(engine).advance(engine.find("x")!, String(2n ** 63n - 1n));
  expect(take("x")).toBe("9223372036854775807");
  for (const strategy of ["pre-base", "pre_close", "memory", "pre-checkpoint", "elegant_close"]) {
    expect(define("x", { auto_disk: strategy }, true)).toBe(0);
    expect(engine.commit()).toBeUndefined();
    expect(engine.find("x")!.nextBytes).toBe(0);
  }
});

test("names are refused that are none", () => {
  const { define } = start();
  expect(define("a b", { type: "3" })).toEqual(invalidName("a b"));
});

test("counts are saved by and by, a thousand in a commit, of all that were asked for", () => {
  const { engine, define, take, store } = start();
  const names = Array.from({ length: 2500 }, (_, index) => `r${index}`);
  for (const name of names) define(name, { type: "1", length: "3" });
  engine.commit();
  for (const round of [1, 2]) {
    for (const name of names) take(name);
    new LocalCatalog(engine).remove(["r7"]);
    engine.commit();
    const saved = [];
    for (let sweep = 0; sweep < 4; sweep++) {
      const before = store.commits;
      engine.stageCounts();
      engine.commit();
      saved.push(store.commits - before);
    }
    // The last one has nothing to save.
    expect(saved).toEqual([1, 1, 1, 0]);
    expect(names.every((name) => engine.find(name)?.hasDirtyCounts !== true)).toBe(true);
    if (round === 1) define("r7", { type: "1", length: "3" });
    engine.commit();
  }
});
