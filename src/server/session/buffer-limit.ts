/**
 * The limit (limits.buffer_bytes) on the memory that all connections together hold for requests and
 * replies under way. Past it, the client that holds the most is closed.
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

  /** The bytes that all connections hold. */
  get heldBytes(): number {
    return this.bytes;
  }

  /** A connection holds `bytes` more than before, or fewer if negative. */
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
      // This calls add() again with the bytes that the connection held, negated.
      largest.onKilled();
    }
  }
}
