/**
 * Lines whose texts show dates, from when one of them is opened until its dates change: then all are
 * closed, and each is opened anew when it is asked for the next time. So a GET of other lines pays
 * nothing for dates, and no GET asks the calendar while its dates hold.
 *
 * Invariant: an open line shows the dates of the clock, as of the last look().
 */

import type { Dispenser } from "../dispenser/dispenser.ts";
import { PeriodClock } from "./period-clock.ts";

/** The wall clock was set if it goes ahead of the other one, or falls behind it, by more. */
const SET_MS_MIN = 500;

export class DatedLines {
  /** When the dates of an open line change, by the clock that only goes forwards. */
  deadlineMs = Number.POSITIVE_INFINITY;
  private readonly open = new Set<Dispenser>();
  private readonly now: () => number;
  private readonly wallMs: () => number;
  /** By which periods begin. */
  readonly periodClock: PeriodClock;
  /** What the wall clock was ahead of the other one when it was last looked at. */
  private aheadMs: number;
  private heldMs = 0;

  /**
   * `now` and `bootMs` are clocks that only go forwards, `bootMs` also while the machine sleeps;
   * `wallMs` is the Unix time. All are in milliseconds.
   */
  constructor(now: () => number, wallMs: () => number, bootMs: () => number) {
    this.now = now;
    this.wallMs = wallMs;
    this.periodClock = new PeriodClock(bootMs, wallMs);
    this.aheadMs = wallMs() - now();
  }

  /** How many lines are open. */
  get size(): number {
    return this.open.size;
  }

  /** The open lines; they may come and go while the caller goes through them. */
  get lines(): Iterable<Dispenser> {
    return this.open;
  }

  /**
   * Opens a line with the dates of now. Answers how many bytes its next number takes; 0 if it has
   * none.
   */
  openNow(dispenser: Dispenser): number {
    const wallMs = this.wallMs();
    const bytes = dispenser.openSource(wallMs);
    if (bytes === 0) return 0;
    const { definition, allocation } = dispenser;
    const { period } = allocation;
    const format = definition.format!;
    let holdsMs = format.endOf({ wallMs, period }) - wallMs;
    if (format.periods !== undefined) {
      // By the clock of periods, which may be another; and the period may have ended this moment.
      const nowMs = this.periodClock.nowMs();
      holdsMs = Math.min(holdsMs, format.periods.endMs(period, nowMs) - nowMs);
    }
    this.deadlineMs = Math.min(this.deadlineMs, this.now() + holdsMs);
    this.open.add(dispenser);
    return bytes;
  }

  /** To be called with a line that is removed; it may come back if the commit fails. */
  remove(dispenser: Dispenser): void {
    if (this.open.delete(dispenser)) dispenser.closeSource();
  }

  /**
   * To be called when requests are about to be run, with the time: closes lines whose dates have
   * changed.
   */
  look(nowMs: number): void {
    if (nowMs >= this.deadlineMs) this.closeAll();
  }

  /**
   * To be called about once a second: notices that the wall clock was set. Answers by how much it has
   * jumped ahead of the time by which periods begin, in milliseconds, where that has changed.
   */
  checkClock(): number | undefined {
    const aheadMs = this.wallMs() - this.now();
    this.periodClock.nowMs();
    const { heldMs } = this.periodClock;
    const hasChanged = heldMs !== this.heldMs;
    this.heldMs = heldMs;
    const isSet = Math.abs(aheadMs - this.aheadMs) >= SET_MS_MIN;
    if (isSet) this.aheadMs = aheadMs;
    if (isSet || hasChanged) this.closeAll();
    return hasChanged ? heldMs : undefined;
  }

  private closeAll(): void {
    for (const dispenser of this.open) dispenser.closeSource();
    this.open.clear();
    this.deadlineMs = Number.POSITIVE_INFINITY;
  }
}
