import { expect, test } from "bun:test";
import { TurnLoad } from "../../../../src/server/session/turn-load.ts";
import { Turns } from "../../../../testkit/turns.ts";

function setUp() {
  let nowMs = 0;
  const turns = new Turns();
  const load = new TurnLoad(() => nowMs, turns.schedule);
  const command = (milliseconds: number) => {
    load.begin();
    nowMs += milliseconds;
    return load.end();
  };
  return {
    turns,
    load,
    command,
    sleep: (milliseconds: number) => {
      nowMs += milliseconds;
    },
  };
}

test("a turn is over once its commands took more than four milliseconds, not before", () => {
  const { turns, load, command, sleep } = setUp();
  expect(command(3)).toBe(3);
  // What passes between commands is not theirs.
  sleep(100);
  expect(command(1)).toBe(104);
  expect(load.isOver).toBe(false);
  command(0.5);
  expect(load.isOver).toBe(true);
  turns.end();
  expect(load.isOver).toBe(false);
});

test("each turn that has commands ends once, and the next one begins at nothing", () => {
  const { turns, load, command } = setUp();
  for (let turn = 0; turn < 3; turn++) {
    expect(turns.isDue).toBe(false);
    for (let count = 0; count < 4; count++) command(1);
    expect([load.isOver, turns.isDue]).toEqual([false, true]);
    turns.end();
  }
});

test("work that is measured as a whole counts once, whatever commands are part of it", () => {
  const { turns, load, command, sleep } = setUp();
  load.measure(() => {
    sleep(1);
    command(2);
    sleep(0.5);
  });
  expect(load.isOver).toBe(false);
  load.measure(() => sleep(1));
  expect([load.isOver, turns.isDue]).toEqual([true, true]);
  turns.end();
  expect(load.isOver).toBe(false);
});
