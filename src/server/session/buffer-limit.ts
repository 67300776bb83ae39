/**
 * The memory that all connections hold for requests and replies under way. Together it has a limit
 * (limits.buffer_bytes): past it, the client that holds the most is closed.
 */

import type { Log } from "../../base/log.ts";
import type { Connection } from "./connection.ts";

export class BufferLimit {
  private readonly connections: ReadonlySet<Connection>;
  private readonly log: Log;
  private readonly bytesMax: () => number;
  private bytes = 0;

  constructor(connections: ReadonlySet<Connection>, log: Log, bytesMax: () => number) {
    this.connections = connections;
    this.log = log;
    this.bytesMax = bytesMax;
  }

  /** What all of them hold. */
  get heldBytes(): number {
    return this.bytes;
  }

  /** A connection holds so many more bytes, or fewer. */
  add(bytes: number): void {
    this.bytes += bytes;
    const limit = this.bytesMax();
    while (bytes > 0 && this.bytes > limit) {
      let largest: Connection | undefined;
      for (const each of this.connections) {
        if (each.buffered > (largest?.buffered ?? 0)) largest = each;
      }
      if (largest === undefined) return;
      this.log.warning("client closed: buffers of all clients are full", {
        client: largest.session.address,
        bytes: largest.buffered,
        limit,
      });
      // Which takes what it held away again.
      largest.onKilled();
    }
  }
}
