/**
 * Work too long for one turn, done in steps: all jobs of a queue together get a few milliseconds of
 * each turn, so that clients wait no longer than that for them. Jobs take turns, step by step, so
 * that a short one does not wait for a long one. Jobs known to be short go first.
 */

import { Queue } from "./queue.ts";

/** The time that all jobs of a queue together get in one turn; those known to be short as much. */
const SLICE_MS = 2;

export class TimeSlices {
  private readonly now: () => number;
  private readonly later: (work: () => void) => void;
  private readonly stepsMax: number;
  private isScheduled = false;
  private readonly short = new Queue<() => boolean>();
  private readonly queue = new Queue<() => boolean>();

  /**
   * `later` runs work in a later turn of the event loop. `stepsMax` limits the steps of a turn, for
   * steps that cause more work than they do themselves; not those of short jobs.
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
  add(step: () => boolean, isShort = false): void {
    (isShort ? this.short : this.queue).add(step);
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.later(this.slice);
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

  private readonly slice = () => {
    this.work(this.short, Number.POSITIVE_INFINITY);
    this.work(this.queue, this.stepsMax);
    this.isScheduled = this.short.size + this.queue.size > 0;
    if (this.isScheduled) this.later(this.slice);
  };

  private work(queue: Queue<() => boolean>, stepsMax: number): void {
    const endMs = this.now() + SLICE_MS;
    for (let steps = 0; queue.size > 0 && steps < stepsMax; steps++) {
      if (steps > 0 && this.now() >= endMs) break;
      const step = queue.take()!;
      if (!step()) this.queue.add(step);
    }
  }
}
