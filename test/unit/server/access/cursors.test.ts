import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { CursorCipher } from "../../../../src/server/access/cursors.ts";

describe("a cursor", () => {
  test("leads back to its id, and fits into 64 bits", () => {
    const cipher = new CursorCipher();
    fc.assert(
      fc.property(fc.maxSafeNat(), (id) => {
        const cursor = cipher.hide(id);
        expect(cipher.reveal(cursor)).toBe(id);
        expect(BigInt.asUintN(64, cursor)).toBe(cursor);
      }),
    );
  });

  test("tells nothing of the id: neighbours are far apart, and each server has cursors of its own", () => {
    const [one, other] = [new CursorCipher(), new CursorCipher()];
    const cursors = Array.from({ length: 1000 }, (_, index) => one.hide(index + 1));
    expect(new Set(cursors).size).toBe(1000);
    const rising = cursors.filter((cursor, index) => index > 0 && cursor > cursors[index - 1]!);
    expect(Math.abs(rising.length - 500)).toBeLessThan(100);
    expect(cursors.filter((cursor) => cursor < 2n ** 48n).length).toBeLessThan(10);
    expect(other.hide(1)).not.toBe(one.hide(1));
    expect(other.reveal(one.hide(1))).toBeGreaterThan(1_000_000);
  });

  test("of 0 is 0: a scan begins and ends with it", () => {
    const cipher = new CursorCipher();
    expect([cipher.hide(0), cipher.reveal(0n)]).toEqual([0n, 0]);
  });
});
