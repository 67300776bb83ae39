/**
 * Work too long for one turn, done in steps: all jobs of a queue together get a few milliseconds of
 * each turn, so that clients wait no longer than that for them. A job ends before the next begins,
 * so only one of them holds memory for its result.
 */

/** The time that all jobs of a queue together get in one turn. */
const SLICE_MS = 2;

export class TimeSlices {
  private readonly now: () => number;
  private readonly later: (work: () => void) => void;
  private readonly stepsMax: number;
  private readonly queue: (() => boolean)[] = [];

  /**
   * `later` runs work in a later turn of the event loop. `stepsMax` limits the steps of a turn, for
   * steps that cause more work than they do themselves.
   */
  constructor(
    now: () => number,
    later: (work: () => void) => void,
    stepsMax = Number.POSITIVE_INFINITY,
  ) {
    this.now = now;
    this.later = later;
    this.stepsMax = stepsMax;
  }

  /** Adds a job: `step` is called until it returns true, which means that the job is done. */
  add(step: () => boolean): void {
    if (this.queue.push(step) === 1) this.schedule();
  }

  /** Runs a job to its end. It should yield well within every millisecond. */
  run(job: Iterator<undefined>): Promise<void> {
    return new Promise((done) => {
      this.add(() => {
        if (job.next().done !== true) return false;
        done();
        return true;
      });
    });
  }

  private schedule(): void {
    this.later(() => this.slice());
  }

  private slice(): void {
    const endMs = this.now() + SLICE_MS;
    let steps = 0;
    do {
      // Removed after its last step, not before: a step may add a job, and add() must not schedule
      // twice.
      if (this.queue[0]!()) this.queue.shift();
      steps++;
    } while (this.queue.length > 0 && steps < this.stepsMax && this.now() < endMs);
    if (this.queue.length > 0) this.schedule();
  }
}
