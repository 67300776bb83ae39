import { describe, expect, test } from "bun:test";
import { HOLD_MS, PeriodClock } from "../../../src/engine/period-clock.ts";

const HOUR_MS = 3_600_000;

function start() {
  const time = { boot: 5000, wall: Date.parse("2026-11-30T12:00:00Z") };
  const clock = new PeriodClock(
    () => time.boot,
    () => time.wall,
  );
  const pass = (ms: number) => {
    time.boot += ms;
    time.wall += ms;
  };
  /** How far the time of periods is behind the wall clock. */
  const behind = () => time.wall - clock.nowMs();
  return { time, clock, pass, behind };
}

describe("the clock by which periods begin", () => {
  test("follows the wall clock, also over long times and where it is set by little", () => {
    const { time, pass, behind } = start();
    pass(1000 * HOUR_MS);
    expect(behind()).toBe(0);
    for (let set = 0; set < 10; set++) {
      time.wall += HOUR_MS;
      expect(behind()).toBe(0);
    }
  });

  test("goes on as before after a jump, until that has held", () => {
    const { time, clock, pass, behind } = start();
    time.wall += HOUR_MS + 1;
    expect(behind()).toBe(HOUR_MS + 1);
    expect(clock.heldMs).toBe(HOUR_MS + 1);
    pass(HOLD_MS - 1);
    expect(behind()).toBe(HOUR_MS + 1);
    pass(1);
    expect(behind()).toBe(0);
    expect(clock.heldMs).toBe(0);
  });

  test("forgets a jump that was taken back", () => {
    const { time, clock, pass, behind } = start();
    time.wall += 365 * 24 * HOUR_MS;
    expect(behind()).toBeGreaterThan(0);
    pass(HOLD_MS / 2);
    time.wall -= 365 * 24 * HOUR_MS;
    expect([behind(), clock.heldMs]).toEqual([0, 0]);
    time.wall += 24 * HOUR_MS;
    pass(HOLD_MS / 2 + 1);
    expect(behind()).toBe(24 * HOUR_MS);
    pass(HOLD_MS);
    expect(behind()).toBe(0);
  });

  test("a second jump has to hold as long as the first", () => {
    const { time, pass, behind } = start();
    time.wall += 5 * HOUR_MS;
    behind();
    pass(HOLD_MS - 1);
    time.wall += 5 * HOUR_MS;
    expect(behind()).toBe(10 * HOUR_MS);
    pass(HOLD_MS - 1);
    expect(behind()).toBe(10 * HOUR_MS);
    pass(1);
    expect(behind()).toBe(0);
  });

  test("follows a clock that is set back at once, and its return", () => {
    const { time, pass, behind } = start();
    time.wall -= 24 * HOUR_MS;
    expect(behind()).toBe(0);
    pass(HOLD_MS - 1);
    time.wall += 24 * HOUR_MS;
    expect(behind()).toBe(0);
  });
});
