import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Refusal } from "../../../../src/base/errors.ts";
import type { Definition } from "../../../../src/dispenser/definition.ts";
import { define, redefine } from "../../../../src/dispenser/fields.ts";
import { NO_PERIOD } from "../../../../src/dispenser/types/type.ts";

const timeOf = (wallMs: number) => ({ wallMs, period: NO_PERIOD });

type Texts = Readonly<Record<string, string>>;

const made = (fields: Texts) => define(new Map(Object.entries({ type: "3", ...fields })));
const defined = (fields: Texts) => made(fields) as Definition;
const messageOf = (found: Definition | Refusal) =>
  found instanceof Refusal ? found.message : "taken";

/** What a format shows of number 7 at a time of a zone. */
function at(format: string, time: string, zone = "UTC", yearStart?: string): string {
  const fields = { format, zone, starting: "7", ...(yearStart && { year_start: yearStart }) };
  return defined(fields).series.numberAt(0n, timeOf(Date.parse(time)));
}

describe("tokens", () => {
  const all = "{yyyy} {yy} {MM} {dd} {HH} {DDD} {q} {gggg} {ww}-{n}";
  test.each([
    [all, "2026-11-30T23:59:59.999Z", "UTC", "2026 26 11 30 23 334 4 2026 49-7"],
    [all, "2026-11-30T23:59:59.999Z", "Asia/Shanghai", "2026 26 12 01 07 335 4 2026 49-7"],
    [all, "2026-11-30T23:59:59.999Z", "-03:30", "2026 26 11 30 20 334 4 2026 49-7"],
    // 2026 has a week 53, to which days of 2027 belong.
    ["{yyyy} {gggg}W{ww} {n}", "2027-01-03T12:00Z", "UTC", "2027 2026W53 7"],
    ["{yyyy} {gggg}W{ww} {n}", "2027-01-04T00:00Z", "UTC", "2027 2027W01 7"],
    ["{yyyy} {gggg}W{ww} {n}", "2024-12-30T00:00Z", "UTC", "2024 2025W01 7"],
    ["{DDD}/{n}", "2028-12-31T12:00Z", "UTC", "366/7"],
    ["{q}/{n}", "2026-04-01T00:00Z", "UTC", "2/7"],
    ["{yy}/{n}", "2105-04-01T00:00Z", "UTC", "05/7"],
    ["X{n}{yyyy}{luhn}", "2026-04-01T00:00Z", "UTC", "X720268"],
  ])("%s at %s in %s", (format, time, zone, text) => {
    expect(at(format, time, zone)).toBe(text);
  });

  test.each([
    ["4", "2026-03-31T23:00Z", "2025 25 2026 26 7"],
    ["4", "2026-04-01T00:00Z", "2026 26 2027 27 7"],
    ["10", "2026-09-30T23:59Z", "2025 25 2026 26 7"],
    ["10", "2026-10-01T00:00Z", "2026 26 2027 27 7"],
    ["1", "2026-01-01T00:00Z", "2026 26 2027 27 7"],
  ])("fiscal years from month %s on, at %s", (yearStart, time, text) => {
    expect(at("{fyyy} {fy} {fyyy+1} {fy+1} {n}", time, "UTC", yearStart)).toBe(text);
  });
});

describe("days that are odd", () => {
  test.each([
    // The clocks went from 00:00 to 01:00: the day has no midnight.
    ["Africa/Cairo", "2023-04-27T21:59:59Z", "2023-04-27 23"],
    ["Africa/Cairo", "2023-04-27T22:00:00Z", "2023-04-28 01"],
    // The day was left out.
    ["Pacific/Apia", "2011-12-30T09:59:59Z", "2011-12-29 23"],
    ["Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-31 00"],
    // The clocks went back at 00:01: the day before came again for 59 minutes.
    ["America/St_Johns", "2010-11-07T02:30:30Z", "2010-11-07 00"],
    ["America/St_Johns", "2010-11-07T02:31:00Z", "2010-11-06 23"],
    ["America/St_Johns", "2010-11-07T03:30:00Z", "2010-11-07 00"],
    // The hour came twice.
    ["Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25 02"],
    ["Europe/Berlin", "2026-10-25T01:30:00Z", "2026-10-25 02"],
    ["Europe/Berlin", "2026-10-25T02:00:00Z", "2026-10-25 03"],
  ])("%s at %s", (zone, time, text) => {
    expect(at("{yyyy}-{MM}-{dd} {HH}/{n}", time, zone)).toBe(`${text}/7`);
  });
});

const zones = [
  ...["UTC", "Europe/Berlin", "America/St_Johns", "Africa/Cairo", "Pacific/Apia"],
  ...["Asia/Kathmandu", "Australia/Lord_Howe", "+05:45", "-11:00"],
];
const formats = ["{HH}", "{dd}", "{MM}", "{gggg}{ww}", "{DDD}{q}", "{fy}", "{yyyy}{HH}", "{yy}"];

test("dates hold until the end that is told, and one that is told comes", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...zones),
      fc.constantFrom(...formats),
      fc.integer({ min: Date.parse("1990-01-01"), max: Date.parse("2040-01-01") }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (zone, dates, wallMs, part) => {
        const { format, series } = defined({ format: `${dates}-{n}`, zone });
        const until = format!.endOf(timeOf(wallMs));
        expect(until).toBeGreaterThan(wallMs);
        expect(until - wallMs).toBeLessThan(32 * 86_400_000);
        const within = Math.floor(wallMs + part * (until - 1 - wallMs));
        const fresh = defined({ format: `${dates}-{n}`, zone, starting: "0", step: "2" }).series;
        expect(fresh.numberAt(0n, timeOf(within))).toBe(series.numberAt(0n, timeOf(wallMs)));
      },
    ),
    { numRuns: 2000 },
  );
});

test("a text with dates has one number, whatever its dates are, and letters are no date", () => {
  const { series } = defined({ format: "R{yyyy}{MM}-{n:3}{mod97}", starting: "5" });
  const text = series.numberAt(1234n, timeOf(Date.parse("2031-02-03")));
  expect(text).toMatch(/^R203102-123-9[0-9]{2}$/);
  expect(series.positionOf(text, NO_PERIOD)).toBe(1234n);
  expect(series.positionOf(text.replace("203102", "203103"), NO_PERIOD)).toBeUndefined();
  expect(series.positionOf(text.replace("203102", "2O31O2"), NO_PERIOD)).toBeUndefined();
});

test("a text has dates that can be, and a date twice is the same date", () => {
  const { series } = defined({ format: "{yyyy}-{MM}-{dd}T{HH} {DDD} {q} {ww}/{MM}/{n}" });
  const found = (text: string) => series.positionOf(text, NO_PERIOD);
  expect(found("2026-11-30T23 334 4 49/11/5")).toBe(5n);
  for (const wrong of [
    ...[
      "2026-13-30T23 334 4 49/13/5",
      "2026-00-30T23 334 4 49/00/5",
      "2026-11-32T23 334 4 49/11/5",
    ],
    ...[
      "2026-11-30T24 334 4 49/11/5",
      "2026-11-30T23 367 4 49/11/5",
      "2026-11-30T23 334 5 49/11/5",
    ],
    ...["2026-11-30T23 334 4 54/11/5", "2026-11-30T23 334 4 49/12/5"],
  ]) {
    expect([wrong, found(wrong)]).toEqual([wrong, undefined]);
  }
});

test("dates end in the future, also where midnight comes twice", () => {
  const { format } = defined({ format: "{dd}-{n}", zone: "America/St_Johns" });
  for (
    let at = Date.parse("2006-10-29T02:00Z");
    at < Date.parse("2006-10-29T05:00Z");
    at += 10_000
  ) {
    expect(format!.endOf(timeOf(at))).toBeGreaterThan(at);
  }
});

describe("zone and year_start", () => {
  const dated = { format: "{yyyy}-{n}" };
  const fiscal = { format: "{fyyy}-{n}" };
  test.each([
    [
      { ...dated, zone: "Nowhere/At_All" },
      "ERR invalid zone 'Nowhere/At_All': must be an IANA time zone",
    ],
    [{ ...dated, zone: "+25:00" }, "ERR invalid zone '+25:00'"],
    [{ ...dated, zone: "+05" }, "ERR invalid zone '+05'"],
    [{ ...dated, zone: "2020-01-01T00:00Z[UTC]" }, "ERR invalid zone"],
    [
      { format: "A{n}", zone: "UTC" },
      "ERR 'zone' applies only to a format with dates, such as {yyyy}",
    ],
    [{ zone: "UTC" }, "ERR 'zone' applies only to a format with dates"],
    [{ ...dated, year_start: "4" }, "ERR 'year_start' applies only to a format with fiscal years"],
    [
      { ...fiscal, year_start: "13" },
      "ERR invalid year_start '13': must be a whole number from 1 to 12",
    ],
    [{ ...fiscal, year_start: "12", zone: "europe/berlin" }, "taken"],
  ])("%j", (fields, message) => {
    expect(messageOf(made(fields))).toStartWith(message);
  });

  test("stay as they are, and are stored as the platform writes them", () => {
    const definition = defined({ ...fiscal, zone: "europe/berlin", year_start: "4" });
    expect(definition.line).toContain('"zone":"Europe/Berlin","year_start":"4"');
    const again = (fields: Texts) =>
      messageOf(redefine("x", definition, new Map(Object.entries(fields))));
    expect(again({ zone: "EUROPE/BERLIN" })).toBe("taken");
    expect(again({ zone: "UTC" })).toStartWith("ERR cannot change 'zone' of 'x'");
    expect(again({ year_start: "5" })).toStartWith("ERR cannot change 'year_start' of 'x'");
    // Another format keeps the calendar, and shows it: by way of one without it could change.
    const other = redefine("x", definition, new Map([["format", "{fy}{n}"]])) as Definition;
    expect(other.line).toContain('"format":"{fy}{n}","zone":"Europe/Berlin","year_start":"4"}');
    expect(again({ format: "{yy}{n}" })).toStartWith("ERR cannot change 'format' of 'x'");
    expect(again({ format: "A{n}" })).toStartWith("ERR cannot change 'format' of 'x'");
  });
});
