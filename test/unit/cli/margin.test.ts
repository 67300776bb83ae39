import { expect, test } from "bun:test";
import { confirmedMargin, marginIn, requireConfirmed } from "../../../src/cli/margin.ts";
import { UsageError } from "../../../src/config/file.ts";

const flagsOf = (flags: Record<string, string>) => new Map(Object.entries(flags));
const asked = (flags: Record<string, string>) =>
  confirmedMargin(
    flagsOf(flags),
    "restore",
    "handed out since",
    (margin) => `${margin} may repeat`,
  );

test("a margin is a whole number that a line can move by", () => {
  expect(marginIn(flagsOf({}))).toBeUndefined();
  expect(marginIn(flagsOf({ margin: "0" }))).toBe(0n);
  expect(marginIn(flagsOf({ margin: "9223372036854775807" }))).toBe(2n ** 63n - 1n);
  for (const margin of ["", "-1", "1.5", "many", "9223372036854775808"]) {
    expect(() => marginIn(flagsOf({ margin }))).toThrow(
      new UsageError(`-margin: '${margin}' must be a whole number from 0 to ${2n ** 63n - 1n}`),
    );
  }
});

test("a command that repeats numbers where the margin is too small asks for both flags, and says why", () => {
  expect(asked({ margin: "7", confirm: "" })).toBe(7n);
  expect(() => asked({ confirm: "" })).toThrow(
    new UsageError(
      "restore needs -margin N: how many numbers of each line may have been handed out since; each line skips so many",
    ),
  );
  expect(() => asked({ margin: "7" })).toThrow(
    new UsageError("restore needs -confirm: 7 may repeat"),
  );
  expect(() => requireConfirmed(flagsOf({}), "repair", "so it is")).toThrow(
    new UsageError("repair needs -confirm: so it is"),
  );
});
