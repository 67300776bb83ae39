/**
 * Work that may take longer than a turn should, done bit by bit: all jobs together get a few
 * milliseconds a turn, one after the other, so that what others wait for does not wait for them.
 */

/** Jobs get so much of a turn. */
const SLICE_MS = 2;

export class Jobs {
  private readonly now: () => number;
  private readonly queue: { step: Iterator<undefined>; done: () => void }[] = [];

  constructor(now: () => number) {
    this.now = now;
  }

  /** Runs a job to its end; each `yield` of it should come after well less than a millisecond. */
  run(job: Iterator<undefined>): Promise<void> {
    return new Promise((done) => {
      this.queue.push({ step: job, done });
      if (this.queue.length === 1) this.schedule();
    });
  }

  private schedule(): void {
    setImmediate(() => this.slice());
  }

  private slice(): void {
    const endMs = this.now() + SLICE_MS;
    const job = this.queue.shift()!;
    let isDone = false;
    while (!isDone && this.now() < endMs) isDone = job.step.next().done === true;
    if (isDone) job.done();
    else this.queue.push(job);
    if (this.queue.length > 0) this.schedule();
  }
}
