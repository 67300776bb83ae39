/**
 * The clock by which periods begin. A wall clock that jumps far ahead may be wrong, and a line that
 * has begun a period stays in it: so the time goes on as before until the jump has held for a while.
 */

/** What a clock is set to or back by more than this is a jump. */
const JUMP_MS = 3_600_000;
/** For so long a jump has to hold before it is trusted. */
export const HOLD_MS = 600_000;

export class PeriodClock {
  private readonly bootMs: () => number;
  private readonly wallMs: () => number;
  /** What the wall clock was ahead of the other one when it was last trusted. */
  private trustedMs: number;
  /** What it is ahead since it jumped, and when that was; undefined while it is trusted. */
  private jump: { readonly aheadMs: number; readonly atMs: number } | undefined;

  /**
   * `bootMs` only goes forwards, also while the machine sleeps; `wallMs` is the Unix time. Both are
   * in milliseconds.
   */
  constructor(bootMs: () => number, wallMs: () => number) {
    this.bootMs = bootMs;
    this.wallMs = wallMs;
    this.trustedMs = wallMs() - bootMs();
  }

  /** The Unix time in milliseconds by which periods begin. */
  nowMs(): number {
    const wallMs = this.wallMs();
    const bootMs = this.bootMs();
    this.compare(wallMs - bootMs, bootMs);
    return this.isAhead ? bootMs + this.trustedMs : wallMs;
  }

  /** By how much the wall clock is ahead of that, in milliseconds; 0 while it is trusted. */
  get heldMs(): number {
    return this.isAhead ? this.jump!.aheadMs - this.trustedMs : 0;
  }

  private get isAhead(): boolean {
    return this.jump !== undefined && this.jump.aheadMs > this.trustedMs;
  }

  private compare(aheadMs: number, bootMs: number): void {
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
