/**
 * Takes numbers through a client without pause, a few at a time, as a busy application does. While
 * the server is away it fails, and waits until it is told that there is a server again; connecting
 * to that is left to the client.
 */

import type { Adapter } from "./adapter.ts";

const TOGETHER = 4;

export class Taker {
  readonly name: string;
  private readonly client: Adapter;
  private readonly numbers: bigint[] = [];
  private isStopping = false;
  private serverIsBack = Promise.withResolvers<void>();
  private onTaken: () => void = () => {};
  private readonly loop: Promise<void>;

  constructor(client: Adapter, name: string) {
    this.client = client;
    this.name = name;
    this.loop = this.takeOn();
  }

  /** Waits until it has taken so many more numbers. */
  async hasTaken(count: number): Promise<void> {
    const wanted = this.numbers.length + count;
    while (this.numbers.length < wanted) {
      await new Promise<void>((resolve) => {
        this.onTaken = resolve;
      });
    }
  }

  /** There is a server again. */
  retry(): void {
    this.serverIsBack.resolve();
  }

  /** All numbers it took, in the order in which they came. */
  async stop(): Promise<bigint[]> {
    this.isStopping = true;
    await this.loop;
    return this.numbers;
  }

  private async takeOn(): Promise<void> {
    while (!this.isStopping) {
      try {
        const taken = await this.client.takeMany(this.name, TOGETHER);
        this.numbers.push(...taken.map(BigInt));
        this.onTaken();
      } catch {
        await this.serverIsBack.promise;
        // A client that rejects at once must not keep the event loop from connecting it.
        await new Promise((resolve) => void setImmediate(resolve));
      }
    }
  }
}
