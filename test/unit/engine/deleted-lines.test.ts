/** DEL is soft: what numbers of a line may be in use is kept, and none of them comes again by accident. */

import { describe, expect, setSystemTime, test } from "bun:test";
import { Refusal } from "../../../src/base/errors.ts";
import { type Allocation, Striped, wholeLine } from "../../../src/dispenser/allocation.ts";
import { strategyNames } from "../../../src/dispenser/strategy.ts";
import { Engine, type EngineLimits } from "../../../src/engine/engine.ts";
import { LocalCatalog } from "../../../src/engine/local-catalog.ts";
import { MemoryStore } from "../../support/memory-store.ts";

const into = Buffer.alloc(20);
const DAY_S = 86_400;

interface Start {
  readonly store?: MemoryStore;
  readonly allocation?: Allocation;
  readonly limits?: Partial<EngineLimits>;
}

function start({ store = new MemoryStore(), allocation = wholeLine, limits = {} }: Start = {}) {
  const clock = {
    nowMs: 0,
    pass(seconds: number) {
      clock.nowMs += 1000 * seconds;
    },
  };
  const engine = new Engine(store, {
    now: () => clock.nowMs,
    savesCounts: false,
    allocation,
    limits: {
      dispensersMax: 1000,
      nameBytesMax: 255,
      namesBytesMax: 2 ** 30,
      deletedMax: 1000,
      deletedDays: 90,
      ...limits,
    },
  });
  const define = (name: string, text: string, reuse = false) => {
    const words = text.split(" ");
    const fields = new Map<string, string>();
    for (let at = 0; at < words.length; at += 2) fields.set(words[at]!, words[at + 1]!);
    const set = new LocalCatalog(engine).define(name, fields, reuse);
    return set instanceof Refusal ? set.message : set;
  };
  const take = (name: string, count = 1) => {
    const dispenser = engine.find(name)!;
    let last = "";
    for (let taken = 0; taken < count; taken++) {
      const { nextBytes } = dispenser;
      engine.take(dispenser, into, 0);
      last = into.toString("latin1", 0, nextBytes);
    }
    return last;
  };
  const figures = (name: string) => {
    const { current, counts } = engine.find(name)!;
    return [current, counts.generated, counts.wasted];
  };
  /** The next life, after a crash at this instant or a clean close. */
  const restart = (isClean: boolean) => {
    if (isClean) engine.close();
    return start({ store: store.reopen(), allocation, limits });
  };
  return { store, engine, clock, define, take, figures, restart };
}

const met = (name: string, at: number, way = `Give starting ${at}`) =>
  `ERR '${name}' was deleted at ${at}: its numbers may be in use. ${way}, or say reuse yes`;

describe("a line that was deleted goes on where it stood", () => {
  const durable = strategyNames.filter((name) => name !== "memory");

  test.each(durable)(
    "in %s, in the same turn, and in a life after a crash or a close",
    (strategy) => {
      const shape = `type 3 starting 100 step 5 auto_disk ${strategy}`;
      for (const between of ["turn", "commit", "crash", "close"]) {
        let life = start();
        life.define("x", shape);
        for (let turn = 0; turn < 5; turn++) {
          life.take("x", 40);
          life.engine.commit();
        }
        expect(life.take("x")).toBe("1100");
        expect(new LocalCatalog(life.engine).remove(["x"])).toHaveLength(1);
        expect(life.engine.find("x")).toBeUndefined();
        if (between !== "turn") life.engine.commit();
        if (between === "crash" || between === "close") life = life.restart(between === "close");
        expect(life.define("x", shape)).toBe(4);
        expect(life.figures("x")).toEqual(["1105", 201n, 0n]);
        expect(life.take("x")).toBe("1105");
        life.engine.commit();
        life.take("x", 3);
        life.engine.commit();
        // What stands on disk of it is whole again.
        const next = life.restart(false);
        expect(BigInt(next.figures("x")[0]!)).toBeGreaterThanOrEqual(1125n);
        next.engine.commit();
        next.engine.close();
      }
    },
  );

  test("whatever its strategy is now, with the fields counted that were given", () => {
    const { define, take, engine, figures } = start();
    define("x", "type 3 auto_disk pre-base");
    take("x", 3);
    new LocalCatalog(engine).remove(["x"]);
    expect(define("x", "type 3 starting 0 auto_disk pre_close")).toBe(3);
    expect(engine.find("x")!.definition.strategy).toBe("pre_close");
    expect(figures("x")).toEqual(["3", 3n, 0n]);
    engine.commit();
    engine.close();
  });

  test("exhausted where it was, and longer again if it may be", () => {
    const { define, take, engine } = start();
    define("x", "type 2 length 1 starting 8");
    take("x", 2);
    new LocalCatalog(engine).remove(["x"]);
    engine.commit();
    expect(define("x", "type 2 length 1 starting 8")).toBe(3);
    expect(engine.find("x")!.nextBytes).toBe(0);
    expect(define("x", "length 2")).toBe(0);
    expect(take("x")).toBe("10");
    engine.commit();
  });

  test("with what ADVANCE skipped, and all 2^63 numbers of it", () => {
    const life = start();
    life.define("x", "type 3");
    life.engine.skip(life.engine.find("x")!, 2n ** 63n);
    new LocalCatalog(life.engine).remove(["x"]);
    life.engine.commit();
    const next = life.restart(false);
    expect(next.define("x", "type 3")).toBe(1);
    expect(next.figures("x")).toEqual([String(2n ** 63n), 0n, 2n ** 63n]);
    next.engine.commit();
    expect(next.restart(false).figures("x")[2]).toBe(2n ** 63n);
  });
});

describe("another line of its name keeps clear of its numbers", () => {
  test("in the same turn, later, and in the next life", () => {
    const life = start();
    life.define("order_id", "type 3");
    life.take("order_id", 1002);
    new LocalCatalog(life.engine).remove(["order_id"]);
    const refused = met("order_id", 1002);
    expect(life.define("order_id", "type 3 step 2")).toBe(refused);
    life.engine.commit();
    expect(life.define("order_id", "type 2 length 8")).toBe(refused);
    const next = life.restart(false);
    expect(next.define("order_id", "type 3 starting 1001")).toBe(refused);
    expect(next.define("order_id", "type 3 auto_disk memory")).toBe(refused);
    expect(next.engine.size).toBe(0);
    expect(next.define("order_id", "type 3 starting 1002")).toBe(2);
    expect(next.take("order_id")).toBe("1002");
  });

  test("also where several were deleted, of which one would go on", () => {
    const { define, take, engine } = start();
    define("x", "type 3");
    take("x", 10);
    new LocalCatalog(engine).remove(["x"]);
    define("x", "type 3 starting 20");
    take("x", 5);
    new LocalCatalog(engine).remove(["x"]);
    engine.commit();
    expect(define("x", "type 3")).toBe(met("x", 25));
    expect(define("x", "type 3 starting 20")).toBe(2);
    expect(take("x")).toBe("25");
    new LocalCatalog(engine).remove(["x"]);
    engine.commit();
    expect(define("x", "type 3 starting 15 step 5")).toBe(met("x", 26));
    expect(define("x", "type 3 starting 15 step 11")).toBe(3);
  });

  test("until the word reuse yes, which forgets all of that name and no other", () => {
    const life = start();
    for (const name of ["x", "y"]) {
      life.define(name, "type 3");
      life.take(name, 3);
      new LocalCatalog(life.engine).remove([name]);
    }
    life.engine.commit();
    expect(life.define("x", "type 3 step 3", true)).toBe(2);
    expect(life.take("x")).toBe("0");
    new LocalCatalog(life.engine).remove(["x"]);
    life.engine.commit();
    expect(life.define("x", "type 3 starting 1")).toBe(1 + 1);
    expect(life.define("y", "type 3 step 3")).toBe(met("y", 3));
    life.engine.commit();
    expect(life.store.deletedSize).toBe(2);
  });
});

describe("nothing is kept of a line", () => {
  const nothing: [string, string, number][] = [
    ["of type 1", "type 1 length 3", 5],
    ["that was in memory always", "type 3 auto_disk memory", 5],
    ["that handed out nothing", "type 3", 0],
  ];
  test.each(nothing)("%s", (_, definition, count) => {
    const { define, take, engine, store } = start();
    define("x", definition);
    take("x", count);
    engine.commit();
    new LocalCatalog(engine).remove(["x"]);
    expect(define("x", "type 3 step 7")).toBe(2);
    engine.commit();
    expect(store.deletedSize).toBe(0);
  });

  test("and one that skipped numbers alone becomes memory freely, from there on", () => {
    const { define, take, engine } = start();
    define("x", "type 3");
    new LocalCatalog(engine).advance(engine.find("x")!, "100");
    expect(define("x", "auto_disk memory")).toBe(0);
    expect(take("x")).toBe("100");
    engine.commit();
  });

  test("but of one in memory that was durable before, up to there", () => {
    const { define, take, engine } = start();
    define("x", "type 3");
    take("x", 5);
    engine.commit();
    expect(define("x", "auto_disk memory")).toContain("to memory: its numbers are in use");
    expect(define("x", "auto_disk memory", true)).toBe(0);
    take("x", 50);
    new LocalCatalog(engine).remove(["x"]);
    engine.commit();
    expect(define("x", "type 3 step 2")).toBe(met("x", 5));
    expect(define("x", "type 3")).toBe(1);
    expect(take("x")).toBe("5");
    engine.commit();
  });
});

describe("where the commit fails", () => {
  test("of a DEL the line is there again, with all its numbers", () => {
    const { define, take, engine, store, figures } = start();
    define("x", "type 3 auto_disk pre_close");
    take("x", 30);
    engine.commit();
    store.failures.push("unavailable");
    new LocalCatalog(engine).remove(["x"]);
    expect(engine.commit()).toBeDefined();
    expect(figures("x")).toEqual(["30", 30n, 0n]);
    expect(store.deletedSize).toBe(0);
  });

  test("of a line that goes on it is deleted as before", () => {
    const { define, take, engine, store } = start();
    define("x", "type 3");
    take("x", 30);
    new LocalCatalog(engine).remove(["x"]);
    engine.commit();
    store.failures.push("unavailable");
    expect(define("x", "type 3")).toBe(1);
    expect(take("x")).toBe("30");
    expect(engine.commit()).toBeDefined();
    expect(engine.find("x")).toBeUndefined();
    expect(store.deletedSize).toBe(1);
    expect(define("x", "type 3 step 2")).toBe(met("x", 30));
    expect(define("x", "type 3")).toBe(1);
    expect(take("x")).toBe("30");
    expect(engine.commit()).toBeUndefined();
    expect(store.deletedSize).toBe(0);
  });

  test("of both in one turn the line goes on as if nothing was said", () => {
    const { define, take, engine, store } = start();
    define("x", "type 3");
    take("x", 30);
    engine.commit();
    store.failures.push("unavailable");
    new LocalCatalog(engine).remove(["x"]);
    define("x", "type 3");
    take("x", 10);
    new LocalCatalog(engine).remove(["x"]);
    expect(engine.commit()).toBeDefined();
    expect(take("x")).toBe("30");
    expect(engine.commit()).toBeUndefined();
  });
});

describe("deleted lines are forgotten", () => {
  const lines = ["a", "b", "c", "d"];

  test("the oldest first, where there are more than the limit", () => {
    const { define, take, engine, store } = start({ limits: { deletedMax: 2 } });
    for (const name of lines) {
      define(name, "type 3");
      take(name, 3);
      new LocalCatalog(engine).remove([name]);
      engine.commit();
    }
    expect(store.deletedSize).toBe(2);
    expect(lines.map((name) => define(name, "type 3 step 2"))).toEqual([
      2,
      2,
      met("c", 3),
      met("d", 3),
    ]);
  });

  test("a few at a time where the limit was lowered", () => {
    const { define, take, engine, store } = start();
    for (let index = 0; index < 70; index++) {
      define(`x${index}`, "type 3");
      take(`x${index}`);
      new LocalCatalog(engine).remove([`x${index}`]);
    }
    engine.commit();
    engine.limits = { ...engine.limits, deletedMax: 10 };
    const sizes = [1, 2, 3, 4].map(() => {
      engine.stagePurge();
      engine.commit();
      return store.deletedSize;
    });
    expect(sizes).toEqual([45, 20, 10, 10]);
  });

  const deleteX = ({ define, take, engine }: ReturnType<typeof start>) => {
    define("x", "type 3");
    take("x");
    new LocalCatalog(engine).remove(["x"]);
    engine.commit();
  };
  const purge = ({ engine, store }: ReturnType<typeof start>) => {
    engine.stagePurge();
    engine.commit();
    return store.deletedSize;
  };

  test("after so many days, and not before", () => {
    const life = start();
    deleteX(life);
    life.clock.pass(90 * DAY_S);
    expect([purge(life), life.define("x", "type 3 step 2")]).toEqual([1, met("x", 1)]);
    life.clock.pass(1);
    expect([purge(life), life.define("x", "type 3 step 2")]).toEqual([0, 2]);
  });

  test("by no wall clock, wherever it stands and however it jumps", () => {
    const life = start();
    try {
      setSystemTime(new Date(0));
      deleteX(life);
      for (const year of [2026, 1970, 2500, 2026]) {
        setSystemTime(new Date(Date.UTC(year, 1)));
        life.clock.pass(22 * DAY_S);
        expect(purge(life)).toBe(1);
      }
      setSystemTime(new Date(0));
      life.clock.pass(2 * DAY_S + 1);
      expect(purge(life)).toBe(0);
    } finally {
      setSystemTime();
    }
  });

  test("after so many days in several lives, and no life makes one older than it ran", () => {
    let life = start();
    deleteX(life);
    for (const isClean of [true, false, true]) {
      life.clock.pass(30 * DAY_S - 599);
      expect(purge(life)).toBe(1);
      // What is not written yet is lost with the life.
      life.clock.pass(599);
      expect(purge(life)).toBe(1);
      life = life.restart(isClean);
    }
    life.clock.pass(3 * 599);
    expect(purge(life)).toBe(1);
    life.clock.pass(1);
    expect(purge(life)).toBe(0);
  });

  test("their age is written while there are any, every ten minutes", () => {
    const life = start();
    const { clock, store, engine } = life;
    const ages = (seconds: number) => {
      const { commits } = store;
      clock.pass(seconds);
      purge(life);
      return [store.ageS, store.commits - commits];
    };
    expect(ages(5 * DAY_S)).toEqual([0, 0]);
    // With the line, so that a crash right then makes the line no younger.
    deleteX(life);
    expect([store.ageS, store.oldestDeletedS]).toEqual([5 * DAY_S, 5 * DAY_S]);
    expect(ages(599)).toEqual([5 * DAY_S, 0]);
    expect(ages(1.5)).toEqual([5 * DAY_S + 600, 1]);
    // A commit that failed is made good by the next.
    store.failures.push("unavailable");
    expect(ages(600)).toEqual([5 * DAY_S + 600, 0]);
    expect(ages(0)).toEqual([5 * DAY_S + 1200, 1]);
    expect(life.define("x", "type 3", true)).toBe(1);
    engine.commit();
    expect(ages(DAY_S)).toEqual([5 * DAY_S + 1200, 0]);
  });

  test("never: of one name a hundred are kept each by itself, older ones as one line", () => {
    const { define, take, engine, store } = start();
    for (let index = 0; index < 250; index++) {
      expect(define("x", `type 3 starting ${10 * index} step 5`)).toBe(3);
      expect(take("x", 2)).toBe(String(10 * index + 5));
      new LocalCatalog(engine).remove(["x"]);
      engine.commit();
    }
    expect(store.deletedSize).toBeLessThanOrEqual(101);
    for (const starting of [0, 5, 10, 1000, 2495]) {
      const set = define("x", `type 3 starting ${starting} step 5000`);
      expect(set).toContain("may be in use. Give starting 2500, or say reuse yes");
    }
    expect(define("x", "type 3 starting 2490 step 5")).toBe(3);
    expect(take("x")).toBe("2500");
  });
});

test("with nodes that never talk only the same line may come again, and it goes on", () => {
  const allocation = new Striped(2, 3);
  for (const count of [0, 5]) {
    const life = start({ allocation });
    life.define("x", "type 3");
    life.take("x", count);
    new LocalCatalog(life.engine).remove(["x"]);
    life.engine.commit();
    const next = life.restart(false);
    expect(next.define("x", "type 3 starting 9000")).toBe(
      met("x", 1000 + count, "Define another name"),
    );
    expect(next.define("x", "type 3")).toBe(1);
    expect(next.take("x")).toBe(String(1000 + count));
    next.engine.commit();
    next.engine.close();
  }
});

test("margins move deleted lines ahead, too, to their end at most", () => {
  const life = start();
  for (const [name, definition] of [
    ["x", "type 3"],
    ["y", "type 2 length 1"],
  ] as const) {
    life.define(name, definition);
    life.take(name, 3);
    new LocalCatalog(life.engine).remove([name]);
  }
  life.engine.commit();
  life.engine.skipDeleted(100n);
  life.engine.commit();
  const next = life.restart(true);
  expect(next.define("x", "type 3")).toBe(1);
  expect(next.figures("x")).toEqual(["103", 3n, 100n]);
  expect(next.define("y", "type 2 length 1")).toBe(2);
  expect(next.figures("y")).toEqual(["10", 3n, 7n]);
});

describe("a length that grows", () => {
  test.each([...strategyNames])(
    "in %s moves nothing, and an exhausted line goes on",
    (strategy) => {
      const life = start();
      life.define("x", `type 2 length 1 starting 7 auto_disk ${strategy}`);
      life.take("x", 2);
      life.engine.commit();
      expect(life.define("x", "length 3")).toBe(0);
      expect(life.figures("x")).toEqual(["009", 2n, 0n]);
      expect(life.take("x")).toBe("009");
      life.engine.commit();
      expect(life.define("x", "length 4")).toBe(0);
      expect(life.take("x", 2)).toBe("0011");
      life.engine.commit();
      expect(life.define("x", "length 3")).toContain("cannot change 'length' of 'x'");
      const next = life.restart(true);
      expect(next.engine.find("x")!.definition.values.length).toBe(4n);
      const goesOnAt = strategy === "memory" ? "0007" : "0012";
      expect(Number(next.take("x"))).toBeGreaterThanOrEqual(Number(goesOnAt));
    },
  );

  test("does not lead into the numbers of a deleted line, but where reuse yes says so", () => {
    const { define, take, engine, store } = start();
    define("x", "type 3 starting 1500");
    take("x", 100);
    new LocalCatalog(engine).remove(["x"]);
    define("x", "type 2 length 3");
    take("x", 5);
    engine.commit();
    expect(define("x", "length 4")).toBe(
      "ERR cannot change 'length' of 'x': another line of that name was deleted at 1600, and its numbers may be in " +
        "use. Define another name, or say reuse yes",
    );
    expect(engine.find("x")!.definition.values.length).toBe(3n);
    expect(define("x", "length 4 auto_disk pre_close")).toContain("cannot change 'length'");
    expect(define("x", "length 3 auto_disk pre_close")).toBe(0);
    expect(define("x", "length 4", true)).toBe(0);
    expect(take("x")).toBe("0005");
    engine.commit();
    expect(store.deletedSize).toBe(0);
  });

  test("is taken back where its commit fails", () => {
    const { define, take, engine, store, figures } = start();
    define("x", "type 2 length 1 starting 8");
    take("x", 2);
    engine.commit();
    expect(engine.find("x")!.nextBytes).toBe(0);
    store.failures.push("unavailable");
    define("x", "length 2");
    expect(take("x")).toBe("10");
    expect(engine.dependsOn("x", engine.find("x"))).toBe(engine.nextCommit);
    expect(engine.commit()).toBeDefined();
    expect(engine.find("x")!.nextBytes).toBe(0);
    expect(figures("x")).toEqual(["10", 2n, 0n]);
    expect(define("x", "length 2")).toBe(0);
    expect(take("x")).toBe("10");
    expect(engine.commit()).toBeUndefined();
  });

  test("holds with a strategy that changes, for what sleeps, and for node i of n", () => {
    const allocation = new Striped(1, 2);
    const life = start({ allocation });
    life.define("x", "type 2 length 3 starting 900");
    life.take("x", 100);
    life.engine.commit();
    const next = life.restart(true);
    expect(next.engine.find("x")!.nextBytes).toBe(0);
    expect(next.define("x", "length 4 auto_disk pre_close")).toBe(0);
    expect(next.take("x")).toBe("1000");
    expect(next.take("x", 900)).toBe("2900");
    next.engine.commit();
    next.engine.close();
  });
});
