import { expect, test } from "bun:test";
import fc from "fast-check";
import { NameIndex } from "../../../src/engine/name-index.ts";

/** Short ones, which meet often, and any bytes. */
const name = fc.oneof(
  fc.constantFrom("a", "b", "ab", "ba", "order:1", "order:2"),
  fc
    .uint8Array({ minLength: 1, maxLength: 255 })
    .map((bytes) => Buffer.from(bytes).toString("latin1")),
);

test("finds what a map finds, whatever was added and removed", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(name, fc.boolean()), { maxLength: 2000 }), (steps) => {
      const table = new NameIndex(0);
      const rows = new Map<string, number>();
      for (const [each, isAdded] of steps) {
        const row = rows.get(each);
        expect(table.find(each)).toBe(row ?? -1);
        const bytes = Buffer.from(`(${each})`, "latin1");
        expect(table.findBytes(bytes, 1, bytes.length - 1)).toBe(row ?? -1);
        if (isAdded && row === undefined) {
          expect(table.add(each)).toBe(table.rows - 1);
          rows.set(each, table.rows - 1);
        } else if (!isAdded && row !== undefined) {
          table.remove(row);
          rows.delete(each);
          expect([table.find(each), table.has(row)]).toEqual([-1, false]);
        }
      }
      expect(table.size).toBe(rows.size);
      for (const [each, row] of rows)
        expect([table.name(row), table.has(row)]).toEqual([each, true]);
    }),
  );
});

test("finds a hundred thousand names after it has grown, and those given back", () => {
  const table = new NameIndex(10);
  for (let row = 0; row < 100_000; row++)
    expect(table.add(`a long name of number ${row}`)).toBe(row);
  for (let row = 0; row < 100_000; row += 2) table.remove(row);
  for (let row = 0; row < 100_000; row += 4) table.restore(row, `a long name of number ${row}`);
  const wrong = [];
  for (let row = 0; row < 100_000; row++) {
    const isThere = row % 2 === 1 || row % 4 === 0;
    if (table.find(`a long name of number ${row}`) !== (isThere ? row : -1)) wrong.push(row);
  }
  expect(wrong).toEqual([]);
  expect(table.size).toBe(75_000);
});

test("names of texts that no client can send are not found, and do no harm", () => {
  const table = new NameIndex(0);
  table.add("a");
  for (const none of ["", "aa", "\u0161", "a".repeat(256), "a".repeat(257)]) {
    expect(table.find(none)).toBe(-1);
  }
});

test("fetch() finds the rows of most names, and does no harm to others", () => {
  const table = new NameIndex(0);
  for (let row = 0; row < 400; row++) table.add(`name:${row}`);
  table.remove(7);
  const wanted = [...Array.from({ length: 400 }, (_, row) => `name:${row}`), "nobody", "x"];
  const bytes = Buffer.from(wanted.join(""));
  const ends = wanted.map((_, index) => wanted.slice(0, index + 1).join("").length);
  const names = {
    bytes,
    count: wanted.length,
    from: (index: number) => ends[index - 1] ?? 0,
    to: (index: number) => ends[index]!,
  };
  const rows = new Int32Array(wanted.length);
  table.prefetch(names, rows);
  const right = rows.filter((row, index) => index < 400 && row === index).length;
  expect(right).toBeGreaterThan(200);
  for (const row of rows) expect(row >= 0 && row < table.rows).toBe(true);
});

test("takes names up to its capacity, in bytes or in rows, and finds them all", () => {
  const capacities = [
    { capacity: { rows: 2 ** 20, bytes: 50_000 }, count: Math.floor(50_000 / 15) },
    { capacity: { rows: 2 ** 11, bytes: 2 ** 32 }, count: 2 ** 11 },
  ];
  for (const { capacity, count } of capacities) {
    const table = new NameIndex(0, capacity);
    const nameOf = (row: number) => `name:${String(row).padStart(5, "0")}`;
    for (let row = 0; row < count; row++) {
      expect([table.fits(10), table.fitsIn(1, 10)]).toEqual([true, true]);
      table.add(nameOf(row));
    }
    expect([table.fits(10), table.fitsIn(1, 10)]).toEqual([false, false]);
    expect(() => table.add("0123456789")).toThrow("the index of names is full");
    expect([table.rows, table.nameBytes]).toEqual([count, 10 * count]);
    for (let row = 0; row < count; row++) expect(table.find(nameOf(row))).toBe(row);
    table.remove(7);
    // The row is still there, but need not be.
    expect([table.fits(10), table.fitsIn(1, 10), table.nameBytes]).toEqual([
      false,
      true,
      10 * (count - 1),
    ]);
    table.restore(7, nameOf(7));
    expect([table.find(nameOf(7)), table.nameBytes]).toEqual([7, 10 * count]);
  }
});
