/**
 * The clocks of a simulated machine, and what an observer of them knows: by which time periods may
 * begin, as the contract says it.
 */

import type { Prng } from "../../../testkit/prng.ts";
import { calendars } from "./formats.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** A wall clock that is set by more than this has jumped. */
const JUMP_MS = HOUR_MS;
/** For so long a jump ahead has to hold before periods begin by it. */
const HOLD_MS = 600_000;
/** The program looks at its clock about so often, and does not notice what is less than a second. */
const LOOK_MS = 1000;
/** The simulated present: near the end of a day, a month and a year, in one zone or another. */
const TRUE_MS = Date.UTC(2026, 11, 31, 14, 58);

/** What a wall clock is wrong by, in milliseconds. */
const ERRORS_MS = [
  ...[0, 0, 0, 0, 0, 1000, -1000, HOUR_MS / 2, -HOUR_MS / 2, HOUR_MS, HOUR_MS + 1000],
  ...[2 * HOUR_MS, -2 * HOUR_MS, DAY_MS, -DAY_MS, 35 * DAY_MS, -35 * DAY_MS, 366 * DAY_MS],
] as const;

/** What the clocks showed when a number was asked for. All are Unix times in milliseconds. */
export interface Moment {
  readonly wallMs: number;
  /** The time by which periods begin. */
  readonly presentMs: number;
  /** The latest one that there ever was. */
  readonly latestMs: number;
  /** Whether the program has seen all that happened to the clocks. */
  readonly isSeen: boolean;
}

export class SimulatedClock {
  /** Goes forwards, and stands still while the machine sleeps. */
  nowMs = 0;
  private bootMs = 0;
  /** What the wall clock is ahead of `bootMs`. */
  private aheadMs = TRUE_MS;
  /** What it was ahead when it was last trusted. */
  private trustedMs = TRUE_MS;
  /** A jump of the wall clock that is not trusted yet: how far, and when. */
  private jump: { readonly aheadMs: number; readonly atMs: number } | undefined;
  private latestMs = 0;
  private isUnseen = false;
  /** Whether periods were held back when the program looked last. */
  private wasHeld = false;

  /** The clocks as the program reads them. */
  readonly readings = {
    now: () => this.nowMs,
    bootMs: () => this.bootMs,
    wallMs: () => this.wallMs,
  };

  get wallMs(): number {
    return this.bootMs + this.aheadMs;
  }

  /** A life begins, which knows of no jump. */
  beginLife(): void {
    this.trustedMs = this.aheadMs;
    this.jump = undefined;
    this.seen();
  }

  /** The program has looked at its clocks. */
  seen(): void {
    this.isUnseen = false;
    this.wasHeld = this.isHeld;
  }

  get moment(): Moment {
    const { wallMs, isHeld } = this;
    const presentMs = isHeld ? this.bootMs + this.trustedMs : wallMs;
    this.latestMs = Math.max(this.latestMs, presentMs);
    const isSeen = !this.isUnseen && isHeld === this.wasHeld;
    return { wallMs, presentMs, latestMs: this.latestMs, isSeen };
  }

  /** Time passes. */
  pass(ms: number): void {
    this.nowMs += ms;
    this.bootMs += ms;
  }

  /**
   * Something happens to the clocks, which the program has just looked at. Answers whether it may look
   * at them later: it does so about once a second, and at once where they jump.
   */
  move(prng: Prng): boolean {
    void this.moment;
    const kind = prng.below(8);
    if (kind < 4) this.crossBoundary(prng);
    else if (kind < 5) this.pass(HOLD_MS + prng.pick([-1, 0, 1]));
    else this.set(prng);
    const mayWait = this.jump === undefined;
    void this.moment;
    return mayWait && this.jump === undefined;
  }

  /** It gets as late as the end of some period, also while the machine sleeps. */
  private crossBoundary(prng: Prng): void {
    const { hour, day, month } = calendars;
    const calendar = prng.pick([hour, hour, day, day, month]);
    const { wallMs } = this;
    const boundaryMs = calendar.firstMs(calendar.periodAt(wallMs) + 1);
    const ms = boundaryMs + prng.pick([-1, 0, 1, 2000, HOUR_MS / 2]) - wallMs;
    if (ms < LOOK_MS || (ms < DAY_MS && prng.once(2))) return this.pass(Math.max(ms, 0));
    this.bootMs += ms;
    this.isUnseen = true;
  }

  private set(prng: Prng): void {
    const aheadMs = TRUE_MS + prng.pick(ERRORS_MS);
    this.isUnseen ||= aheadMs !== this.aheadMs;
    this.aheadMs = aheadMs;
  }

  /** Whether the wall clock is ahead of the time by which periods begin. */
  private get isHeld(): boolean {
    this.compare();
    return this.jump !== undefined && this.jump.aheadMs > this.trustedMs;
  }

  private compare(): void {
    const { aheadMs, bootMs } = this;
    const isFar = (fromMs: number) => Math.abs(aheadMs - fromMs) > JUMP_MS;
    if (isFar(this.trustedMs)) {
      if (this.jump === undefined || isFar(this.jump.aheadMs))
        this.jump = { aheadMs, atMs: bootMs };
      if (bootMs - this.jump.atMs < HOLD_MS) return;
    }
    this.trustedMs = aheadMs;
    this.jump = undefined;
  }
}
