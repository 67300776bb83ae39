import { describe, expect, test } from "bun:test";
import type { Figures } from "../../../src/cli/figures.ts";
import { header, type Overview, sorted, table } from "../../../src/cli/top-screen.ts";

const figures = (name: string, rate: number, usedPercent: number): Figures => ({
  ...{ name, type: "3", strategy: "pre_close", next: "1002", remaining: 9_000_000n },
  ...{ generated: 12_345n, wasted: 0n, usedPercent, atMs: 0, rate },
});
const all = [figures("quiet", 0, 99.5), figures("busy", 1234.5, 0.1), figures("idle", 0, 0)];

const overview: Overview = {
  server: { dispensers: "1000000", connected_clients: "2", storage_status: "ok" },
  ...{ numbersPerSecond: 1234.5, busy: 1, looked: 5000, roundSeconds: undefined },
};

describe("the table of top", () => {
  test("is sorted by rate, or by the percentage used", () => {
    const names = (order: "rate" | "used", most: number) =>
      sorted(all, order, most).map(({ name }) => name);
    expect(names("rate", 3)).toEqual(["busy", "quiet", "idle"]);
    expect(names("used", 3)).toEqual(["quiet", "busy", "idle"]);
    expect(names("used", 1)).toEqual(["quiet"]);
  });

  test("has its columns under their titles", () => {
    expect(table(sorted(all, "rate", 2), 80)).toEqual([
      "RATE USED% TYPE NEXT LEFT TAKEN WASTED NAME",
      "1235  0.10    3 1002 9.0M 12.3k      0 busy",
      "   0 99.50    3 1002 9.0M 12.3k      0 quiet",
    ]);
  });

  test("shows all digits on a wide screen", () => {
    expect(table([all[1]!], 120)[1]).toContain(" 9000000 ");
    expect(table([all[1]!], 120)[1]).toContain(" 12345 ");
  });

  test.each([20, 40, 80, 119, 120, 300])("is never wider than %d columns", (width) => {
    const longest = "订".repeat(85);
    const largest = { next: "9223372036854775807", remaining: 2n ** 63n - 1n, wasted: 10n ** 18n };
    const rows = [{ ...figures(longest, 1e7, 100), ...largest }, figures("\u202ex", 1, 1)];
    for (const line of [...table(rows, width), ...header(overview, "rate", width)]) {
      expect(Bun.stringWidth(line)).toBeLessThanOrEqual(width);
      expect(line).not.toContain("\u202e");
    }
    // The numbers are whole at 80 columns, and there is room for a name.
    if (width === 80) expect(table(rows, width)[1]).toMatch(/ 9223372036854775807 9\.2E .*订{8}/);
  });
});

describe("the header of top", () => {
  test("says how much of the server it has seen", () => {
    expect(header(overview, "rate", 100)).toEqual([
      "numbers a second: 1235, busy dispensers: 1, clients: 2, storage: ok",
      "sorted by rate; looked at 5000 of 1000000 so far, others may be busier",
    ]);
    const whole = { ...overview, roundSeconds: 61.2 };
    expect(header(whole, "used", 100)[1]).toBe(
      "sorted by used percent; looked at all of 1000000 within 62 s",
    );
  });

  test("says what is the matter with the storage", () => {
    const server = { connected_clients: "1", storage_status: "unavailable" };
    const trouble = { ...overview, server: { ...server, storage_error: "the disk is full" } };
    expect(header(trouble, "rate", 100).slice(0, 2)).toEqual([
      "numbers a second: 1235, busy dispensers: 1, clients: 1, storage: unavailable",
      "storage trouble: the disk is full",
    ]);
  });
});
