import { expect, test } from "bun:test";
import { TimeSlices } from "../../../src/base/time-slices.ts";

/** A clock, turns that the test begins, and a log of the steps; each step takes some time. */
function setUp(stepsMax?: number) {
  let nowMs = 0;
  const later: (() => void)[] = [];
  const slices = new TimeSlices(
    () => nowMs,
    (work) => void later.push(work),
    stepsMax,
  );
  const done: string[] = [];
  /** A job of so many steps. */
  const add = (name: string, steps: number, stepMs: number, isShort = false) => {
    let left = steps;
    slices.add(() => {
      nowMs += stepMs;
      done.push(name);
      return --left === 0;
    }, isShort);
  };
  const turn = () => {
    for (const work of later.splice(0)) work();
    return done.splice(0).join("");
  };
  return { add, turn, later };
}

test("jobs take turns, for two milliseconds of each turn of the event loop", () => {
  const { add, turn, later } = setUp();
  add("a", 3, 1);
  add("b", 2, 1);
  expect([turn(), turn(), turn()]).toEqual(["ab", "ab", "a"]);
  expect(later).toEqual([]);
});

test("a step that takes long is the only one of its turn", () => {
  const { add, turn } = setUp();
  add("a", 1, 30);
  add("b", 1, 30);
  expect([turn(), turn()]).toEqual(["a", "b"]);
});

test("short jobs go first, however many long ones came before, and keep none of them from its turn", () => {
  const { add, turn } = setUp();
  for (const name of "abc") add(name, 1, 30);
  expect(turn()).toBe("a");
  for (const name of "12345") add(name, 1, 1, true);
  expect(turn()).toBe("12b");
  expect(turn()).toBe("34c");
  expect(turn()).toBe("5");
});

test("a short job that is not done after its step goes on among the long ones", () => {
  const { add, turn } = setUp();
  add("s", 2, 0, true);
  add("l", 1, 0);
  expect(turn()).toBe("sls");
});

test("so many steps a turn, of long jobs alone", () => {
  const { add, turn } = setUp(1);
  for (const name of "ab") add(name, 1, 0);
  for (const name of "12") add(name, 1, 0, true);
  expect([turn(), turn()]).toEqual(["12a", "b"]);
});
