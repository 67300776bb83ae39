/**
 * What one client says and is answered: its requests are read, run and answered in their order.
 * How its bytes come and go is connection.ts's matter.
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

/** What all sessions of a server share. */
export interface SessionContext {
  readonly engine: Engine;
  readonly server: ServerForCommands;
  /** The commit that held replies wait for. */
  readonly turn: CommitTurn;
}

/** What a session asks of the connection it is on. */
export interface SessionHost {
  /** Sends what may be sent: replies were released. */
  drain(): void;
  /** Nothing is answered until this work is done, which ends with the reply to append. */
  onBlocked(work: Promise<() => void>): void;
  /** The connection is to be ended at once. */
  onKilled(): void;
}

/** Requests other than GET get so much of a turn; those left go on in a later one. */
const SLICE_MS = 2;

/** One for all sessions: it is looked at once. */
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
  /** Whether the connection is over: nothing is run any more. */
  isOver = false;
  private readonly engine: Engine;
  private readonly server: ServerForCommands;
  private readonly turn: CommitTurn;
  private readonly sessionHost: SessionHost;
  private presentUser: User | undefined;
  /** Where the reply of the command under way begins. */
  private replyStart = 0;
  /** For how many GETs the engine was told already what they ask for. */
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

  /** The work that block() was for is done; without a reply where nobody waits for it any more. */
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

  /** Answers the requests that are there. */
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

  /** Tells the engine what the GETs that come next ask for. */
  private prefetch(): void {
    this.decoder.prefetch(ahead);
    this.engine.prefetch(ahead);
    this.prefetched = ahead.count;
    ahead.letGo();
  }

  /** The fast way of a GET. Answers false where it has to go the other one. */
  private take(): boolean {
    const { engine, decoder, server } = this;
    if (!decoder.isRepeat && --this.prefetched < 0 && engine.prefetches) this.prefetch();
    // Bytes make a text, for which the last dispenser is remembered, only where they come again.
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

  /** Whether a GET may take the fast way: nothing but the name decides on its reply. */
  private get onFastPath(): boolean {
    const { transaction, replyMode, presentUser } = this;
    return transaction === undefined && replyMode === "on" && presentUser?.mayTakeAny === true;
  }

  /** Any request, or what is none. */
  private handle(found: number): void {
    const { decoder, engine, server } = this;
    if (found === FAILED) {
      this.replies.error(`ERR ${decoder.error}`);
      this.closes = true;
      if (this.replyMode !== "on") this.replyBuffer.discard(this.replyStart);
    } else if (found === EMPTY_REQUEST) {
      // As in Redis it uses up CLIENT REPLY SKIP.
      if (this.replyMode === "skip next") this.replyMode = "on";
    } else {
      server.counters.commands++;
      this.dependsOn = 0;
      if (this.replyMode === "skip next") this.replyMode = "skip";
      execute(engine, server, this, found === GET ? ["get", decoder.name] : decoder.args);
      if (!this.isBlocked) this.conclude();
    }
  }

  /** The command under way has its reply: holds it, or takes it back where none is wanted. */
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
