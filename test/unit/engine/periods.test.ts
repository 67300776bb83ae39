import { describe, expect, test } from "bun:test";
import { Refusal } from "../../../src/base/errors.ts";
import { Striped } from "../../../src/dispenser/allocation.ts";
import { Engine } from "../../../src/engine/engine.ts";
import { LocalCatalog } from "../../../src/engine/local-catalog.ts";
import { HOLD_MS } from "../../../src/engine/period-clock.ts";
import { MemoryStore } from "../../support/memory-store.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** A node whose clocks are turned by hand. */
class Node {
  now = 1000;
  wall: number;
  store = new MemoryStore();
  engine: Engine;
  catalog: LocalCatalog;
  private readonly allocation: Striped | undefined;
  private readonly into = Buffer.alloc(99);

  constructor(time: string, allocation?: Striped) {
    this.wall = Date.parse(time);
    this.allocation = allocation;
    this.engine = this.open();
    this.catalog = new LocalCatalog(this.engine);
  }

  private open(): Engine {
    return new Engine(this.store, {
      now: () => this.now,
      wallMs: () => {
        this.passQuietly(this.tick());
        return this.wall;
      },
      savesCounts: true,
      ...(this.allocation && { allocation: this.allocation }),
    });
  }

  /** How much time passes with each look at the clock. */
  tick = () => 0;

  private passQuietly(ms: number): void {
    this.now += ms;
    this.wall += ms;
  }

  /** The next life, after a crash or a clean close. */
  restart(isClean: boolean): void {
    if (isClean) this.engine.close();
    this.store = this.store.reopen();
    this.engine = this.open();
    this.engine.skippedByCrash();
    this.engine.commit();
    this.catalog = new LocalCatalog(this.engine);
  }

  pass(ms: number): void {
    this.passQuietly(ms);
    this.engine.dated.checkClock();
  }

  set(time: string): void {
    this.wall = Date.parse(time);
    this.engine.dated.checkClock();
  }

  define(name: string, fields: Readonly<Record<string, string>>, reuse = false): unknown {
    const set = this.catalog.define(name, new Map(Object.entries(fields)), reuse);
    this.engine.commit();
    return set instanceof Refusal ? set.message : set;
  }

  /** As a request does it, without the commit. */
  takeNow(name: string): string {
    const { engine } = this;
    engine.dated.look(this.now);
    const dispenser = engine.find(name)!;
    const bytes = engine.nextBytes(dispenser);
    if (bytes === 0) return engine.exhausted(dispenser).message;
    engine.take(dispenser, this.into, 0);
    return this.into.toString("latin1", 0, bytes);
  }

  take(name: string): string {
    const text = this.takeNow(name);
    expect(this.engine.commit()).toBeUndefined();
    return text;
  }

  takeMany(name: string, count: number): string[] {
    return Array.from({ length: count }, () => this.take(name));
  }

  find(name: string) {
    return this.engine.find(name)!;
  }

  verify(name: string, text: string): boolean | string | undefined {
    const { definition } = this.find(name);
    const latest = this.engine.periods.latest(this.find(name));
    const period = definition.format!.periodIn(text, latest);
    if (period === undefined) return undefined;
    const position = definition.series.positionOnceOf(text, period);
    if (position === undefined) return undefined;
    const found = this.catalog.verify(this.find(name), position, period);
    return found instanceof Refusal ? found.message : found;
  }

  goBack(name: string, text: string): string | undefined {
    const { format } = this.find(name).definition;
    const refusal = this.catalog.goBack(this.find(name), format!.periods!.from(text)!);
    expect(this.engine.commit()).toBeUndefined();
    return refusal?.message;
  }
}

const monthly = {
  type: "2",
  length: "4",
  starting: "1",
  format: "{yyyy}{MM}-{n}",
  period: "month",
};
const STRATEGIES = ["memory", "pre-base", "pre-checkpoint", "elegant_close", "pre_close"];

describe.each(STRATEGIES)("a line with periods, %s", (auto_disk) => {
  test("begins again in each, and positions count on", () => {
    const node = new Node("2026-11-30T23:59:59Z");
    node.define("i", { ...monthly, auto_disk });
    expect(node.takeMany("i", 3)).toEqual(["202611-0001", "202611-0002", "202611-0003"]);
    node.pass(1000);
    expect(node.takeMany("i", 2)).toEqual(["202612-0001", "202612-0002"]);
    expect(node.find("i").position).toBe(5n);
    expect(node.find("i").counts).toEqual({ generated: 5n, wasted: 0n });
    node.pass(90 * DAY_MS);
    expect(node.take("i")).toBe("202703-0001");
  });

  test("stays in its period when the clock goes back, and goes on there", () => {
    const node = new Node("2026-12-01T00:00:00Z");
    node.define("i", { ...monthly, auto_disk });
    expect(node.take("i")).toBe("202612-0001");
    node.set("2026-11-30T12:00:00Z");
    expect(node.takeMany("i", 2)).toEqual(["202612-0002", "202612-0003"]);
    node.set("2026-12-02T12:00:00Z");
    expect(node.take("i")).toBe("202612-0004");
  });
});

describe.each(STRATEGIES.filter((strategy) => strategy !== "memory"))(
  "over the lives of a server, %s",
  (auto_disk) => {
    test.each([true, false])("no number comes twice, clean: %p", (isClean) => {
      const node = new Node("2026-11-30T23:00:00Z");
      node.define("i", { ...monthly, auto_disk });
      const taken = node.takeMany("i", 40);
      node.restart(isClean);
      taken.push(...node.takeMany("i", 40));
      node.pass(HOUR_MS);
      taken.push(...node.takeMany("i", 40));
      node.restart(isClean);
      // The clock of the next life is wrong.
      node.set("2026-11-15T00:00:00Z");
      taken.push(...node.takeMany("i", 40));
      expect(new Set(taken).size).toBe(160);
      expect(taken).toEqual(taken.toSorted());
      expect(taken.filter((text) => text.startsWith("202612")).length).toBe(80);
      const { generated, wasted } = node.find("i").counts;
      expect(generated + wasted).toBe(node.find("i").position);
      if (isClean) expect(generated).toBe(160n);
      // A period's end wastes nothing.
      const bound = auto_disk === "pre-base" ? 0.5 : 0.05;
      expect(Number(wasted) / 160).toBeLessThan(bound * 2);
      if (isClean && auto_disk !== "pre-base" && auto_disk !== "pre-checkpoint") {
        expect(wasted).toBe(0n);
      }
    });
  },
);

test("no number of a period leaves before the commit that begins it", () => {
  const node = new Node("2026-11-30T23:59:59Z");
  node.define("i", { ...monthly, auto_disk: "pre_close" });
  node.takeMany("i", 100);
  node.pass(1000);
  expect(node.engine.dependsOn("i", node.find("i"))).toBe(0);
  expect(node.takeNow("i")).toBe("202612-0001");
  expect(node.engine.dependsOn("i", node.find("i"))).toBe(node.engine.nextCommit);
  node.store.failures = ["unavailable"];
  expect(node.engine.commit()).toBeDefined();
  // The commit failed, so the line is where it was.
  expect(node.find("i").run!.period).toBe(12 * 2026 + 10);
  node.set("2026-11-30T23:00:00Z");
  expect(node.take("i")).toBe("202611-0101");
  node.set("2026-12-01T00:00:00Z");
  expect(node.take("i")).toBe("202612-0001");
});

test("an exhausted period says until when, and the line goes on then", () => {
  const node = new Node("2026-11-30T12:00:00Z");
  const fields = { type: "2", length: "1", format: "{yyyy}{MM}{dd}{n}", period: "day" };
  node.define("d", { ...fields, zone: "Asia/Shanghai" });
  expect(node.takeMany("d", 10).at(-1)).toBe("202611309");
  expect(node.take("d")).toBe("ERR number range exhausted until 2026-12-01T00:00:00+08:00: 'd'");
  node.pass(4 * HOUR_MS);
  expect(node.take("d")).toBe("202612010");
});

test("of each period there is a notice at 80 and at 100 percent", () => {
  const node = new Node("2026-11-30T12:00:00Z");
  node.define("d", { type: "2", length: "1", format: "{yyyy}{DDD}{n}", period: "day" });
  const seen: [number, bigint][] = [];
  node.engine.onUsed = (_, percent, remaining) => void seen.push([percent, remaining]);
  node.takeMany("d", 10);
  node.pass(DAY_MS);
  node.takeMany("d", 9);
  expect(seen).toEqual([
    [80, 2n],
    [100, 0n],
    [80, 2n],
  ]);
});

test("dates finer than the period show the moment of hand-out, within the period", () => {
  const node = new Node("2026-11-30T23:59:59Z");
  node.define("i", { type: "3", format: "{yyyy}-{MM}-{dd}T{HH} {n}", period: "month" });
  expect(node.take("i")).toBe("2026-11-30T23 0");
  node.pass(5 * HOUR_MS);
  expect(node.take("i")).toBe("2026-12-01T04 0");
  node.set("2026-11-20T07:00:00Z");
  expect(node.take("i")).toBe("2026-12-01T00 1");
});

test("codes are others in each period, and each has its inverse", () => {
  const node = new Node("2026-11-30T12:00:00Z");
  node.define("c", { type: "4", length: "4", format: "{yy}{MM}-{n}", period: "month" });
  const taken = node.takeMany("c", 9000);
  expect(new Set(taken).size).toBe(9000);
  expect(node.take("c")).toStartWith("ERR number range exhausted until 2026-12-01T00:00:00+00:00");
  node.pass(DAY_MS);
  const next = node.takeMany("c", 200);
  const plain = (text: string) => text.slice(5);
  expect(next.map(plain)).not.toEqual(taken.slice(0, 200).map(plain));
  const same = next.filter((text, at) => plain(text) === plain(taken[at]!)).length;
  expect(same).toBeLessThan(5);
  for (const text of [...taken.slice(0, 50), ...next]) expect(node.verify("c", text)).toBe(true);
  expect(node.verify("c", `2612-${plain(taken[500]!)}`)).toBe(
    next.map(plain).includes(plain(taken[500]!)),
  );
});

describe("VERIFY", () => {
  test("knows periods that ended, over restarts", () => {
    const node = new Node("2026-10-15T12:00:00Z");
    node.define("i", { ...monthly, auto_disk: "elegant_close" });
    node.takeMany("i", 3);
    node.pass(31 * DAY_MS);
    node.takeMany("i", 5);
    node.restart(false);
    node.pass(30 * DAY_MS);
    node.takeMany("i", 1);
    const known = (text: string) => node.verify("i", text);
    expect(["202610-0003", "202611-0005", "202612-0001"].map(known)).toEqual([true, true, true]);
    expect(["202610-0004", "202611-0006", "202612-0002"].map(known)).toEqual([false, false, false]);
    expect(["202609-0001", "202701-0001"].map(known)).toEqual([false, false]);
    expect(known("202613-0001")).toBeUndefined();
  });

  test("says so, too, of one that was defined again in the same commit", () => {
    const node = new Node("2026-10-15T12:00:00Z");
    node.define("i", monthly);
    node.takeMany("i", 3);
    node.pass(31 * DAY_MS);
    node.takeMany("i", 3);
    node.catalog.remove(["i"]);
    node.define("i", monthly);
    expect(node.verify("i", "202610-0002")).toStartWith("ERR cannot tell");
    expect(node.take("i")).toBe("202611-0004");
  });

  test("finds the day of a quarter whatever its month", () => {
    const node = new Node("2026-05-31T12:00:00Z");
    node.define("q", { type: "3", format: "{yyyy}{q}{dd}-{n}", period: "quarter" });
    expect(node.take("q")).toBe("2026231-0");
    expect(node.verify("q", "2026231-0")).toBe(true);
  });

  test("says where it cannot tell: what a line did before it was deleted", () => {
    const node = new Node("2026-10-15T12:00:00Z");
    node.define("i", { ...monthly });
    node.takeMany("i", 3);
    node.pass(31 * DAY_MS);
    node.takeMany("i", 3);
    node.catalog.remove(["i"]);
    node.engine.commit();
    node.restart(false);
    expect(node.define("i", { ...monthly })).toBe(5);
    expect(node.take("i")).toBe("202611-0004");
    expect(node.verify("i", "202611-0002")).toBe(true);
    expect(node.verify("i", "202610-0002")).toBe(
      "ERR cannot tell: what 'i' handed out before 2026-11 is not known, because the line was deleted meanwhile, or in memory",
    );
  });
});

describe("PERIOD", () => {
  test("takes a line back behind its last number there, after a clock that was wrong", () => {
    const node = new Node("2026-11-15T12:00:00Z");
    node.define("i", { ...monthly, auto_disk: "pre_close" });
    node.takeMany("i", 40);
    node.set("2027-11-15T12:00:00Z");
    node.pass(HOLD_MS);
    expect(node.takeMany("i", 40)[0]).toBe("202711-0001");
    expect(node.goBack("i", "2026-11")).toBe(
      "ERR cannot take 'i' back into 2026-11: by the clock it is 2027-11, and the line would leave it at once",
    );
    node.set("2026-11-15T12:30:00Z");
    expect(node.goBack("i", "2027-12")).toBe(
      "ERR cannot take 'i' back into 2027-12: it has not come to that",
    );
    expect(node.goBack("i", "2026-11")).toBeUndefined();
    expect(node.takeMany("i", 2)).toEqual(["202611-0041", "202611-0042"]);
    node.restart(false);
    node.takeMany("i", 1);
    expect(node.verify("i", "202711-0040")).toBe(true);
    expect(node.verify("i", "202711-0041")).toBe(false);
    expect(node.verify("i", "202611-0042")).toBe(true);
    node.set("2027-11-15T12:00:00Z");
    node.pass(HOLD_MS);
    expect(node.take("i")).toBe("202711-0041");
  });

  test("leaves a line that is in it as it is", () => {
    const node = new Node("2026-11-15T12:00:00Z");
    node.define("i", monthly);
    node.take("i");
    expect(node.goBack("i", "2026-11")).toBeUndefined();
    expect(node.take("i")).toBe("202611-0002");
  });

  test("where fewer numbers are left than lie reserved, none of them is skipped", () => {
    const node = new Node("2026-11-15T12:00:00Z");
    const fields = { type: "2", length: "2", format: "{yyyy}{n}", period: "year" };
    node.define("i", { ...fields, auto_disk: "pre-base" });
    node.takeMany("i", 99);
    node.set("2027-11-15T12:00:00Z");
    node.pass(HOLD_MS);
    node.takeMany("i", 50);
    node.set("2026-12-15T12:00:00Z");
    expect(node.goBack("i", "2026")).toBeUndefined();
    expect(node.take("i")).toBe("202699");
    expect(node.take("i")).toStartWith("ERR number range exhausted until 2027-01-01");
    node.restart(true);
    expect(node.take("i")).toStartWith("ERR number range exhausted until 2027-01-01");
  });

  test("into one that it has never been in, where the clock is now", () => {
    const node = new Node("2026-11-15T12:00:00Z");
    node.define("d", { type: "3", format: "{yyyy}{MM}{dd}-{n}", period: "day" });
    expect(node.take("d")).toBe("20261115-0");
    node.set("2026-12-15T12:00:00Z");
    node.pass(HOLD_MS);
    expect(node.take("d")).toBe("20261215-0");
    node.set("2026-11-16T12:00:00Z");
    expect(node.goBack("d", "2026-11-16")).toBeUndefined();
    expect(node.takeMany("d", 2)).toEqual(["20261116-0", "20261116-1"]);
    node.pass(29 * DAY_MS);
    expect(node.take("d")).toBe("20261215-1");
  });

  test("into a period of which little is left reserves no more than that", () => {
    const node = new Node("2026-11-15T12:00:00Z");
    const shape = { type: "2", length: "2", format: "{yyyy}{n}", period: "year" };
    node.define("i", { ...shape, auto_disk: "pre-base" });
    node.takeMany("i", 3);
    node.set("2027-03-01T00:00:00Z");
    node.pass(HOLD_MS);
    node.takeMany("i", 98);
    node.set("2026-11-15T13:00:00Z");
    node.goBack("i", "2026");
    node.takeMany("i", 60);
    node.pass(60 * DAY_MS);
    expect(node.takeMany("i", 2)).toEqual(["202798", "202799"]);
    node.restart(true);
    node.set("2028-03-01T00:00:00Z");
    node.pass(HOLD_MS);
    node.takeMany("i", 5);
    node.set("2027-11-15T13:00:00Z");
    node.goBack("i", "2027");
    node.restart(false);
    expect(node.take("i")).toStartWith("ERR number range exhausted");
    const { generated, wasted } = node.find("i").counts;
    expect(generated + wasted).toBe(node.find("i").position);
  });

  test("is refused for a line in memory, which would repeat durable numbers", () => {
    const node = new Node("2026-10-15T12:00:00Z");
    node.define("i", monthly);
    node.takeMany("i", 3);
    node.pass(31 * DAY_MS);
    node.takeMany("i", 5);
    node.define("i", { auto_disk: "memory" }, true);
    node.set("2026-10-16T12:00:00Z");
    expect(node.goBack("i", "2026-10")).toBe(
      "ERR cannot take 'i' back into 2026-10: a line in memory starts over in its period at each start",
    );
  });

  test("leaves VERIFY able to read years of two digits of later periods", () => {
    const node = new Node("2026-11-15T12:00:00Z");
    node.define("i", { type: "3", format: "{yy}-{n}", period: "year" });
    node.take("i");
    node.set("2027-11-15T12:00:00Z");
    node.pass(HOLD_MS);
    node.takeMany("i", 4);
    node.set("2026-11-15T12:00:00Z");
    node.goBack("i", "2026");
    expect(node.verify("i", "27-3")).toBe(true);
  });
});

describe("a margin", () => {
  test("adds to what is known of periods that the line was in", () => {
    const node = new Node("2026-11-15T12:00:00Z");
    node.define("i", monthly);
    node.takeMany("i", 3);
    node.set("2026-12-15T12:00:00Z");
    node.pass(HOLD_MS);
    node.takeMany("i", 50);
    node.set("2026-11-16T12:00:00Z");
    node.goBack("i", "2026-11");
    node.restart(true);
    node.set("2027-02-15T12:00:00Z");
    node.pass(HOLD_MS);
    node.engine.skip(node.find("i"), 10n);
    node.engine.commit();
    const known = (text: string) => node.verify("i", text);
    expect(["202611-0013", "202612-0060", "202701-0010"].map(known)).toEqual([true, true, true]);
    expect(["202611-0014", "202612-0061", "202701-0011"].map(known)).toEqual([false, false, false]);
    node.set("2026-12-16T12:00:00Z");
    expect(node.goBack("i", "2027-01")).toBeUndefined();
    expect(node.take("i")).toBe("202701-0011");
    expect(node.goBack("i", "2026-12")).toBeUndefined();
    expect(node.take("i")).toBe("202612-0061");
    expect(["202611-0014", "202701-0011", "202701-0012"].map(known)).toEqual([false, true, false]);
  });

  test("of a line that had not begun tells that nobody knows what came before", () => {
    const node = new Node("2026-11-15T12:00:00Z");
    node.define("i", monthly);
    node.engine.skip(node.find("i"), 10n);
    node.engine.commit();
    expect(node.take("i")).toBe("202611-0011");
    expect(node.verify("i", "202610-0001")).toStartWith("ERR cannot tell");
  });

  test("is skipped in the period on disk, and in each that has begun since", () => {
    const node = new Node("2026-10-15T12:00:00Z");
    node.define("i", monthly);
    node.takeMany("i", 3);
    node.restart(true);
    node.set("2027-01-15T12:00:00Z");
    node.now += HOLD_MS;
    node.wall += HOLD_MS;
    node.engine.dated.checkClock();
    node.engine.skip(node.find("i"), 10n);
    node.engine.commit();
    expect(node.take("i")).toBe("202701-0011");
    const known = (text: string) => node.verify("i", text);
    expect(["202610-0013", "202611-0010", "202612-0010"].map(known)).toEqual([true, true, true]);
    expect(["202610-0014", "202611-0011", "202612-0011"].map(known)).toEqual([false, false, false]);
    expect(node.find("i").counts).toEqual({ generated: 4n, wasted: 20n });
    expect(node.engine.skippedByOperator(node.find("i"))).toBe(20n);
  });

  test("is skipped by deleted lines, too", () => {
    const node = new Node("2026-10-15T12:00:00Z");
    node.define("i", monthly);
    node.takeMany("i", 3);
    node.catalog.remove(["i"]);
    node.engine.commit();
    node.pass(HOLD_MS);
    node.set("2026-11-15T12:00:00Z");
    node.pass(HOLD_MS);
    node.engine.skipDeleted(10n);
    node.engine.commit();
    node.restart(true);
    node.define("i", monthly);
    expect(node.take("i")).toBe("202611-0011");
  });
});

describe("ADVANCE", () => {
  test("goes on within the present period", () => {
    const node = new Node("2026-11-15T12:00:00Z");
    node.define("i", monthly);
    const advance = (number: string) => {
      const next = node.catalog.advance(node.find("i"), number);
      node.engine.commit();
      return next instanceof Refusal ? next.message : next;
    };
    expect(advance("50")).toBe("202611-0050");
    expect(advance("202611-0060")).toBe("202611-0060");
    node.pass(30 * DAY_MS);
    expect(advance("7")).toBe("202612-0007");
    expect(advance("202611-0070")).toBe(
      "ERR ADVANCE goes on within the present period, 2026-12: '202611-0070' is of 2026-11",
    );
    expect(advance("5")).toBe("202612-0007");
    expect(advance("10000")).toStartWith(
      "ERR number range exhausted: 'i' has no number from 10000",
    );
    expect(node.verify("i", "202611-0059")).toBe(true);
  });
});

test("nodes with a stripe share each period in thousands", () => {
  const nodes = [1, 2].map((index) => new Node("2026-11-30T12:00:00Z", new Striped(index, 2)));
  const daily = { type: "3", format: "{yyyy}{DDD}-{n}", period: "day" };
  for (const node of nodes) node.define("d", daily);
  const plain = (text: string) => Number(text.split("-")[1]);
  expect(nodes.map((node) => plain(node.take("d")))).toEqual([0, 1000]);
  const first = nodes[0]!.takeMany("d", 1000);
  expect(plain(first.at(-1)!)).toBe(2000);
  for (const node of nodes) node.pass(DAY_MS);
  expect(nodes.map((node) => node.take("d"))).toEqual(["2026335-0", "2026335-1000"]);
  expect(nodes[0]!.verify("d", "2026334-2000")).toBe(true);
  expect(nodes[0]!.verify("d", "2026334-2001")).toBe(false);
  expect(nodes[0]!.verify("d", "2026334-1001")).toStartWith("ERR another node");
});

test("a jump of the clock opens no period until it has held for ten minutes", () => {
  const node = new Node("2026-11-30T12:00:00Z");
  node.define("i", monthly);
  expect(node.take("i")).toBe("202611-0001");
  node.set("2026-12-03T12:00:00Z");
  expect(node.take("i")).toBe("202611-0002");
  node.pass(HOLD_MS - 1000);
  expect(node.take("i")).toBe("202611-0003");
  node.pass(1000);
  expect(node.take("i")).toBe("202612-0001");
});

test("a period that ends between two looks at the clock ends for the line, too", () => {
  const node = new Node("2026-11-30T23:59:59.999Z");
  let looks = 0;
  node.tick = () => (looks++ === 1 ? 1 : 0);
  node.define("i", monthly);
  node.take("i");
  node.tick = () => 0;
  node.pass(1000);
  expect(node.take("i")).toStartWith("202612-");
});

test("where a jump is held, the period ends by the time as it was", () => {
  const node = new Node("2026-11-30T23:55:00Z");
  node.define("i", monthly);
  node.take("i");
  node.set("2026-12-02T23:55:00Z");
  node.take("i");
  node.now += 360_000;
  node.wall += 360_000;
  expect(node.take("i")).toBe("202612-0001");
});

test("a deleted line goes on in its period, or in the clock's", () => {
  const node = new Node("2026-11-30T12:00:00Z");
  node.define("i", monthly);
  node.takeMany("i", 3);
  node.catalog.remove(["i"]);
  node.engine.commit();
  node.restart(true);
  node.define("i", monthly);
  expect(node.take("i")).toBe("202611-0004");
  node.catalog.remove(["i"]);
  node.engine.commit();
  node.pass(DAY_MS);
  node.define("i", monthly);
  expect(node.take("i")).toBe("202612-0001");
  node.catalog.remove(["i"]);
  node.engine.commit();
  // Another line of the name would give the same texts.
  expect(node.define("i", { ...monthly, length: "5" })).toBe(
    "ERR 'i' was deleted: its numbers may be in use. Define another name, or say reuse yes",
  );
});

test("a line that becomes one in memory starts over where it stood, in its period", () => {
  const node = new Node("2026-11-30T12:00:00Z");
  node.define("i", { ...monthly, auto_disk: "elegant_close" });
  node.takeMany("i", 3);
  node.define("i", { auto_disk: "memory" }, true);
  node.takeMany("i", 3);
  node.pass(DAY_MS);
  expect(node.take("i")).toBe("202612-0001");
  node.restart(false);
  node.set("2026-11-30T13:00:00Z");
  expect(node.take("i")).toBe("202611-0004");
  node.pass(DAY_MS);
  expect(node.take("i")).toBe("202612-0001");
  node.define("i", { auto_disk: "pre_close" });
  node.restart(false);
  expect(node.take("i")).toBe("202612-0002");
});
