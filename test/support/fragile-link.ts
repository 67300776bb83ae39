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

interface Ends {
  readonly near: Socket<Ends>;
  far: Socket<Ends> | undefined;
  /** The bytes that the client sent before the other end was connected. */
  readonly early: Buffer[];
}

export class FragileLink {
  readonly port: number;
  /** The port that new connections are forwarded to. */
  target: number;
  private cut: Cut = "none";
  private readonly pairs = new Set<Ends>();
  private readonly listener: Bun.TCPSocketListener<Ends>;

  constructor(target: number) {
    this.target = target;
    this.listener = Bun.listen<Ends>({
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

  private opened(near: Socket<Ends>): void {
    const ends: Ends = { near, far: undefined, early: [] };
    near.data = ends;
    if (this.cut === "closed") return void near.terminate();
    this.pairs.add(ends);
    Bun.connect<Ends>({
      hostname: "127.0.0.1",
      port: this.target,
      data: ends,
      socket: {
        open: (far) => {
          ends.far = far;
          for (const bytes of ends.early) far.write(bytes);
        },
        data: (_, bytes) => {
          if (this.cut === "none") near.write(bytes);
        },
        close: () => this.closed(ends),
        error: () => this.closed(ends),
      },
    }).catch(() => this.closed(ends));
  }

  private closed(ends: Ends): void {
    this.pairs.delete(ends);
    ends.near.end();
    ends.far?.end();
  }

  /** Sets the failure for present and new connections. Leaving a failure closes the present ones. */
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
