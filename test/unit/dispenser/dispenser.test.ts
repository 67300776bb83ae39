import { describe, expect, test } from "bun:test";
import { wholeLine } from "../../../src/dispenser/allocation.ts";
import type { Definition } from "../../../src/dispenser/definition.ts";
import { Dispenser } from "../../../src/dispenser/dispenser.ts";
import { define } from "../../../src/dispenser/fields.ts";
import type { Account } from "../../../src/dispenser/reservation.ts";
import { committed, prepare, prepareClose, rolledBack } from "../../../src/dispenser/reserving.ts";
import { type StrategyName, strategyNames } from "../../../src/dispenser/strategy.ts";

const into = Buffer.alloc(20);

function definition(strategy: StrategyName, more: Record<string, string> = {}): Definition {
  return define(new Map(Object.entries({ type: "3", auto_disk: strategy, ...more }))) as Definition;
}

function make(strategy: StrategyName, account?: Account, more: Record<string, string> = {}) {
  const recovered = account === undefined ? undefined : { account, segmentEnd: undefined };
  return new Dispenser(1, "x", definition(strategy, more), wholeLine, recovered);
}

function take(dispenser: Dispenser): string {
  const { nextBytes } = dispenser;
  dispenser.take(into, 0);
  return into.toString("latin1", 0, nextBytes);
}

function commit(dispenser: Dispenser, nowMs = 0) {
  const reservation = prepare(dispenser, nowMs);
  committed(dispenser, reservation);
  return reservation;
}

describe("what a commit writes", () => {
  test("elegant_close: the exact position", () => {
    const dispenser = make("elegant_close");
    for (let count = 0; count < 3; count++) take(dispenser);
    const { keeps, account, segment } = commit(dispenser);
    expect({ keeps, account, segment }).toEqual({
      keeps: "position",
      account: { reserved: 3n, generated: 3n, wasted: 0n },
      segment: undefined,
    });
  });

  test("pre-base: a segment that ends where the reservation does, and begins where the last ended", () => {
    const dispenser = make("pre-base");
    take(dispenser);
    expect(commit(dispenser).segment).toEqual({ first: 0n, last: 0n });
    take(dispenser);
    const { account, segment } = commit(dispenser, 1);
    expect(segment).toEqual({ first: 1n, last: 2n });
    expect(account.reserved).toBe(3n);
    take(dispenser);
    expect(dispenser.taken).toBeLessThanOrEqual(dispenser.reserved);
  });

  test("pre-checkpoint: a checkpoint, and a segment that holds it and some more", () => {
    const dispenser = make("pre-checkpoint");
    take(dispenser);
    const first = commit(dispenser);
    expect(first.keeps).toBe("checkpoint");
    expect(first.account.reserved).toBe(1n);
    expect(first.segment).toEqual({ first: 0n, last: 9n });
    take(dispenser);
    expect(commit(dispenser).segment).toBeUndefined();
  });
});

describe("the reservation", () => {
  test("is asked to grow before it is used up", () => {
    const dispenser = make("pre-base");
    let waited = 0;
    for (let count = 0; count < 1000; count++) {
      take(dispenser);
      if (dispenser.taken > dispenser.reserved) waited++;
      if (dispenser.taken >= dispenser.refillThreshold) commit(dispenser, count);
    }
    expect(waited).toBe(2);
  });

  test("covers ten requests that come together on a slow line, in one turn or two", () => {
    const dispenser = make("pre_close");
    let waited = 0;
    const turn = (requests: number, nowMs: number) => {
      for (let count = 0; count < requests; count++) {
        take(dispenser);
        if (dispenser.taken > 1000 && dispenser.taken > dispenser.reserved) waited++;
      }
      if (dispenser.taken >= dispenser.refillThreshold) commit(dispenser, nowMs);
    };
    for (let clump = 0; clump < 1000; clump++) {
      const first = (clump * 7) % 10;
      turn(first, clump * 100);
      turn(10 - first, clump * 100 + 0.2);
    }
    expect(waited).toBe(0);
  });

  test("reaches ahead only as far as numbers that have left pay for it", () => {
    const dispenser = make("pre-base");
    for (let count = 0; count < 10; count++) take(dispenser);
    expect(commit(dispenser).account.reserved).toBe(10n);
    for (let count = 0; count < 10; count++) take(dispenser);
    expect(commit(dispenser, 1).account.reserved).toBe(30n);
  });

  test("stops at the end of the line, and the last number is handed out", () => {
    for (const strategy of strategyNames) {
      const dispenser = make(strategy, undefined, { type: "2", length: "2" });
      const taken: string[] = [];
      while (dispenser.nextBytes > 0) {
        taken.push(take(dispenser));
        if (dispenser.taken >= dispenser.refillThreshold) {
          expect(commit(dispenser, taken.length).account.reserved).toBeLessThanOrEqual(100n);
        }
      }
      expect(taken.length).toBe(100);
      expect(taken.at(-1)).toBe("99");
      expect(dispenser.current).toBe("100");
    }
  });

  test("that failed gives the numbers back, to be the next again", () => {
    const dispenser = make("elegant_close");
    take(dispenser);
    commit(dispenser);
    expect([take(dispenser), take(dispenser)]).toEqual(["1", "2"]);
    prepare(dispenser, 0);
    rolledBack(dispenser);
    expect(dispenser.current).toBe("1");
    expect(take(dispenser)).toBe("1");
    expect(dispenser.counts).toEqual({ generated: 2n, wasted: 0n });
  });
});

describe("recovery", () => {
  test("goes on at the reservation and says what was skipped", () => {
    const dispenser = make("pre_close", { reserved: 30n, generated: 20n, wasted: 3n });
    expect(dispenser.skipped).toBe(7n);
    expect(dispenser.counts).toEqual({ generated: 20n, wasted: 10n });
    expect(take(dispenser)).toBe("30");
  });

  test("of the position 2^63 is exhausted", () => {
    const dispenser = make("elegant_close", {
      reserved: 2n ** 63n,
      generated: 1n,
      wasted: 2n ** 63n - 1n,
    });
    expect(dispenser.nextBytes).toBe(0);
    expect(dispenser.current).toBe("9223372036854775808");
  });

  test("a line in memory starts over where it became so, with counts from there", () => {
    const dispenser = make("memory", { reserved: 7n, generated: 5n, wasted: 2n });
    expect(dispenser.counts).toEqual({ generated: 0n, wasted: 0n });
    expect(take(dispenser)).toBe("7");
    expect(dispenser.counts).toEqual({ generated: 1n, wasted: 0n });
    dispenser.redefine(definition("elegant_close"));
    expect(dispenser.counts).toEqual({ generated: 6n, wasted: 2n });
    expect(commit(dispenser).account).toEqual({ reserved: 8n, generated: 6n, wasted: 2n });
  });
});

test("the clean close lowers only pre_close to the exact position", () => {
  const lowered = strategyNames.map((strategy) => {
    const dispenser = make(strategy);
    for (let count = 0; count < 1000; count++) {
      take(dispenser);
      if (dispenser.taken >= dispenser.refillThreshold) commit(dispenser, count);
    }
    const ahead = dispenser.reserved - dispenser.taken;
    const closed = prepareClose(dispenser).account.reserved - 1000n;
    return [strategy, ahead > 0, Number(closed) > 0];
  });
  expect(lowered).toEqual([
    ["memory", true, false],
    ["pre-base", true, true],
    ["pre-checkpoint", true, true],
    ["elegant_close", false, false],
    ["pre_close", true, false],
  ]);
});

test("advance() raises the position, never the other way, and what lies between is wasted", () => {
  const dispenser = make("pre-base");
  for (let count = 0; count < 10; count++) {
    take(dispenser);
    commit(dispenser, count);
  }
  dispenser.advance(2n ** 62n);
  expect(dispenser.counts).toEqual({ generated: 10n, wasted: 2n ** 62n - 10n });
  const { account, segment } = commit(dispenser);
  expect(account.reserved).toBe(2n ** 62n);
  expect(segment!.last).toBe(2n ** 62n - 1n);
  expect(take(dispenser)).toBe(String(2n ** 62n));
  expect(() => dispenser.advance(0n)).toThrow("only forwards");
});

test("type 1 has no position and wastes nothing", () => {
  const random = define(
    new Map([
      ["type", "1"],
      ["length", "5"],
    ]),
  ) as Definition;
  const dispenser = new Dispenser(1, "r", random);
  take(dispenser);
  expect(dispenser.current).toBe("0");
  expect(dispenser.counts).toEqual({ generated: 1n, wasted: 0n });
  expect(dispenser.hasDirtyCounts).toBe(true);
  expect(commit(dispenser).account).toEqual({ reserved: 0n, generated: 1n, wasted: 0n });
  expect(dispenser.hasDirtyCounts).toBe(false);
});
