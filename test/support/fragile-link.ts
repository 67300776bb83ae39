/** A TCP proxy between a node and a store that can fail in the ways of a network. */

import type { Socket } from "bun";

export type Cut =
  /** Everything goes through. */
  | "none"
  /** All connections are closed, also new ones. */
  | "closed"
  /** Nothing arrives on either side any more, and connections stay open. */
  | "silent"
  /** Requests arrive, but answers do not. */
  | "answers lost";

interface Pair {
  readonly near: Socket<Pair>;
  far: Socket<Pair> | undefined;
  /** The bytes that the client sent before the other end was connected. */
  readonly early: Buffer[];
}

export class FragileLink {
  readonly port: number;
  /** The port that new connections are forwarded to. */
  target: number;
  private cut: Cut = "none";
  private readonly pairs = new Set<Pair>();
  private readonly listener: Bun.TCPSocketListener<Pair>;

  constructor(target: number) {
    this.target = target;
    this.listener = Bun.listen<Pair>({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open: (near) => this.opened(near),
        data: ({ data }, bytes) => {
          if (this.cut === "silent") return;
          if (data.far === undefined) data.early.push(Buffer.from(bytes));
          else data.far.write(bytes);
        },
        close: ({ data }) => this.closed(data),
        error: ({ data }) => this.closed(data),
      },
    });
    this.port = this.listener.port;
  }

  private opened(near: Socket<Pair>): void {
    const pair: Pair = { near, far: undefined, early: [] };
    near.data = pair;
    if (this.cut === "closed") return void near.terminate();
    this.pairs.add(pair);
    Bun.connect<Pair>({
      hostname: "127.0.0.1",
      port: this.target,
      data: pair,
      socket: {
        open: (far) => {
          pair.far = far;
          for (const bytes of pair.early) far.write(bytes);
        },
        data: (_, bytes) => {
          if (this.cut === "none") near.write(bytes);
        },
        close: () => this.closed(pair),
        error: () => this.closed(pair),
      },
    }).catch(() => this.closed(pair));
  }

  private closed(pair: Pair): void {
    this.pairs.delete(pair);
    pair.near.end();
    pair.far?.end();
  }

  /**
   * Sets the failure for present and new connections. Leaving a failure closes the present ones.
   */
  set(cut: Cut): void {
    const closes = cut === "closed" || (this.cut !== "none" && cut !== this.cut);
    this.cut = cut;
    if (!closes) return;
    for (const { near, far } of this.pairs) {
      near.terminate();
      far?.terminate();
    }
    this.pairs.clear();
  }

  stop(): void {
    this.set("closed");
    this.listener.stop(true);
  }
}
