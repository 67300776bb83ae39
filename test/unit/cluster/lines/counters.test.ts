import { describe, expect, test } from "bun:test";
import {
  counterOf,
  countersFrom,
  furthest,
  leasedOf,
  movedAhead,
  withCounter,
} from "../../../../src/cluster/lines/counters.ts";
import { NEW_LINE } from "../../../../src/cluster/stores/records.ts";
import type { Definition } from "../../../../src/dispenser/definition.ts";
import { define } from "../../../../src/dispenser/fields.ts";

const definitionOf = (fields: Readonly<Record<string, string>>) =>
  define(new Map(Object.entries({ type: "3", ...fields }))) as Definition;
const plain = definitionOf({});
const yearly = definitionOf({ format: "{yyyy}-{n}", period: "year" });

const counter = (next: bigint) => ({ next, returned: [], floor: 0n });
const of = (period: number, next = 10n) => ({ period, ...counter(next) });

describe("the counters of a line", () => {
  test("are one without periods", () => {
    const line = withCounter(NEW_LINE, plain, 0, counter(7n));
    expect(line).toEqual({ ...NEW_LINE, next: 7n });
    expect(counterOf(line, plain, 0)!.next).toBe(7n);
    expect(leasedOf(line, plain)).toBe(7n);
  });

  test("are those of the latest three periods, and earlier ones are forgotten", () => {
    let line = NEW_LINE;
    for (const year of [2026, 2024, 2027, 2025]) {
      line = withCounter(line, yearly, year, counter(BigInt(year)));
    }
    expect(line.periods!.map(({ period }) => period)).toEqual([2025, 2026, 2027]);
    expect([2024, 2025, 2028].map((year) => counterOf(line, yearly, year)?.next)).toEqual([
      undefined,
      2025n,
      0n,
    ]);
    // What is forgotten does not come back.
    expect(withCounter(line, yearly, 2024, counter(1n)).periods).toHaveLength(3);
  });

  test("say that a line is in use where its periods began at their start", () => {
    let line = withCounter(NEW_LINE, yearly, 2024, counter(100n));
    for (const year of [2025, 2026, 2027]) line = withCounter(line, yearly, year, counter(0n));
    expect(leasedOf(line, yearly)).toBeGreaterThan(0n);
    expect(leasedOf({ ...NEW_LINE, ...countersFrom(2026, 0n) }, yearly)).toBeGreaterThan(0n);
    expect(leasedOf(NEW_LINE, yearly)).toBe(0n);
  });

  test("move ahead with periods that had begun, and the one that may be leased early", () => {
    const line = withCounter(NEW_LINE, yearly, 2026, counter(5n));
    const at = (time: string) => movedAhead(line, 1000n, Date.parse(time));
    const nextIn = (time: string, year: number) => counterOf(at(time), yearly, year)!.next;
    expect(nextIn("2027-06-01", 2026)).toBe(1005n);
    expect([2027, 2028].map((year) => nextIn("2027-06-01", year))).toEqual([1000n, 0n]);
    expect(nextIn("2026-12-31T23:30:00Z", 2027)).toBe(1000n);
  });

  test("of two that may be one line are the further ones, and no forgotten period is opened", () => {
    const one = { periods: [of(1), of(2, 30n), of(3)], since: 1 };
    expect(furthest(one, { periods: [of(2, 20n), of(3, 40n)], since: 2 })).toEqual({
      periods: [of(2, 30n), of(3, 40n)],
      since: 2,
    });
    expect(furthest(one, { periods: [of(4)], since: 4 })).toEqual({ periods: [of(4)], since: 4 });
  });
});
