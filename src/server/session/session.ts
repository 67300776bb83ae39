/**
 * The session of one client: reads its requests, runs them and answers them in their order. Its
 * connection (connection.ts) receives and sends the bytes.
 */

import type { Engine } from "../../engine/engine.ts";
import { Decoder, EMPTY_REQUEST, FAILED, GET, NOTHING } from "../../resp/decode.ts";
import { PrefetchNames } from "../../resp/fast-get.ts";
import type { DiskUnavailable } from "../../storage/store.ts";
import type { User } from "../access/users.ts";
import type { Queued, ReplyMode, ServerForCommands, Session } from "../commands/command.ts";
import { takeOne } from "../commands/dispensers.ts";
import { execute } from "../commands/table.ts";
import type { Transaction } from "../commands/transaction.ts";
import type { CommitTurn, Holder } from "./commit-turn.ts";
import type { Peer } from "./peer.ts";
import { ReplyBuffer } from "./reply-buffer.ts";

/** The objects that all sessions of a server share. */
export interface SessionContext {
  readonly engine: Engine;
  readonly server: ServerForCommands;
  /** The commit that held replies wait for. */
  readonly turn: CommitTurn;
}

/** The interface of the connection that a session is on. */
export interface SessionHost {
  /** Sends replies that were released. */
  drain(): void;
  /** Answers nothing until this work is done, which results in the reply to append. */
  onBlocked(work: Promise<() => void>): void;
  /** Closes the connection at once. */
  onKilled(): void;
}

/** The time in a turn for a client's requests off the fast path; the rest run in a later turn. */
const SLICE_MS = 2;

/** One for all sessions, because nothing stays in it between two calls. */
const ahead = new PrefetchNames();

/** Why answer() stopped. */
export type Stop = "nothing left" | "replies full" | "slice over";

export class ClientSession implements Session, Holder {
  readonly id: number;
  readonly address: string;
  readonly localAddress: string;
  readonly host: string;
  readonly isLocal: boolean;
  readonly connectedAtMs: number;
  readonly replyBuffer = new ReplyBuffer();
  readonly replies = this.replyBuffer.replies;
  readonly decoder: Decoder;
  lastActiveMs: number;
  transaction: Transaction<Queued> | undefined = undefined;
  replyMode: ReplyMode = "on";
  name = "";
  library = "";
  libraryVersion = "";
  lastCommand = "";
  closes = false;
  dependsOn = 0;
  isInTransaction = false;
  /** Whether it waits for work that takes longer than a turn. */
  isBlocked = false;
  /** Whether the connection has closed; then no request is run any more. */
  isOver = false;
  private readonly engine: Engine;
  private readonly server: ServerForCommands;
  private readonly turn: CommitTurn;
  private readonly sessionHost: SessionHost;
  private presentUser: User | undefined;
  /** The offset in the replies at which the reply of the command under way begins. */
  private replyStart = 0;
  /** How many of the coming GETs are prefetched. */
  private prefetched = 0;

  constructor({ engine, server, turn }: SessionContext, host: SessionHost, peer: Peer) {
    this.engine = engine;
    this.server = server;
    this.turn = turn;
    this.sessionHost = host;
    this.id = peer.id;
    this.address = peer.address;
    this.localAddress = peer.localAddress;
    this.host = peer.host;
    this.isLocal = peer.isLocal;
    this.connectedAtMs = server.now();
    this.lastActiveMs = this.connectedAtMs;
    this.decoder = new Decoder(server.config);
    this.user = server.access.anonymous;
  }

  get user(): User | undefined {
    return this.presentUser;
  }

  set user(user: User | undefined) {
    this.presentUser = user;
    this.decoder.isUnauthenticated = user === undefined;
  }

  get requestBytes(): number {
    return this.decoder.pending;
  }

  get replyBytes(): number {
    return this.replyBuffer.unsent;
  }

  /** Memory held for requests and replies, in bytes. */
  get heldBytes(): number {
    const gathered = this.transaction === undefined ? 0 : this.transaction.bytes;
    return this.decoder.held + this.replies.bytes.length + gathered;
  }

  block(work: Promise<() => void>): void {
    this.isBlocked = true;
    this.server.counters.blocked++;
    this.sessionHost.onBlocked(work);
  }

  /** The work that block() was for is done; `reply` is undefined if no client waits for it. */
  unblock(reply: (() => void) | undefined): void {
    this.isBlocked = false;
    this.server.counters.blocked--;
    if (reply === undefined) return;
    this.dependsOn = 0;
    this.replyStart = this.replies.length;
    reply();
    if (!this.isBlocked) this.conclude();
  }

  runQueued(work: () => void): void {
    const start = this.replies.length;
    this.dependsOn = 0;
    this.isInTransaction = true;
    work();
    this.isInTransaction = false;
    if (this.dependsOn > 0) this.hold(start, this.dependsOn);
    this.dependsOn = 0;
  }

  kill(): void {
    this.sessionHost.onKilled();
  }

  commitEnded(commit: number, failure: DiskUnavailable | undefined): void {
    this.replyBuffer.commitEnded(commit, failure);
    if (this.replyBuffer.isHolding) this.turn.hold(this);
  }

  drain(): void {
    this.sessionHost.drain();
  }

  /** Answers the requests that have arrived. */
  answer(): Stop {
    const { decoder, replies, server } = this;
    const { replyBytesMax } = server.config;
    let sliceEndMs = 0;
    this.prefetched = 0;
    while (!this.closes && !this.isOver && !this.isBlocked && !server.isStopping) {
      if (replies.length >= replyBytesMax) return "replies full";
      const found = decoder.next();
      if (found === NOTHING) break;
      this.replyStart = replies.length;
      if (found === GET && this.onFastPath && this.take()) continue;
      this.handle(found);
      const nowMs = server.now();
      if (sliceEndMs === 0) sliceEndMs = nowMs + SLICE_MS;
      else if (nowMs > sliceEndMs) return "slice over";
    }
    return "nothing left";
  }

  /** Tells the engine which names the coming GETs ask for. */
  private prefetch(): void {
    this.decoder.prefetch(ahead);
    this.engine.prefetch(ahead);
    this.prefetched = ahead.count;
    ahead.letGo();
  }

  /** Runs a GET on the fast path. Answers false if the GET has to go through the command table. */
  private take(): boolean {
    const { engine, decoder, server } = this;
    if (!decoder.isRepeat && --this.prefetched < 0 && engine.prefetches) this.prefetch();
    // A name becomes a text only when it repeats: the engine keeps the last dispenser found by
    // text.
    const dispenser = decoder.isRepeat
      ? engine.find(decoder.name)
      : engine.findBytes(decoder.lastGet, decoder.nameFrom, decoder.nameTo);
    const isThere = dispenser !== undefined && dispenser.nextBytes > 0;
    if (!isThere && server.catalog.isShared) return false;
    server.counters.commands++;
    const name = dispenser === undefined ? decoder.name : dispenser.name;
    const commit = takeOne(engine, this.replies, dispenser, name);
    if (commit > 0) this.hold(this.replyStart, commit);
    return true;
  }

  /** Whether a GET may take the fast path: its reply depends on nothing but the name. */
  private get onFastPath(): boolean {
    const { transaction, replyMode, presentUser } = this;
    return transaction === undefined && replyMode === "on" && presentUser?.mayTakeAny === true;
  }

  /** Runs a request off the fast path, or answers input that is not a request. */
  private handle(found: number): void {
    const { decoder, engine, server } = this;
    if (found === FAILED) {
      this.replies.error(`ERR ${decoder.error}`);
      this.closes = true;
      if (this.replyMode !== "on") this.replyBuffer.discard(this.replyStart);
    } else if (found === EMPTY_REQUEST) {
      // As in Redis, an empty request uses up CLIENT REPLY SKIP.
      if (this.replyMode === "skip next") this.replyMode = "on";
    } else {
      server.counters.commands++;
      this.dependsOn = 0;
      if (this.replyMode === "skip next") this.replyMode = "skip";
      execute(engine, server, this, found === GET ? ["get", decoder.name] : decoder.args);
      if (!this.isBlocked) this.conclude();
    }
  }

  /** Ends the command under way: holds its reply for a commit, or removes it if none is wanted. */
  private conclude(): void {
    if (this.replyMode !== "on") {
      this.replyBuffer.discard(this.replyStart);
      if (this.replyMode === "skip") this.replyMode = "on";
    } else if (this.dependsOn > 0) {
      this.hold(this.replyStart, this.dependsOn);
    }
  }

  private hold(start: number, commit: number): void {
    if (!this.replyBuffer.isHolding) this.turn.hold(this);
    this.replyBuffer.hold(start, commit);
    this.server.counters.heldReplies++;
  }
}
