/**
 * One client's connection: receives and sends its bytes. Its session reads and answers the
 * requests.
 *
 * Invariants: past `replyBytesMax` of unsent replies no request is read until all of them are sent,
 * so a client that does not read costs at most that, one more reply, and one chunk of requests. A
 * client whose requests take long queues up for another turn, so that others do not wait for it.
 */

import type { Peer } from "./peer.ts";
import type { Transport } from "./reply-buffer.ts";
import { ClientSession, type SessionContext, type SessionHost } from "./session.ts";

/** The part of Bun.Socket that a connection uses. */
export interface ClientTransport extends Transport {
  end(): void;
  /** Ends only the sending side. */
  shutdown(): void;
  /** Closes at once and drops whatever is under way. */
  terminate(): void;
  pause(): void;
  resume(): void;
}

/** The interface of the frontend that a connection is part of. */
export interface Host extends SessionContext {
  /** The connection has requests left: the host calls its goOn() in a later turn. */
  onDeferred(connection: Connection): void;
  /** The connection holds `bytes` more of memory than before, or fewer if negative. */
  onBuffered(bytes: number): void;
  /** Runs work; an error that it throws stops the server at once. */
  guarded(work: () => void): void;
}

/** A client with more bytes waiting queues up for a later turn: one request of it may take long. */
const AT_ONCE_BYTES_MAX = 64 * 1024;

export class Connection implements SessionHost {
  readonly session: ClientSession;
  /** Memory held for requests and replies under way, as last reported to onBuffered(). */
  buffered = 0;
  private readonly host: Host;
  private readonly transport: ClientTransport;
  private isDeferred = false;
  private isPaused = false;
  private inputEnded = false;
  private isFinishing = false;

  constructor(host: Host, transport: ClientTransport, peer: Peer) {
    this.host = host;
    this.transport = transport;
    this.session = new ClientSession(host, this, peer);
  }

  /** Whether its client still waits for a reply, so that it must not be closed as idle. */
  get isWaiting(): boolean {
    return this.session.isBlocked || this.isDeferred || this.session.replyBuffer.isHolding;
  }

  /** Takes bytes that arrived, and answers the requests that are complete. */
  receive(chunk: Buffer): void {
    const { session } = this;
    if (session.isOver || session.closes) return;
    const { now, counters } = this.host.server;
    session.lastActiveMs = now();
    counters.bytesIn += chunk.length;
    session.decoder.push(chunk);
    if (session.isBlocked || this.isDeferred) this.account();
    else if (session.decoder.pending > AT_ONCE_BYTES_MAX) this.defer();
    else this.run();
  }

  /** To be called when the socket accepts bytes again or replies were released: sends them. */
  drain(): void {
    const { session } = this;
    this.flush();
    if (session.isBlocked || this.isDeferred) return;
    if (this.isPaused && !session.isOver && session.replies.length === 0) this.run();
  }

  /** Goes on with the requests that were left over from an earlier turn. */
  goOn(): void {
    this.isDeferred = false;
    if (!this.session.isOver && !this.isFinishing) this.run();
  }

  onBlocked(work: Promise<() => void>): void {
    const { guarded } = this.host;
    void work.then(
      (reply) => guarded(() => this.unblock(reply)),
      (error: unknown) =>
        guarded(() => {
          throw error;
        }),
    );
  }

  private unblock(reply: () => void): void {
    const isAwaited = !this.session.isOver && !this.isFinishing;
    this.session.unblock(isAwaited ? reply : undefined);
    if (isAwaited && !this.session.isBlocked) this.run();
  }

  /** To be called when the client ended its side: sends the replies under way, then closes. */
  endInput(): void {
    this.inputEnded = true;
    if (!this.isPaused) this.close();
  }

  /**
   * Called when the server stops: sends the replies that are left and ends the sending side. Input
   * is read and thrown away until the client ends its side, too, because a socket closed with
   * unread input is reset, and a reset destroys replies that the client has not read yet.
   */
  finish(): void {
    this.isFinishing = true;
    this.resume();
    this.close();
  }

  onKilled(): void {
    this.gone();
    this.transport.terminate();
  }

  /** To be called when the socket has closed: drops everything. */
  gone(): void {
    this.session.isOver = true;
    this.session.replyBuffer.clear();
    this.session.transaction = undefined;
    this.account();
  }

  /** Ends the connection once its replies are sent. */
  private close(): void {
    this.session.closes = true;
    this.flush();
  }

  private run(): void {
    const { session } = this;
    for (;;) {
      const stop = session.answer();
      this.flush();
      this.limitUnread();
      if (session.isBlocked) return this.pause();
      if (stop === "slice over") return this.defer();
      if (stop === "nothing left") break;
      if (session.replies.length > 0) return this.pause();
    }
    this.resume();
    if (this.inputEnded) this.close();
  }

  private defer(): void {
    this.isDeferred = true;
    this.pause();
    this.host.onDeferred(this);
  }

  private pause(): void {
    if (!this.isPaused) this.transport.pause();
    this.isPaused = true;
    this.account();
  }

  private resume(): void {
    if (this.isPaused) this.transport.resume();
    this.isPaused = false;
    this.account();
  }

  /** Closes a client that does not read its replies, or whose reply is larger than allowed. */
  private limitUnread(): void {
    const { log, config } = this.host.server;
    const { address: client, replyBytes: bytes } = this.session;
    const limit = config.replyBytesHardMax;
    if (bytes <= limit) return;
    log.warning("client closed: unread replies", { client, bytes, limit });
    this.onKilled();
  }

  /** Reports the change of the memory held to the host. */
  private account(): void {
    const held = this.session.isOver ? 0 : this.session.heldBytes;
    const more = held - this.buffered;
    if (more === 0) return;
    this.buffered = held;
    this.host.onBuffered(more);
  }

  /** Sends the replies that are not held, and ends the connection if it closes after them. */
  private flush(): void {
    const { session, transport } = this;
    if (session.isOver) return;
    this.host.server.counters.bytesOut += session.replyBuffer.send(transport);
    if (session.replies.length > 0 || !session.closes) return;
    if (this.isFinishing && !this.inputEnded) transport.shutdown();
    else transport.end();
  }
}
