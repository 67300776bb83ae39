import { expect, test } from "bun:test";
import { definitionIn, usedLines, withDeleted } from "../../../../src/cluster/lines/deleted.ts";
import { type NameRecord, NEW_LINE } from "../../../../src/cluster/stores/records.ts";

const nameOf = (line: number, fields: Record<string, string>, before?: NameRecord["before"]) =>
  ({ line, isDeleted: false, fields, floor: 0n, before }) as NameRecord;

const leasedTo = (next: bigint) => ({ ...NEW_LINE, next });

const type3 = (starting: number) => ({ type: "3", starting: String(starting) });

test("a deleted line is kept where it was leased, and only where that means something", () => {
  expect(withDeleted(nameOf(7, type3(5)), leasedTo(100n))).toEqual([
    { line: 7, fields: type3(5), next: 100n },
  ]);
  expect(withDeleted(nameOf(7, type3(5)), leasedTo(0n))).toEqual([]);
  expect(withDeleted(nameOf(7, { ...type3(5), auto_disk: "memory" }), leasedTo(100n))).toEqual([]);
  expect(withDeleted(nameOf(7, { type: "1", length: "4" }), leasedTo(0n))).toEqual([]);
});

test("of a line that stands there twice the furthest counts", () => {
  const before = [{ line: 3, fields: type3(5), next: 900n }];
  expect(withDeleted(nameOf(7, type3(5), before), leasedTo(100n))).toEqual([
    { line: 7, fields: type3(5), next: 900n },
  ]);
});

test("too many are taken for one that has all their numbers", () => {
  let before: NameRecord["before"] = [];
  for (let line = 1; line <= 101; line++) {
    before = withDeleted(nameOf(line, type3(line * 1000), before), leasedTo(10n));
  }
  const [covering] = usedLines(before);
  expect(before).toHaveLength(1);
  expect([covering!.definition.values.starting, covering!.usedBelow]).toEqual([1000n, 100_010n]);
});

test("a row that cannot be is told of", () => {
  expect(() => definitionIn({ type: "9" })).toThrow("the store has a line that cannot be");
});
