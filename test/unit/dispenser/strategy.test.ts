import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { reserveAhead, strategies } from "../../../src/dispenser/strategy.ts";

const bounds = {
  "pre-base": 0.5,
  "pre-checkpoint": 0.05,
  pre_close: 0.05,
  elegant_close: 0,
} as const;

describe.each(Object.entries(bounds))("%s", (name, bound) => {
  const strategy = strategies[name as keyof typeof bounds];

  test("never lets more lie ahead than its bound allows", () => {
    const counts = fc.integer({ min: 0, max: 10 ** 9 });
    const spans = fc.double({ min: 0, max: 10 ** 7, noNaN: true });
    fc.assert(
      fc.property(counts, counts, spans, spans, (handedOut, used, spanMs, commitMs) => {
        const ahead = reserveAhead(strategy, handedOut, used, spanMs, commitMs);
        expect(ahead).toBeGreaterThanOrEqual(0);
        expect(ahead).toBeLessThanOrEqual(bound * (handedOut + ahead));
      }),
    );
  });
});

test("one number lies ahead as soon as the bound allows, however slow the line is", () => {
  expect(reserveAhead(strategies["pre-base"], 1, 1, Number.POSITIVE_INFINITY)).toBe(1);
  expect(reserveAhead(strategies.pre_close, 18, 1, 60_000)).toBe(0);
  expect(reserveAhead(strategies.pre_close, 19, 1, 60_000)).toBe(1);
});

test("a few lie ahead of a line that has handed out hundreds, for requests that come together", () => {
  expect(reserveAhead(strategies["pre-base"], 63, 1, 60_000)).toBe(1);
  expect(reserveAhead(strategies["pre-base"], 64, 1, 60_000)).toBe(2);
  expect(reserveAhead(strategies.pre_close, 10 ** 9, 1, 60_000)).toBe(32);
});

test("as many lie ahead as were used since the last reservation", () => {
  expect(reserveAhead(strategies.pre_close, 10 ** 9, 100, 60_000)).toBe(100);
  expect(reserveAhead(strategies.pre_close, 38, 10, 60_000)).toBe(2);
});

test("the reservation reaches 50 ms of the recent rate", () => {
  expect(reserveAhead(strategies.pre_close, 10 ** 9, 25, 25)).toBe(50);
  expect(reserveAhead(strategies.pre_close, 10 ** 9, 100_000, 10)).toBe(500_000);
});

test("requests that came together within a moment are not taken for a rate", () => {
  expect(reserveAhead(strategies.pre_close, 10 ** 9, 10, 0.2)).toBe(50);
});

test("where commits are slow it reaches so far that they take a tenth of the time, and no further than a second", () => {
  const perMs = (commitMs: number) =>
    reserveAhead(strategies.pre_close, 10 ** 9, 100, 100, commitMs);
  expect([0.2, 2.5, 5, 20, 50, 3000].map(perMs)).toEqual([100, 100, 100, 400, 1000, 1000]);
});
