import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Refusal } from "../../../../src/base/errors.ts";
import type { Definition } from "../../../../src/dispenser/definition.ts";
import { define, redefine } from "../../../../src/dispenser/fields.ts";
import { dateTokens } from "../../../../src/dispenser/format/dates.ts";
import { isShown, periods } from "../../../../src/dispenser/format/periods.ts";

const fields = (more: Readonly<Record<string, string>>) =>
  define(new Map(Object.entries({ type: "3", ...more })));

function defined(more: Readonly<Record<string, string>>): Definition {
  const definition = fields(more);
  if (definition instanceof Refusal) throw new Error(definition.message);
  return definition;
}

const message = (more: Readonly<Record<string, string>>) => {
  const definition = fields(more);
  return definition instanceof Refusal ? definition.message : undefined;
};

/** A format that shows each period, and no more. */
const shortest: Readonly<Record<string, string>> = {
  hour: "{yyyy}{MM}{dd}{HH}-{n}",
  day: "{yyyy}{DDD}-{n}",
  week: "{gggg}{ww}-{n}",
  month: "{yyyy}{MM}-{n}",
  quarter: "{yyyy}{q}-{n}",
  year: "{yyyy}-{n}",
  fiscal_year: "{fyyy}-{n}",
};

const formatOf = (period: string, more: Readonly<Record<string, string>> = {}) =>
  defined({ format: shortest[period]!, period, ...more }).format!;

/** The period at a time, as it is told. */
function at(period: string, time: string, more: Readonly<Record<string, string>> = {}): string {
  const format = formatOf(period, more);
  return format.periods!.text(format.periods!.at(Date.parse(time)));
}

describe("the period at a time", () => {
  test.each([
    ["hour", "2026-11-30T23:59:59.999Z", "2026-11-30T23"],
    ["day", "2026-11-30T23:59:59.999Z", "2026-11-30"],
    ["week", "2026-11-30T00:00:00Z", "2026-W49"],
    ["week", "2027-01-03T23:59:59Z", "2026-W53"],
    ["week", "2027-01-04T00:00:00Z", "2027-W01"],
    ["month", "2026-02-28T12:00:00Z", "2026-02"],
    ["quarter", "2026-09-30T23:00:00Z", "2026-Q3"],
    ["quarter", "2026-10-01T00:00:00Z", "2026-Q4"],
    ["year", "2026-12-31T23:59:59Z", "2026"],
  ])("%s, %s: %s", (period, time, told) => {
    expect(at(period, time)).toBe(told);
  });

  test("is that of the zone", () => {
    expect(at("day", "2026-11-30T16:00:00Z", { zone: "Asia/Shanghai" })).toBe("2026-12-01");
    expect(at("day", "2026-11-30T03:00:00Z", { zone: "-05:00" })).toBe("2026-11-29");
  });

  test.each([
    ["4", "2026-03-31T12:00:00Z", "2025"],
    ["4", "2026-04-01T12:00:00Z", "2026"],
    ["10", "2026-09-30T12:00:00Z", "2025"],
    ["10", "2026-10-01T12:00:00Z", "2026"],
  ])("a fiscal year from month %s on, %s: %s", (year_start, time, told) => {
    expect(at("fiscal_year", time, { year_start })).toBe(told);
  });
});

describe("odd calendars", () => {
  const end = (period: string, zone: string, time: string) => {
    const format = formatOf(period, { zone });
    const wallMs = Date.parse(time);
    return format
      .periods!.end(format.periods!.at(wallMs), wallMs)
      .toString({ timeZoneName: "never", smallestUnit: "second" });
  };

  test("Cairo has no midnight on 2023-04-28", () => {
    const zone = "Africa/Cairo";
    expect(end("day", zone, "2023-04-27T20:00Z")).toBe("2023-04-28T01:00:00+03:00");
    expect(at("day", "2023-04-27T21:59:59Z", { zone })).toBe("2023-04-27");
    expect(at("day", "2023-04-27T22:00:00Z", { zone })).toBe("2023-04-28");
  });

  test("Apia has no 2011-12-30", () => {
    const zone = "Pacific/Apia";
    expect(end("day", zone, "2011-12-30T09:00Z")).toBe("2011-12-31T00:00:00+14:00");
    expect(at("day", "2011-12-30T09:59:59Z", { zone })).toBe("2011-12-29");
    expect(at("day", "2011-12-30T10:00:00Z", { zone })).toBe("2011-12-31");
  });

  test("the date of St. John's goes back on 2010-11-07, and the end of the day lies ahead", () => {
    const zone = "America/St_Johns";
    expect(at("day", "2010-11-07T02:30:30Z", { zone })).toBe("2010-11-07");
    expect(at("day", "2010-11-07T02:31:30Z", { zone })).toBe("2010-11-06");
    expect(end("day", zone, "2010-11-07T02:29:00Z")).toBe("2010-11-07T00:00:00-02:30");
    expect(end("day", zone, "2010-11-07T02:31:30Z")).toBe("2010-11-07T00:00:00-03:30");
  });

  test("hour 02 of the day on which summer time ends is one period", () => {
    const zone = "Europe/Berlin";
    const hours = ["00:30", "01:30", "02:30"].map((time) => `2026-10-25T${time}:00Z`);
    expect(hours.map((time) => at("hour", time, { zone }))).toEqual([
      "2026-10-25T02",
      "2026-10-25T02",
      "2026-10-25T03",
    ]);
  });
});

describe("a period", () => {
  const refused = (word: string, words: string, needs: string) =>
    `ERR format must show the ${word}: two ${words} would give the same numbers. It needs ${needs}`;

  test("is refused without its mark", () => {
    const year = "{yyyy} or {yy}";
    expect(message({ period: "month" })).toBe(
      refused("month", "months", `${year}, and {MM} or {DDD}`),
    );
    expect(message({ period: "year", format: "{MM}-{n}" })).toBe(refused("year", "years", year));
    expect(message({ period: "week", format: "{yyyy}{ww}-{n}" })).toBe(
      refused("week", "weeks", `{gggg}{ww}; or ${year}, and {MM}{dd} or {DDD}`),
    );
    expect(message({ period: "fiscal-year", format: "{yyyy}-{n}" })).toBe(
      refused("fiscal year", "fiscal years", "{fyyy}, {fy}, {fyyy+1}, {fy+1}"),
    );
  });

  test("is one of those there are, in any case, and none by default", () => {
    expect(message({ period: "decade", format: "{yyyy}{n}" })).toBe(
      "ERR invalid period 'decade': must be one of none, hour, day, week, month, quarter, year, fiscal_year",
    );
    expect(defined({ period: "NONE" }).line).toBe(defined({}).line);
    expect(defined({ period: "Month", format: "{yy}{MM}{n}" }).format!.periods!.period.name).toBe(
      "month",
    );
  });

  test("is not for random numbers", () => {
    expect(message({ type: "1", length: "5", format: "{yyyy}{n}", period: "year" })).toBe(
      "ERR 'period' does not apply to type 1",
    );
  });

  test("cannot be changed", () => {
    const before = defined({ format: "{yyyy}{MM}-{n}", period: "month" });
    const change = (more: Readonly<Record<string, string>>, present = before) =>
      (redefine("x", present, new Map(Object.entries(more))) as Refusal).message;
    for (const [field, value] of [
      ["period", "year"],
      ["period", "none"],
      ["zone", "Europe/Berlin"],
    ] as const) {
      expect(change({ [field]: value })).toBe(
        `ERR cannot change '${field}' of 'x': its numbers are in use. Define another name`,
      );
    }
    expect(change({ format: "{yyyy}-{n}" })).toStartWith("ERR format must show the month");
    expect(change({ period: "month", format: "{yy}{MM}{n}" }, defined({}))).toBe(
      "ERR cannot change 'period' of 'x': its numbers are in use. Define another name",
    );
  });
});

const zones = [
  "UTC",
  "Asia/Shanghai",
  "America/St_Johns",
  "Pacific/Apia",
  "Africa/Cairo",
  "+05:45",
];
const times = fc.integer({ min: Date.UTC(1995, 0), max: Date.UTC(2094, 0) });
const periodNames = fc.constantFrom(...periods.map(({ name }) => name));

test("each period begins where the one before ends, and is told in one way", () => {
  fc.assert(
    fc.property(periodNames, fc.constantFrom(...zones), times, (name, zone, wallMs) => {
      const format = formatOf(name, { zone });
      const period = format.periods!.at(wallMs);
      const end = format.periods!.end(period, wallMs).epochMilliseconds;
      expect(end).toBeGreaterThan(wallMs);
      expect(format.periods!.at(end)).toBeGreaterThan(period);
      expect(format.periods!.from(format.periods!.text(period))).toBe(period);
    }),
    { numRuns: 500 },
  );
});

/** Formats of random tokens that show the period. */
const marked = fc
  .record({
    period: fc.constantFrom(...periods),
    tokens: fc.subarray(
      dateTokens.map(({ name }) => name),
      { minLength: 1 },
    ),
    order: fc.infiniteStream(fc.nat()),
    type: fc.constantFrom(
      { type: "2", length: "3" },
      { type: "3", step: "7" },
      { type: "4", length: "4", key: "00112233445566778899aabbccddeeff" },
    ),
    zone: fc.constantFrom(...zones),
    yearStart: fc.constantFrom("1", "4", "10"),
    at: fc.nat(20),
  })
  .filter(({ period, tokens }) => isShown(period, tokens))
  .map(({ period, tokens, order, type, zone, yearStart, at }) => {
    const keys = new Map(tokens.map((token) => [token, order.next().value!]));
    const sorted = tokens.toSorted((left, right) => keys.get(left)! - keys.get(right)!);
    const pieces = sorted.map((token) => `{${token}}`);
    pieces.splice(at % (pieces.length + 1), 0, "{n}");
    const isFiscal = tokens.some((token) => token.startsWith("f"));
    return {
      ...type,
      format: pieces.join(at % 2 === 0 ? "" : "-"),
      period: period.name,
      zone,
      ...(isFiscal && { year_start: yearStart }),
    };
  })
  .filter(({ format }) => format.length <= 64);

test("no text is that of two numbers, whatever the format shows of the period, and each has its inverse", () => {
  fc.assert(
    fc.property(marked, fc.array(times, { minLength: 1, maxLength: 6 }), (shape, moments) => {
      const { series, format } = defined(shape);
      const seen = new Map<string, string>();
      const all = moments.map((wallMs) => format!.periods!.at(wallMs));
      const latest = Math.max(...all);
      for (const [index, wallMs] of moments.entries()) {
        // As the clock may be anywhere, the period decides.
        for (const period of [all[index]!, latest]) {
          for (const position of [0n, 1n, 12n, 142n]) {
            const text = series.numberAt(position, { wallMs, period });
            const number = `${period} ${position}`;
            expect(seen.get(text) ?? number).toBe(number);
            seen.set(text, number);
            const found = format!.periodIn(text, latest);
            expect([text, found]).toEqual([text, period]);
            expect(series.positionOf(text, period)).toBe(position);
          }
        }
      }
    }),
    { numRuns: 1000 },
  );
});

describe("the period of a text", () => {
  const of = (shape: Readonly<Record<string, string>>, text: string, latest: string) => {
    const { format } = defined(shape);
    const found = format!.periodIn(text, format!.periods!.from(latest)!);
    return found === undefined ? undefined : format!.periods!.text(found);
  };

  test("with a year of two digits is the latest such year", () => {
    const shape = { format: "{yy}{MM}-{n}", period: "month" };
    expect(of(shape, "2611-5", "2026-11")).toBe("2026-11");
    expect(of(shape, "9911-5", "2026-11")).toBe("1999-11");
    expect(of(shape, "2701-5", "2026-11")).toBe("1927-01");
  });

  test("is none where a finer date does not lie in it", () => {
    const shape = { format: "{yyyy}{MM}{dd}-{n}", period: "month" };
    expect(of(shape, "20260228-5", "2026-11")).toBe("2026-02");
    expect(of(shape, "20260230-5", "2026-11")).toBeUndefined();
    const week = { format: "{gggg}{ww}{dd}-{n}", period: "week" };
    expect(of(week, "20264905-5", "2026-W49")).toBe("2026-W49");
    expect(of(week, "20264907-5", "2026-W49")).toBeUndefined();
  });
});
