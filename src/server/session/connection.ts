/**
 * One client's connection: how its bytes come and go. What they say is its session's matter.
 *
 * Invariants: replies past `replyBytesMax` stop the reading of requests until all of them are sent,
 * so a client that does not read costs at most that, one more reply, and one chunk of requests. A
 * client whose requests take long queues up for another turn, so that others do not wait for it.
 */

import type { Peer } from "./peer.ts";
import type { Transport } from "./reply-buffer.ts";
import { ClientSession, type SessionContext, type SessionHost } from "./session.ts";

/** What a connection needs of its socket (Bun.Socket has it). */
export interface ClientTransport extends Transport {
  end(): void;
  /** Ends the sending side alone. */
  shutdown(): void;
  /** Closes at once, whatever is under way. */
  terminate(): void;
  pause(): void;
  resume(): void;
}

/** What a connection asks of what it lives in. */
export interface Host extends SessionContext {
  /** The connection has more to do: goOn() in a later turn. */
  onDeferred(connection: Connection): void;
  /** The connection holds so many more bytes of memory, or fewer. */
  onBuffered(bytes: number): void;
  /** Runs what may end in something that must stop the server at once. */
  guarded(work: () => void): void;
}

/** A client with more waiting than this queues up for its turn: one request of it may take long. */
const AT_ONCE_BYTES_MAX = 64 * 1024;

export class Connection implements SessionHost {
  readonly session: ClientSession;
  /** Memory held for requests and replies under way, as onBuffered() was told. */
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

  /** Whether closing it for being silent would take something from its client. */
  get isWaiting(): boolean {
    return this.session.isBlocked || this.isDeferred || this.session.replyBuffer.isHolding;
  }

  /** Bytes arrived. */
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

  /** Sends what may be sent, when the socket takes bytes again or replies were released. */
  drain(): void {
    const { session } = this;
    this.flush();
    if (session.isBlocked || this.isDeferred) return;
    if (this.isPaused && !session.isOver && session.replies.length === 0) this.run();
  }

  /** Its turn has come. */
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

  /** The client will send no more; it gets the replies under way. */
  endInput(): void {
    this.inputEnded = true;
    if (!this.isPaused) this.close();
  }

  /**
   * The server is being stopped: sends what is left and ends the sending side. What the client
   * still sends is read and thrown away until it ends, too, because a socket closed with input
   * unread is reset, and a reset takes replies from the client that it has not read yet.
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

  /** The socket is closed. */
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

  /** Closes a client that does not read, or that asked for more than one reply may have. */
  private limitUnread(): void {
    const { log, config } = this.host.server;
    const { address: client, replyBytes: bytes } = this.session;
    const limit = config.replyBytesHardMax;
    if (bytes <= limit) return;
    log.warning("client closed: unread replies", { client, bytes, limit });
    this.onKilled();
  }

  /** Tells how much memory is held. */
  private account(): void {
    const held = this.session.isOver ? 0 : this.session.heldBytes;
    const more = held - this.buffered;
    if (more === 0) return;
    this.buffered = held;
    this.host.onBuffered(more);
  }

  /** Sends what may be sent. */
  private flush(): void {
    const { session, transport } = this;
    if (session.isOver) return;
    this.host.server.counters.bytesOut += session.replyBuffer.send(transport);
    if (session.replies.length > 0 || !session.closes) return;
    if (this.isFinishing && !this.inputEnded) transport.shutdown();
    else transport.end();
  }
}
