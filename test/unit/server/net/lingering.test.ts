import { describe, expect, test } from "bun:test";
import { Lingering } from "../../../../src/server/net/lingering.ts";

function setUp() {
  let nowMs = 0;
  const left: string[] = [];
  const lingering = new Lingering(() => nowMs);
  const add = (name: string) => {
    const one = { name };
    lingering.add(one, () => void left.push(name));
    return one;
  };
  return {
    lingering,
    left,
    add,
    sleep: (milliseconds: number) => {
      nowMs += milliseconds;
    },
  };
}

describe("sockets that linger", () => {
  test("are closed once after five seconds, each by itself", () => {
    const { lingering, left, add, sleep } = setUp();
    add("a");
    sleep(3000);
    add("b");
    sleep(2000);
    lingering.sweep();
    expect(left).toEqual([]);
    sleep(1);
    lingering.sweep();
    lingering.sweep();
    expect([left, lingering.size]).toEqual([["a"], 1]);
    sleep(3000);
    lingering.sweep();
    expect([left, lingering.size]).toEqual([["a", "b"], 0]);
  });

  test("that have closed by themselves are forgotten", () => {
    const { lingering, left, add, sleep } = setUp();
    const one = add("a");
    lingering.delete(one);
    lingering.delete(one);
    expect(lingering.size).toBe(0);
    sleep(6000);
    lingering.sweep();
    expect(left).toEqual([]);
  });

  test("are no more than there is room for: the oldest are closed first", () => {
    const { lingering, left, add } = setUp();
    for (const name of ["a", "b", "c", "d"]) add(name);
    lingering.limit(4);
    expect(left).toEqual([]);
    lingering.limit(2);
    expect([left, lingering.size]).toEqual([["a", "b"], 2]);
    lingering.limit(0);
    expect([left, lingering.size]).toEqual([["a", "b", "c", "d"], 0]);
  });
});
