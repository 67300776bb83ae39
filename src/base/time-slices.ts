/**
 * Work that may take longer than a turn should, done step by step: all jobs of a queue together get
 * a few milliseconds of each turn, so that nobody else waits longer for them. The first job is
 * brought to its end before the next begins, so only one of them holds memory for its result.
 */

/** Jobs get so much of a turn. */
const SLICE_MS = 2;

export class TimeSlices {
  private readonly now: () => number;
  private readonly later: (work: () => void) => void;
  private readonly stepsMax: number;
  private readonly queue: (() => boolean)[] = [];

  /**
   * `later` runs work in a later turn of the event loop; `stepsMax` is how many steps a turn may have,
   * where each brings more than its own time.
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

  /** Adds a step, which is called until it answers that the job is done. */
  add(step: () => boolean): void {
    if (this.queue.push(step) === 1) this.schedule();
  }

  /** Runs a job to its end; each `yield` of it should come after well less than a millisecond. */
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
      // The first one leaves only now: a step may add another.
      if (this.queue[0]!()) this.queue.shift();
      steps++;
    } while (this.queue.length > 0 && steps < this.stepsMax && this.now() < endMs);
    if (this.queue.length > 0) this.schedule();
  }
}
