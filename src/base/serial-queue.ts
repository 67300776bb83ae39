/** Runs asynchronous work one piece after the other, urgent pieces first. */

export class SerialQueue {
  private readonly urgent: (() => Promise<void>)[] = [];
  private readonly ordinary: (() => Promise<void>)[] = [];
  private isUnderWay = false;

  /** Runs `work` once all work before it has ended, and never before take() returns. */
  take<T>(work: () => Promise<T>, isUrgent = false): Promise<T> {
    const done = Promise.withResolvers<T>();
    const queue = isUrgent ? this.urgent : this.ordinary;
    queue.push(async () => {
      try {
        done.resolve(await work());
      } catch (error) {
        done.reject(error);
      }
    });
    if (!this.isUnderWay) queueMicrotask(() => void this.run());
    this.isUnderWay = true;
    return done.promise;
  }

  private async run(): Promise<void> {
    for (;;) {
      const next = this.urgent.shift() ?? this.ordinary.shift();
      if (next === undefined) break;
      await next();
    }
    this.isUnderWay = false;
  }
}
