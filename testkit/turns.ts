/** Turns of an event loop that end when their owner says so. */

export class Turns {
  private waiting: (() => void)[] = [];

  /** Whether there is something to do at the end of this turn. */
  get isDue(): boolean {
    return this.waiting.length > 0;
  }

  readonly schedule = (work: () => void): void => {
    this.waiting.push(work);
  };

  /** What is scheduled meanwhile is for the next turn. */
  readonly end = (): void => {
    const { waiting } = this;
    this.waiting = [];
    for (const work of waiting) work();
  };
}

/** Timers that never strike: what they would do their owner does, or leaves. */
export const noTimers = (): (() => void) => () => {};
