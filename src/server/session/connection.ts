/**
 * One client's connection: receives and sends its bytes. Its session reads and answers the
 * requests.
 *
 * Invariants: a client that does not read its replies is not read from any more once they
 * take as much memory as it may have. A client whose requests take long queues up for another turn, so
 * that others do not wait for it; a GET of others on the fast path never queues up behind it. The
 * connection ends with all that was answered, and then FIN.
 */

import type { LogFields } from "../../base/log.ts";
import type { Unauthenticated } from "../net/unauthenticated.ts";
import type { ClientMemory, MemoryHolder } from "./client-memory.ts";
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
  /**
   * The connection has requests left: the host calls its goOn() in a later turn. It goes first if
   * they are `short`.
   */
  onDeferred(connection: Connection, short: boolean): void;
  /** Clients hold more than they may: the host closes those with the most. */
  onOverBudget(connection: Connection): void;
  /** The client logged in, or is unauthenticated again. */
  onUserChanged(connection: Connection): void;
  /** The client sent its first bytes. */
  onSpoken(connection: Connection): void;
  /** The sending side has ended: the host waits a while for the client to end its own. */
  onSent(connection: Connection): void;
  /** Runs work; an error that it throws stops the server at once. */
  guarded(work: () => void): void;
}

/** A client with more bytes waiting queues up for a later turn: one request of it may take long. */
const AT_ONCE_BYTES_MAX = 64 * 1024;
/**
 * The requests of a client that waits with so few bytes are short; with fewer before its log-in, as
 * there may be a crowd of such clients.
 */
const SHORT_BYTES_MAX = 16 * 1024;
const SHORT_LOG_IN_BYTES_MAX = 512;
/** With more bytes waiting, GETs count as the work of a turn, too. */
const FEW_GETS_BYTES_MAX = 4 * 1024;
/** So many times as long as a client took more than its slice, its requests are not short. */
const LONG_FOR = 50;

export class Connection implements SessionHost, MemoryHolder, Unauthenticated {
  readonly session: ClientSession;
  /** Whether the client sent anything. */
  hasSpoken = false;
  private readonly frontend: Host;
  private readonly transport: ClientTransport;
  private isDeferred = false;
  private isPaused = false;
  private inputEnded = false;
  /** Until when its requests are taken for long ones. */
  private isLongUntilMs = 0;
  /** When the request under way began to arrive; 0 if none is under way. */
  private requestSinceMs = 0;

  constructor(host: Host, transport: ClientTransport, peer: Peer) {
    this.frontend = host;
    this.transport = transport;
    this.session = new ClientSession(host, this, peer);
  }

  get memory(): ClientMemory {
    return this.session.memory;
  }

  get heldBytes(): number {
    return this.session.heldBytes;
  }

  /** Whether its client still waits for a reply, so that it must not be closed as idle. */
  get isWaiting(): boolean {
    return this.session.isBlocked || this.isDeferred || this.session.replyBuffer.isHolding;
  }

  /**
   * Since when the client has owed the rest of a request, or has not read replies that keep the
   * server from reading on; the present if it owes nothing.
   */
  owesSinceMs(nowMs: number): number {
    const { session } = this;
    if (this.isWaiting) return nowMs;
    if (this.isPaused || session.closes) return session.lastActiveMs;
    return session.decoder.pending > 0 ? this.requestSinceMs : nowMs;
  }

  /** Takes bytes that arrived, and answers the requests that are complete. */
  receive(chunk: Buffer): void {
    const { session, frontend } = this;
    if (!session.isServed) return;
    const { now, counters } = frontend.server;
    const nowMs = now();
    session.lastActiveMs = nowMs;
    counters.bytesIn += chunk.length;
    if (!this.hasSpoken) {
      this.hasSpoken = true;
      frontend.onSpoken(this);
    }
    if (session.decoder.pending === 0) this.requestSinceMs = nowMs;
    session.withinLimits(() => {
      session.decoder.push(chunk);
      if (!session.isBlocked && !this.isDeferred) this.runOrQueue(nowMs);
    });
    this.settle();
  }

  /** Answers its requests now, or queues up if they may take long, or if others' took long. */
  private runOrQueue(nowMs: number): void {
    const { session } = this;
    const { load } = this.frontend;
    const { pending } = session.decoder;
    if (session.isUnauthenticated || pending > AT_ONCE_BYTES_MAX) return this.defer();
    if (pending <= FEW_GETS_BYTES_MAX) return this.run(nowMs, load.isOver);
    if (load.isOver) return this.defer();
    load.measure(() => this.run(nowMs));
  }

  /** To be called when the socket accepts bytes again or replies were released: sends them. */
  drain(): void {
    const { session } = this;
    this.flush(this.frontend.server.now());
    if (session.isBlocked || this.isDeferred) return;
    if (this.isPaused && session.isServed && session.replies.length === 0) this.readOn();
  }

  /** Goes on with the requests that were left over from an earlier turn. */
  goOn(): void {
    this.isDeferred = false;
    const { session } = this;
    if (session.isServed) session.withinLimits(() => this.run(this.frontend.server.now()));
    this.settle();
  }

  onBlocked(work: Promise<() => void>): void {
    const { guarded } = this.frontend;
    void work.then(
      (reply) => guarded(() => this.unblock(reply)),
      (error: unknown) =>
        guarded(() => {
          throw error;
        }),
    );
  }

  private unblock(reply: () => void): void {
    const { session } = this;
    const isAwaited = session.isServed;
    session.withinLimits(() => session.unblock(isAwaited ? reply : undefined));
    if (!session.isServed) this.flush(this.frontend.server.now());
    else if (isAwaited && !session.isBlocked) this.readOn();
  }

  onUserChanged(): void {
    this.frontend.onUserChanged(this);
  }

  /** To be called when the client ended its side: sends the replies under way, then closes. */
  endInput(): void {
    const { session } = this;
    this.inputEnded = true;
    if (session.isOver) this.leave();
    else if (!this.isPaused || session.closes) this.close();
  }

  /**
   * Ends the connection: no further request is read, what was answered is sent, and then FIN. Input
   * is read and thrown away until the client ends its side, too, because a socket closed with
   * unread input is reset, and a reset destroys replies that the client has not read yet.
   */
  finish(): void {
    const { session } = this;
    if (!session.isServed) return;
    // The client gets the time anew to read what was answered.
    session.lastActiveMs = this.frontend.server.now();
    session.replyBuffer.dropOpen();
    this.close();
    if (!session.isOver) this.resume();
  }

  onGrown(): void {
    this.settle();
  }

  onEnded(reason: string, fields: LogFields = {}): void {
    this.logClosed(reason, fields);
    this.finish();
  }

  onKilled(reason: string, fields: LogFields = {}): void {
    this.logClosed(reason, fields);
    this.abort();
  }

  onOverBudget(limit: number): void {
    const { session, memory } = this;
    const whose = session.isUnauthenticated ? "clients that have not logged in" : "all clients";
    this.logClosed(`buffers of ${whose} are full`, { bytes: memory.bytes, limit });
    this.abort();
  }

  /** Closes the connection and drops whatever is under way. */
  private abort(): void {
    this.gone();
    this.transport.terminate();
  }

  /** To be called when the socket has closed: drops everything. */
  gone(): void {
    this.session.leave();
  }

  /** The client's host without the port. */
  get host(): string {
    return this.session.host;
  }

  /** Its place is free at once: whoever does not read its replies loses them. */
  giveWay(): void {
    const why = this.session.isReserved ? "the server is full" : "it has not logged in";
    this.onEnded(`another client needs its place, and ${why}`);
    if (!this.session.isOver) this.abort();
  }

  /** Closes the socket of a connection that has ended, whatever the client does. */
  leave(): void {
    this.transport.end();
  }

  private logClosed(reason: string, fields: LogFields): void {
    const { summaries } = this.frontend.server;
    summaries.warning(`client closed: ${reason}`, { client: this.session.address, ...fields });
  }

  /** Ends the connection once its replies are sent. */
  private close(): void {
    this.session.closes = true;
    this.flush(this.frontend.server.now());
  }

  /** Goes on after a pause in which it was the server that did not read on. */
  private readOn(): void {
    const nowMs = this.frontend.server.now();
    this.requestSinceMs = nowMs;
    this.session.withinLimits(() => this.runOrQueue(nowMs));
    this.settle();
  }

  /** Answers requests: those on the fast path alone, or all. Throws NoRoom. */
  private run(nowMs: number, getsAlone = false): void {
    const { session } = this;
    const { decoder } = session;
    const sliceEndMs = session.sliceEnd(nowMs);
    const before = decoder.pending;
    this.frontend.engine.dated.look(nowMs);
    for (;;) {
      const stop = session.answer(sliceEndMs, getsAlone);
      this.flush(nowMs);
      if (session.isBlocked || this.isFull) return this.pause();
      if (stop === "slice over") return this.deferAfter(nowMs, sliceEndMs);
      if (stop === "nothing left") break;
    }
    this.resume();
    // What is left is of a request that began to arrive just now.
    if (decoder.pending < before) this.requestSinceMs = nowMs;
    if (this.inputEnded) this.close();
  }

  /** Whether so much of the replies is unread that the client's requests have to wait. */
  private get isFull(): boolean {
    const { replyBytes, isServed } = this.session;
    const { replyBytesMax, replyBytesHardMax } = this.frontend.server.config;
    if (replyBytes <= replyBytesMax || !isServed) return false;
    return replyBytes > Math.min(replyBytesHardMax / 2, this.memory.budget.share);
  }

  private defer(): void {
    this.isDeferred = true;
    this.pause();
    this.settle();
    if (!this.session.isOver) this.frontend.onDeferred(this, this.isShort);
  }

  /** Its slice is over, or it has to wait for others. */
  private deferAfter(beganMs: number, sliceEndMs: number): void {
    const nowMs = this.frontend.server.now();
    if (nowMs > sliceEndMs) this.isLongUntilMs = nowMs + LONG_FOR * (nowMs - beganMs);
    this.defer();
  }

  private get isShort(): boolean {
    const { session, frontend } = this;
    const bytesMax = session.isUnauthenticated ? SHORT_LOG_IN_BYTES_MAX : SHORT_BYTES_MAX;
    return session.decoder.pending <= bytesMax && frontend.server.now() >= this.isLongUntilMs;
  }

  private pause(): void {
    if (!this.isPaused) this.transport.pause();
    this.isPaused = true;
  }

  private resume(): void {
    if (this.isPaused) this.transport.resume();
    this.isPaused = false;
  }

  /** Makes room if clients hold more than they may. */
  private settle(): void {
    if (this.memory.budget.isOver) this.frontend.onOverBudget(this);
  }

  /** Sends the replies that are not held, and ends the connection if it closes after them. */
  private flush(nowMs: number): void {
    const { session, transport } = this;
    if (session.isOver) return;
    const accepted = session.replyBuffer.send(transport);
    this.frontend.server.counters.bytesOut += accepted;
    // A client that reads a long reply is not silent.
    if (accepted > 0) session.lastActiveMs = nowMs;
    if (session.closes && session.replies.length === 0) this.endSending();
  }

  private endSending(): void {
    const { transport } = this;
    this.gone();
    if (this.inputEnded) return transport.end();
    transport.shutdown();
    this.resume();
    this.frontend.onSent(this);
  }
}
