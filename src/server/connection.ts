/**
 * One client: bytes in, replies out, in the order of the requests. A reply that depends on a
 * commit is held, and what comes after it on this connection waits behind it; when the commit
 * fails, the held replies become errors.
 *
 * Invariants: nothing at or behind the first held reply is sent. Replies past `replyBytesMax` stop
 * the reading of requests until all of them are sent, so a client that does not read costs at most
 * that, one more reply, and one chunk of requests.
 */

import type { Engine } from "../engine.ts";
import { Decoder, FAILED, GET, NOTHING } from "../resp/decode.ts";
import { Replies } from "../resp/encode.ts";
import type { StorageUnavailable } from "../store/store.ts";
import type { Server, Session } from "./command.ts";
import { takeOne } from "./commands/dispensers.ts";
import { execute } from "./commands.ts";

/** What a connection needs of its socket (Bun.Socket has it). */
export interface Wire {
  /** Sends; answers how many bytes were accepted, negative when the socket is closed. */
  write(bytes: Uint8Array, from: number, count: number): number;
  end(): void;
  /** Ends the sending side alone. */
  shutdown(): void;
  pause(): void;
  resume(): void;
}

/** What a connection asks of what it lives in. */
export interface Host {
  readonly engine: Engine;
  readonly server: Server;
  /** The connection holds replies: settle() it after the commit. */
  onHeld(connection: Connection): void;
  /** Runs what may end in something that must stop the server at once. */
  guarded(work: () => void): void;
}

export interface Peer {
  readonly id: number;
  readonly address: string;
  readonly isAdministrator: boolean;
}

/** A held reply is three numbers: where it begins and ends, and the commit it waits for. */
const HOLD_NUMBERS = 3;

export class Connection implements Session {
  readonly id: number;
  readonly address: string;
  readonly connectedAtMs: number;
  readonly isAdministrator: boolean;
  readonly replies = new Replies();
  name = "";
  library = "";
  libraryVersion = "";
  closes = false;
  dependsOn = 0;
  isBlocked = false;
  private readonly host: Host;
  private readonly wire: Wire;
  private readonly decoder: Decoder;
  /** How much of the replies is sent. */
  private sent = 0;
  private holds: number[] = [];
  private isPaused = false;
  private isGone = false;
  private inputEnded = false;
  private isFinishing = false;

  constructor(host: Host, wire: Wire, peer: Peer) {
    const { config, now } = host.server;
    this.host = host;
    this.wire = wire;
    this.id = peer.id;
    this.address = peer.address;
    this.isAdministrator = peer.isAdministrator;
    this.connectedAtMs = now();
    this.decoder = new Decoder(config);
  }

  /** Bytes arrived. */
  receive(chunk: Buffer): void {
    if (this.isGone || this.closes) return;
    this.decoder.push(chunk);
    if (!this.isBlocked) this.run();
  }

  /** Sends what may be sent, when the socket takes bytes again or replies were released. */
  drain(): void {
    this.flush();
    if (this.isBlocked) return;
    if (this.isPaused && !this.isGone && this.replies.length === 0) this.run();
  }

  block(work: Promise<() => void>): void {
    this.isBlocked = true;
    void work.then(
      (reply) => this.host.guarded(() => this.unblock(reply)),
      (error: unknown) =>
        this.host.guarded(() => {
          throw error;
        }),
    );
  }

  private unblock(reply: () => void): void {
    this.isBlocked = false;
    if (this.isGone || this.isFinishing) return;
    reply();
    this.run();
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

  /** The socket is closed. */
  gone(): void {
    this.isGone = true;
    this.holds = [];
    this.sent = 0;
    this.replies.clear();
  }

  /**
   * Commit number `commit` is done, or has failed: what waited for it waits no more, and drain()
   * sends it.
   */
  settle(commit: number, failure: StorageUnavailable | undefined): void {
    let settled = 0;
    while (settled < this.holds.length && this.holds[settled + 2]! <= commit)
      settled += HOLD_NUMBERS;
    const released = this.holds.splice(0, settled);
    if (failure !== undefined) this.rewrite(released, failure);
    if (this.holds.length > 0) this.host.onHeld(this);
  }

  /** Ends the connection once its replies are sent. */
  private close(): void {
    this.closes = true;
    this.flush();
  }

  private run(): void {
    for (;;) {
      const isFull = this.answer();
      this.flush();
      if (this.isBlocked) return this.pause();
      if (!isFull) break;
      if (this.replies.length > 0) return this.pause();
    }
    this.resume();
    if (this.inputEnded) this.close();
  }

  private pause(): void {
    if (!this.isPaused) this.wire.pause();
    this.isPaused = true;
  }

  private resume(): void {
    if (this.isPaused) this.wire.resume();
    this.isPaused = false;
  }

  /** Answers the requests that are there. Whether it stopped because the replies are too many. */
  private answer(): boolean {
    const { decoder, host, replies } = this;
    const { engine, server } = host;
    const { replyBytesMax } = server.config;
    while (!this.closes && !this.isGone && !this.isBlocked && !server.isStopping) {
      if (replies.length >= replyBytesMax) return true;
      const found = decoder.next();
      if (found === NOTHING) return false;
      const start = replies.length;
      if (found === FAILED) {
        replies.error(`ERR ${decoder.error}`);
        this.closes = true;
        return false;
      }
      server.counters.commands++;
      this.dependsOn = 0;
      if (found === GET) takeOne(engine, this, decoder.name);
      else execute(engine, server, this, decoder.args);
      if (this.dependsOn > 0) this.hold(start);
    }
    return false;
  }

  private hold(start: number): void {
    if (this.holds.length === 0) this.host.onHeld(this);
    this.holds.push(start, this.replies.length, this.dependsOn);
    this.host.server.counters.heldReplies++;
  }

  /** Puts an error in the place of each of these held replies. */
  private rewrite(released: readonly number[], failure: StorageUnavailable): void {
    if (released.length === 0) return;
    const { replies } = this;
    const before = replies.length;
    const bytes = Buffer.from(replies.bytes.subarray(0, before));
    let from = released[0]!;
    const releasedEnd = released.at(-2)!;
    replies.length = from;
    for (let at = 0; at < released.length; at += HOLD_NUMBERS) {
      const start = released[at]!;
      replies.raw(bytes.toString("latin1", from, start));
      replies.error(`ERR storage unavailable: ${failure.message}`);
      from = released[at + 1]!;
    }
    const shift = replies.length - releasedEnd;
    replies.raw(bytes.toString("latin1", releasedEnd, before));
    for (let at = 0; at < this.holds.length; at += HOLD_NUMBERS) {
      this.holds[at]! += shift;
      this.holds[at + 1]! += shift;
    }
  }

  /** Sends what may be sent. */
  private flush(): void {
    if (this.isGone) return;
    const { replies } = this;
    const ready = this.holds.length > 0 ? this.holds[0]! : replies.length;
    if (ready > this.sent) {
      const accepted = this.wire.write(replies.bytes, this.sent, ready - this.sent);
      if (accepted > 0) this.sent += accepted;
    }
    if (this.sent < replies.length) return;
    this.sent = 0;
    replies.clear();
    if (!this.closes) return;
    if (this.isFinishing && !this.inputEnded) this.wire.shutdown();
    else this.wire.end();
  }
}
