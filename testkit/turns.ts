/** Turns of an event loop that end when their owner calls end(). */

export class Turns {
  private waiting: (() => void)[] = [];

  /** Whether there is something to do at the end of this turn. */
  get isDue(): boolean {
    return this.waiting.length > 0;
  }

  readonly schedule = (work: () => void): void => {
    this.waiting.push(work);
  };

  /** Ends the turn. Work that is scheduled meanwhile belongs to the next one. */
  readonly end = (): void => {
    const { waiting } = this;
    this.waiting = [];
    for (const work of waiting) work();
  };
}

/** Timers that never fire: their owner does their work itself, or leaves it out. */
export const noTimers = (): (() => void) => () => {};
