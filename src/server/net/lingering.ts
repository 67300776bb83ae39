/**
 * Connections that have ended on this side: FIN is sent, and what still arrives is thrown away until
 * the client ends its side, too. A socket that is closed with unread input is reset, and the client
 * may then lose replies that it has not read yet (RFC 2525, 2.17).
 */

/** How long the server waits for a client to end its side. */
const LINGER_MS_MAX = 5000;

export interface Leaving {
  /** Closes the socket. */
  leave(): void;
}

export class Lingering {
  private readonly now: () => number;
  private readonly sinceMs = new Map<Leaving, number>();

  constructor(now: () => number) {
    this.now = now;
  }

  get size(): number {
    return this.sinceMs.size;
  }

  add(connection: Leaving): void {
    this.sinceMs.set(connection, this.now());
  }

  /** To be called when a socket has closed. Answers whether it lingered. */
  delete(connection: Leaving): boolean {
    return this.sinceMs.delete(connection);
  }

  /** Closes the sockets that have lingered longest until there are no more than `countMax`. */
  limit(countMax: number): void {
    for (const connection of this.sinceMs.keys()) {
      if (this.sinceMs.size <= countMax) return;
      this.close(connection);
    }
  }

  /** Closes the sockets whose clients take too long. */
  sweep(): void {
    const nowMs = this.now();
    for (const [connection, sinceMs] of this.sinceMs) {
      if (nowMs - sinceMs <= LINGER_MS_MAX) return;
      this.close(connection);
    }
  }

  private close(connection: Leaving): void {
    this.sinceMs.delete(connection);
    connection.leave();
  }
}
