/**
 * How long commands off the fast path, and long rows of GETs, have taken in this turn of the event
 * loop. Once they took long, clients whose bytes arrive queue up for a later turn, so that a crowd
 * of them does not make one turn endless.
 */

/** The time that commands may take in one turn before further clients queue up. */
const TURN_MS_MAX = 4;

export class TurnLoad {
  private readonly now: () => number;
  private readonly later: (work: () => void) => void;
  private spentMs = 0;
  private beganMs = 0;
  private isTurnOpen = false;

  /** `later` runs work in a later turn of the event loop. */
  constructor(now: () => number, later: (work: () => void) => void) {
    this.now = now;
    this.later = later;
  }

  /** Whether further clients have to queue up. */
  get isOver(): boolean {
    return this.spentMs > TURN_MS_MAX;
  }

  /** A command begins. */
  begin(): void {
    this.beganMs = this.now();
    this.open();
  }

  /** The command has ended. Answers the time. */
  end(): number {
    const nowMs = this.now();
    this.spentMs += nowMs - this.beganMs;
    return nowMs;
  }

  /** Runs work of which not every part is counted already. */
  measure(work: () => void): void {
    const before = this.spentMs;
    const beganMs = this.now();
    this.open();
    try {
      work();
    } finally {
      this.spentMs = Math.max(this.spentMs, before + this.now() - beganMs);
    }
  }

  private open(): void {
    if (this.isTurnOpen) return;
    this.isTurnOpen = true;
    this.later(this.endTurn);
  }

  private readonly endTurn = () => {
    this.spentMs = 0;
    this.isTurnOpen = false;
  };
}
