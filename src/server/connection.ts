/**
 * One client: bytes in, replies out, in the order of the requests.
 *
 * Invariants: replies past `replyBytesMax` stop the reading of requests until all of them are sent,
 * so a client that does not read costs at most that, one more reply, and one chunk of requests. A
 * client whose requests take long queues up for another turn, so that others do not wait for it.
 */

import type { Engine } from "../engine.ts";
import { Decoder, EMPTY_REQUEST, FAILED, GET, NOTHING } from "../resp/decode.ts";
import type { Replies } from "../resp/encode.ts";
import type { StorageUnavailable } from "../store/store.ts";
import type { User } from "./access.ts";
import type { ReplyMode, Server, Session } from "./command.ts";
import { takeOne } from "./commands/dispensers.ts";
import { execute } from "./commands.ts";
import { Outbox, type Sender } from "./outbox.ts";
import type { Transaction } from "./transaction.ts";

/** What a connection needs of its socket (Bun.Socket has it). */
export interface Wire extends Sender {
  end(): void;
  /** Ends the sending side alone. */
  shutdown(): void;
  /** Closes at once, whatever is under way. */
  terminate(): void;
  pause(): void;
  resume(): void;
}

/** What a connection asks of what it lives in. */
export interface Host {
  readonly engine: Engine;
  readonly server: Server;
  /** The connection holds replies: settle() it after the commit. */
  onHeld(connection: Connection): void;
  /** The connection has more to do: goOn() in a later turn. */
  onDeferred(connection: Connection): void;
  /** The connection holds so many more bytes of memory, or fewer. */
  onBuffered(bytes: number): void;
  /** Runs what may end in something that must stop the server at once. */
  guarded(work: () => void): void;
}

export interface Peer {
  readonly id: number;
  readonly address: string;
  readonly localAddress: string;
  readonly host: string;
  readonly isLocal: boolean;
}

/** Requests other than GET get so much of a turn; those left go on in the next. */
const SLICE_MS = 2;

/** A client with more waiting than this queues up for its turn: one request of it may take long. */
const AT_ONCE_BYTES_MAX = 64 * 1024;

/** Why answer() stopped. */
type Stop = "nothing left" | "replies full" | "slice over";

export class Connection implements Session {
  readonly id: number;
  readonly address: string;
  readonly localAddress: string;
  readonly host: string;
  readonly connectedAtMs: number;
  readonly isLocal: boolean;
  readonly replies: Replies;
  lastActiveMs: number;
  transaction: Transaction | undefined = undefined;
  replyMode: ReplyMode = "on";
  name = "";
  library = "";
  libraryVersion = "";
  lastCommand = "";
  closes = false;
  dependsOn = 0;
  isInTransaction = false;
  private readonly home: Host;
  private readonly wire: Wire;
  private readonly decoder: Decoder;
  private readonly outbox = new Outbox();
  private presentUser: User | undefined;
  /** Where the reply of the command under way begins. */
  private replyStart = 0;
  /** Memory held for requests and replies under way, as onBuffered() was told. */
  buffered = 0;
  private isBlocked = false;
  private isDeferred = false;
  private isPaused = false;
  private isGone = false;
  private inputEnded = false;
  private isFinishing = false;

  constructor(home: Host, wire: Wire, peer: Peer) {
    const { config, access, now } = home.server;
    this.home = home;
    this.wire = wire;
    this.id = peer.id;
    this.address = peer.address;
    this.localAddress = peer.localAddress;
    this.host = peer.host;
    this.isLocal = peer.isLocal;
    this.connectedAtMs = now();
    this.lastActiveMs = this.connectedAtMs;
    this.replies = this.outbox.replies;
    this.decoder = new Decoder(config);
    this.user = access.newcomer;
  }

  get user(): User | undefined {
    return this.presentUser;
  }

  set user(user: User | undefined) {
    this.presentUser = user;
    this.decoder.isStranger = user === undefined;
  }

  get requestBytes(): number {
    return this.decoder.pending;
  }

  get replyBytes(): number {
    return this.outbox.unsent;
  }

  /** Whether closing it for being silent would take something from its client. */
  get isWaiting(): boolean {
    return this.isBlocked || this.isDeferred || this.outbox.isHolding;
  }

  /** Bytes arrived. */
  receive(chunk: Buffer): void {
    if (this.isGone || this.closes) return;
    const { now, counters } = this.home.server;
    this.lastActiveMs = now();
    counters.bytesIn += chunk.length;
    this.decoder.push(chunk);
    if (this.isBlocked || this.isDeferred) this.account();
    else if (this.decoder.pending > AT_ONCE_BYTES_MAX) this.defer();
    else this.run();
  }

  /** Sends what may be sent, when the socket takes bytes again or replies were released. */
  drain(): void {
    this.flush();
    if (this.isBlocked || this.isDeferred) return;
    if (this.isPaused && !this.isGone && this.replies.length === 0) this.run();
  }

  /** Its turn has come. */
  goOn(): void {
    this.isDeferred = false;
    if (!this.isGone && !this.isFinishing) this.run();
  }

  block(work: Promise<() => void>): void {
    this.isBlocked = true;
    this.home.server.counters.blocked++;
    void work.then(
      (reply) => this.home.guarded(() => this.unblock(reply)),
      (error: unknown) =>
        this.home.guarded(() => {
          throw error;
        }),
    );
  }

  private unblock(reply: () => void): void {
    this.isBlocked = false;
    this.home.server.counters.blocked--;
    if (this.isGone || this.isFinishing) return;
    this.dependsOn = 0;
    this.replyStart = this.replies.length;
    reply();
    this.conclude();
    this.run();
  }

  part(work: () => void): void {
    const start = this.replies.length;
    this.dependsOn = 0;
    this.isInTransaction = true;
    work();
    this.isInTransaction = false;
    if (this.dependsOn > 0) this.hold(start, this.dependsOn);
    this.dependsOn = 0;
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

  kill(): void {
    this.gone();
    this.wire.terminate();
  }

  /** The socket is closed. */
  gone(): void {
    this.isGone = true;
    this.outbox.clear();
    this.transaction = undefined;
    this.home.onBuffered(-this.buffered);
    this.buffered = 0;
  }

  /**
   * Commit number `commit` is done, or has failed: what waited for it waits no more, and drain()
   * sends it.
   */
  settle(commit: number, failure: StorageUnavailable | undefined): void {
    this.outbox.settle(commit, failure);
    if (this.outbox.isHolding) this.home.onHeld(this);
  }

  /** Ends the connection once its replies are sent. */
  private close(): void {
    this.closes = true;
    this.flush();
  }

  private run(): void {
    for (;;) {
      const stop = this.answer();
      this.flush();
      if (this.isBlocked) return this.pause();
      if (stop === "slice over") return this.defer();
      if (stop === "nothing left") break;
      this.limitUnread();
      if (this.replies.length > 0) return this.pause();
    }
    this.resume();
    if (this.inputEnded) this.close();
  }

  private defer(): void {
    this.isDeferred = true;
    this.pause();
    this.home.onDeferred(this);
  }

  private pause(): void {
    if (!this.isPaused) this.wire.pause();
    this.isPaused = true;
    this.account();
  }

  private resume(): void {
    if (this.isPaused) this.wire.resume();
    this.isPaused = false;
    this.account();
  }

  /** Answers the requests that are there. */
  private answer(): Stop {
    const { decoder, replies } = this;
    const { server } = this.home;
    const { replyBytesMax } = server.config;
    let sliceEndMs = 0;
    while (!this.closes && !this.isGone && !this.isBlocked && !server.isStopping) {
      if (replies.length >= replyBytesMax) return "replies full";
      const found = decoder.next();
      if (found === NOTHING) break;
      this.replyStart = replies.length;
      if (found === GET && this.takesFreely) {
        this.take();
        continue;
      }
      this.handle(found);
      const nowMs = server.now();
      if (sliceEndMs === 0) sliceEndMs = nowMs + SLICE_MS;
      else if (nowMs > sliceEndMs) return "slice over";
    }
    return "nothing left";
  }

  /** The fast way of a GET. */
  private take(): void {
    const { engine, server } = this.home;
    server.counters.commands++;
    const commit = takeOne(engine, this.replies, this.decoder.name);
    if (commit > 0) this.hold(this.replyStart, commit);
  }

  /** Any request, or what is none. */
  private handle(found: number): void {
    const { decoder, home } = this;
    if (found === FAILED) {
      this.replies.error(`ERR ${decoder.error}`);
      this.closes = true;
      if (this.replyMode !== "on") this.outbox.discard(this.replyStart);
    } else if (found === EMPTY_REQUEST) {
      // As in Redis it uses up CLIENT REPLY SKIP.
      if (this.replyMode === "skip next") this.replyMode = "on";
    } else {
      home.server.counters.commands++;
      this.dependsOn = 0;
      if (this.replyMode === "skip next") this.replyMode = "skip";
      const request = found === GET ? ["get", decoder.name] : decoder.args;
      execute(home.engine, home.server, this, request);
      if (!this.isBlocked) this.conclude();
    }
  }

  /** Whether a GET may take the fast way: nothing but the name decides on its reply. */
  private get takesFreely(): boolean {
    const { transaction, replyMode, presentUser } = this;
    return transaction === undefined && replyMode === "on" && presentUser?.takesAll === true;
  }

  /** The command under way has its reply: holds it, or takes it back where none is wanted. */
  private conclude(): void {
    if (this.replyMode !== "on") {
      this.outbox.discard(this.replyStart);
      if (this.replyMode === "skip") this.replyMode = "on";
    } else if (this.dependsOn > 0) {
      this.hold(this.replyStart, this.dependsOn);
    }
  }

  private hold(start: number, commit: number): void {
    if (!this.outbox.isHolding) this.home.onHeld(this);
    this.outbox.hold(start, commit);
    this.home.server.counters.heldReplies++;
  }

  /** Closes a client that does not read, or that asked for more than one reply may have. */
  private limitUnread(): void {
    const { log, config } = this.home.server;
    const bytes = this.outbox.unsent;
    const limit = config.replyBytesHardMax;
    if (bytes <= limit) return;
    log.warning("client closed: unread replies", { client: this.address, bytes, limit });
    this.kill();
  }

  /** Tells how much memory is held. */
  private account(): void {
    const gathered = this.transaction === undefined ? 0 : this.transaction.bytes;
    const held = this.isGone ? 0 : this.decoder.held + this.replies.bytes.length + gathered;
    if (held === this.buffered) return;
    const more = held - this.buffered;
    this.buffered = held;
    this.home.onBuffered(more);
  }

  /** Sends what may be sent. */
  private flush(): void {
    if (this.isGone) return;
    this.home.server.counters.bytesOut += this.outbox.send(this.wire);
    if (this.replies.length > 0 || !this.closes) return;
    if (this.isFinishing && !this.inputEnded) this.wire.shutdown();
    else this.wire.end();
  }
}
