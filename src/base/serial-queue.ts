/**
 * Runs asynchronous work one piece after the other. Work waits in lanes, the most important one
 * first.
 *
 * Invariant: a piece that is the next of its lane waits for one piece of the later lanes at most.
 * It also keeps no later lane from going on: no lane goes twice in a row while a later one waits.
 */

import { Queue } from "./queue.ts";

type Piece = () => Promise<void>;

interface Waiting {
  readonly pieces: Queue<Piece>;
  /** Whether the last piece that was taken of this lane and the later ones was of this lane. */
  wentLast: boolean;
}

export class SerialQueue<Lane extends string> {
  private readonly lanes: readonly Lane[];
  private readonly waiting: readonly Waiting[];
  private isRunning = false;
  /** The index of the lane whose piece is under way. */
  private underWay = 0;

  /** `lanes`: the most important first. */
  constructor(lanes: readonly Lane[]) {
    this.lanes = lanes;
    this.waiting = lanes.map(() => ({ pieces: new Queue(), wentLast: false }));
  }

  /** Runs `work` in its turn, one piece after the other, and never before take() returns. */
  take<T>(lane: Lane, work: () => Promise<T>): Promise<T> {
    const done = Promise.withResolvers<T>();
    this.waiting[this.lanes.indexOf(lane)]!.pieces.add(async () => {
      try {
        done.resolve(await work());
      } catch (error) {
        done.reject(error);
      }
    });
    if (!this.isRunning) queueMicrotask(() => void this.run());
    this.isRunning = true;
    return done.promise;
  }

  /**
   * To be called by the piece under way where it may be interrupted: the next piece of each lane
   * before its own runs now.
   */
  async letPass(): Promise<void> {
    const own = this.underWay;
    for (let lane = 0; lane < own; lane++) {
      this.underWay = lane;
      await this.waiting[lane]!.pieces.take()?.();
    }
    this.underWay = own;
  }

  private async run(): Promise<void> {
    for (let next = this.next(0); next !== undefined; next = this.next(0)) await next();
    this.isRunning = false;
  }

  /** The next piece of this lane and the later ones. */
  private next(lane: number): Piece | undefined {
    const here = this.waiting[lane];
    if (here === undefined) return undefined;
    const isEmpty = here.pieces.size === 0;
    const later = isEmpty || here.wentLast ? this.next(lane + 1) : undefined;
    here.wentLast = !isEmpty && later === undefined;
    if (!here.wentLast) return later;
    this.underWay = lane;
    return here.pieces.take();
  }
}
