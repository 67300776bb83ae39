/**
 * Connections that have ended on this side: FIN is sent, and what still arrives is thrown away until
 * the client ends its side, too. A socket that is closed with unread input is reset, and the client
 * may then lose replies that it has not read yet (RFC 2525, 2.17).
 */

/** How long the server waits for a client to end its side. */
const LINGER_MS_MAX = 5000;

/** A connection that has ended: since when, and what closes its socket. */
interface Leaving {
  readonly sinceMs: number;
  readonly leave: () => void;
}

export class Lingering {
  private readonly now: () => number;
  /** Oldest first, each by its connection or its socket. */
  private readonly leaving = new Map<object, Leaving>();

  constructor(now: () => number) {
    this.now = now;
  }

  get size(): number {
    return this.leaving.size;
  }

  has(one: object): boolean {
    return this.leaving.has(one);
  }

  /** Adds a connection, or the socket of one that was refused; `leave` closes it. */
  add(one: object, leave: () => void): void {
    this.leaving.set(one, { sinceMs: this.now(), leave });
  }

  /** To be called when a socket has closed. Does nothing with one that does not linger. */
  delete(one: object): void {
    this.leaving.delete(one);
  }

  /** Closes the sockets that have lingered longest until there are no more than `countMax`. */
  limit(countMax: number): void {
    for (const [one, { leave }] of this.leaving) {
      if (this.size <= countMax) return;
      this.close(one, leave);
    }
  }

  /** Closes the sockets whose clients take too long. */
  sweep(): void {
    const nowMs = this.now();
    for (const [one, { sinceMs, leave }] of this.leaving) {
      if (nowMs - sinceMs <= LINGER_MS_MAX) return;
      this.close(one, leave);
    }
  }

  private close(one: object, leave: () => void): void {
    this.leaving.delete(one);
    leave();
  }
}
