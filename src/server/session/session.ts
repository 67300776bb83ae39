/**
 * The session of one client: reads its requests, runs them and answers them in their order. Its
 * connection (connection.ts) receives and sends the bytes.
 */

import { assert } from "../../base/assert.ts";
import type { LogFields } from "../../base/log.ts";
import type { Engine } from "../../engine/engine.ts";
import { Decoder, EMPTY_REQUEST, FAILED, GET, NOTHING } from "../../resp/decode.ts";
import type { Replies } from "../../resp/encode.ts";
import { BYTES_PER_WORD, NoRoom } from "../../resp/ledger.ts";
import type { DiskUnavailable } from "../../storage/store.ts";
import type { User } from "../access/users.ts";
import type { Queued, ReplyMode, ServerForCommands, Session } from "../commands/command.ts";
import { execute } from "../commands/table.ts";
import type { Transaction } from "../commands/transaction.ts";
import type { CallStats } from "../counters.ts";
import { ClientMemory, type MemoryBudget } from "./client-memory.ts";
import type { CommitTurn, Holder } from "./commit-turn.ts";
import { FastGets, NOT_TAKEN } from "./fast-gets.ts";
import { runJob } from "./job.ts";
import type { Peer } from "./peer.ts";
import { ReplyBuffer } from "./reply-buffer.ts";
import type { TurnLoad } from "./turn-load.ts";

/** The objects that all sessions of a server share. */
export interface SessionContext {
  readonly engine: Engine;
  readonly server: ServerForCommands;
  /** The commit that held replies wait for. */
  readonly turn: CommitTurn;
  /** The time that commands took in this turn. */
  readonly load: TurnLoad;
  /** The memory of clients that may take numbers, and of those that have not logged in. */
  readonly budgets: { readonly users: MemoryBudget; readonly unauthenticated: MemoryBudget };
}

/** The interface of the connection that a session is on. */
export interface SessionHost {
  /** Sends replies that were released. */
  drain(): void;
  /** Answers nothing until this work is done, which results in the reply to append. */
  onBlocked(work: Promise<() => void>): void;
  /** The client logged in, or is unauthenticated again. */
  onUserChanged(): void;
  /** Ends the connection: what was answered arrives. `reason` is a fixed text, for the log. */
  onEnded(reason: string, fields?: LogFields): void;
  /** Closes the connection at once. */
  onKilled(reason: string, fields?: LogFields): void;
  /** What the client makes the server keep may have grown over several turns. */
  onGrown(): void;
}

/** The time in a turn for a client's requests; the rest run in a later turn. */
const SLICE_MS = 2;
/** That of a client that has not logged in: there may be a crowd of them. */
const UNAUTHENTICATED_SLICE_MS = 0.25;
/** How many GETs on the fast path pass between two looks at the clock. */
const GETS_PER_LOOK = 512;
/** Characters of an error's code. */
const [MINUS, UPPER_A, UPPER_Z] = [45, 65, 90];

/** Why answer() stopped. */
export type Stop = "nothing left" | "replies full" | "slice over";

export class ClientSession implements Session, Holder {
  readonly id: number;
  readonly address: string;
  readonly localAddress: string;
  readonly host: string;
  readonly isLocal: boolean;
  readonly isReserved: boolean;
  readonly connectedAtMs: number;
  readonly memory: ClientMemory;
  readonly replyBuffer: ReplyBuffer;
  readonly replies: Replies;
  readonly decoder: Decoder;
  lastActiveMs: number;
  replyMode: ReplyMode = "on";
  name = "";
  library = "";
  libraryVersion = "";
  lastCommand = "";
  stats: CallStats | undefined = undefined;
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
  private readonly budgets: SessionContext["budgets"];
  private readonly load: TurnLoad;
  private readonly fastGets: FastGets;
  private presentUser: User | undefined;
  private presentTransaction: Transaction<Queued> | undefined = undefined;
  /** What the request that waits for work takes; 0 if none does. */
  private blockedBytes = 0;
  /** The offset in the replies at which the reply of the command under way begins. */
  private replyStart = 0;

  constructor(context: SessionContext, host: SessionHost, peer: Peer) {
    const { engine, server, turn, budgets, load } = context;
    this.budgets = budgets;
    this.load = load;
    this.memory = new ClientMemory(budgets.users);
    this.replyBuffer = new ReplyBuffer(this.memory, () => server.config.replyBytesHardMax);
    this.replies = this.replyBuffer.replies;
    this.engine = engine;
    this.server = server;
    this.turn = turn;
    this.sessionHost = host;
    this.id = peer.id;
    this.address = peer.address;
    this.localAddress = peer.localAddress;
    this.host = peer.host;
    this.isLocal = peer.isLocal;
    this.isReserved = peer.isReserved;
    this.connectedAtMs = server.now();
    this.lastActiveMs = this.connectedAtMs;
    this.decoder = new Decoder(server.config, this.memory);
    this.fastGets = new FastGets(server, engine, this.decoder, this.replies);
    this.setUser(server.access.anonymous);
  }

  get user(): User | undefined {
    return this.presentUser;
  }

  set user(user: User | undefined) {
    const wasUnauthenticated = this.isUnauthenticated;
    this.setUser(user);
    if (this.isUnauthenticated !== wasUnauthenticated) this.sessionHost.onUserChanged();
  }

  private setUser(user: User | undefined): void {
    const { budgets, decoder, memory } = this;
    this.presentUser = user;
    decoder.isUnauthenticated = user === undefined;
    memory.budget = user === undefined ? budgets.unauthenticated : budgets.users;
  }

  /** Whether the client has yet to log in. */
  get isUnauthenticated(): boolean {
    return this.presentUser === undefined;
  }

  get transaction(): Transaction<Queued> | undefined {
    return this.presentTransaction;
  }

  /** Begins a transaction, or ends it, which gives back its memory. */
  set transaction(transaction: Transaction<Queued> | undefined) {
    this.presentTransaction?.release();
    this.presentTransaction = transaction;
  }

  get requestBytes(): number {
    return this.decoder.pending;
  }

  get replyBytes(): number {
    return this.replyBuffer.unsent;
  }

  /** Memory held for requests and replies, in bytes: what `memory` counted while it grew. */
  get heldBytes(): number {
    const { decoder, replies, transaction, blockedBytes } = this;
    return decoder.held + replies.bytes.length + (transaction?.bytes ?? 0) + blockedBytes;
  }

  block(work: Promise<() => void>, moreBytes = 0): void {
    const { requestBytes, requestWords } = this.decoder;
    this.isBlocked = true;
    this.replyBuffer.open(this.replyStart);
    this.blockedBytes = requestBytes + BYTES_PER_WORD * requestWords + moreBytes;
    this.memory.add(this.blockedBytes);
    this.server.counters.blocked++;
    this.sessionHost.onBlocked(work);
  }

  /** The work that block() was for is done; `reply` is undefined if no client waits for it. */
  unblock(reply: (() => void) | undefined): void {
    this.isBlocked = false;
    this.memory.add(-this.blockedBytes);
    this.blockedBytes = 0;
    this.server.counters.blocked--;
    this.replyStart = this.replyBuffer.close();
    if (reply === undefined) return;
    this.engine.dated.look(this.server.now());
    this.dependsOn = 0;
    reply();
    if (!this.isBlocked) this.conclude();
  }

  runJob(job: Iterator<undefined>, atEnd = () => {}, moreBytes = 0): void {
    const onStep = () => this.sessionHost.onGrown();
    runJob(this.server, this, job, { atEnd, moreBytes, onStep });
  }

  /** Whether the client still gets replies to new requests. */
  get isServed(): boolean {
    return !this.isOver && !this.closes;
  }

  leaveRoom(): void {
    assert(!this.isInTransaction, "a reply of unknown length is never part of another");
    this.replyBuffer.leaveRoom();
  }

  get bytesBehindRoom(): number {
    return this.replyBuffer.bytesBehindRoom;
  }

  fillRoom(header: string): void {
    this.replyStart += this.replyBuffer.fillRoom(header);
  }

  /** The connection is over: drops everything. */
  leave(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.replyBuffer.clear();
    this.decoder.release();
    this.transaction = undefined;
    this.memory.add(-this.blockedBytes);
    this.blockedBytes = 0;
    this.memory.end();
  }

  /** Runs work; if that finds no room for what this client wants, closes the client. */
  withinLimits(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof NoRoom)) throw error;
      this.sessionHost.onKilled(error.message, error.sizes);
    }
  }

  runQueued(work: () => void): void {
    const start = this.replies.length;
    this.dependsOn = 0;
    this.isInTransaction = true;
    this.stats = undefined;
    work();
    this.noteError(start);
    this.isInTransaction = false;
    if (this.dependsOn > 0) this.hold(start, this.dependsOn);
    this.dependsOn = 0;
  }

  end(reason: string, fields?: LogFields): void {
    this.sessionHost.onEnded(reason, fields);
  }

  commitEnded(commit: number, failure: DiskUnavailable | undefined): void {
    this.withinLimits(() => this.replyBuffer.commitEnded(commit, failure));
    if (this.replyBuffer.isHolding) this.turn.hold(this);
  }

  drain(): void {
    this.sessionHost.drain();
  }

  /** When the requests that are now answered have to pause: the end of the client's slice. */
  sliceEnd(nowMs: number): number {
    return nowMs + (this.isUnauthenticated ? UNAUTHENTICATED_SLICE_MS : SLICE_MS);
  }

  /**
   * Answers the requests that have arrived, until the end of the slice. `getsAlone` ends it before
   * a request that is off the fast path.
   */
  answer(sliceEndMs: number, getsAlone = false): Stop {
    const beganMs = this.fastGets.begin();
    const stop = this.answerUntil(sliceEndMs, getsAlone);
    this.fastGets.end(beganMs);
    return stop;
  }

  private answerUntil(sliceEndMs: number, getsAlone: boolean): Stop {
    const { decoder, replies, server, load } = this;
    const fullAt = replies.length + server.config.replyBytesMax;
    for (let gets = 0; !this.closes && !this.isOver && !this.isBlocked && !server.isStopping; ) {
      if (replies.length >= fullAt) return "replies full";
      if (getsAlone && decoder.pending > 0 && !(decoder.isGetNext && this.onFastPath)) {
        return "slice over";
      }
      const found = decoder.next();
      if (found === NOTHING) break;
      this.replyStart = replies.length;
      if (found === GET && this.onFastPath && this.take()) {
        if (++gets % GETS_PER_LOOK === 0 && server.now() > sliceEndMs) return "slice over";
        continue;
      }
      load.begin();
      this.handle(found);
      decoder.letGo();
      if (load.end() > sliceEndMs) return "slice over";
    }
    return "nothing left";
  }

  /** Runs a GET on the fast path. Answers false if it has to go through the command table. */
  private take(): boolean {
    const commit = this.fastGets.take();
    if (commit > 0) this.hold(this.replyStart, commit);
    return commit !== NOT_TAKEN;
  }

  /** Whether a GET may take the fast path: its reply depends on nothing but the name. */
  private get onFastPath(): boolean {
    const { transaction, replyMode, presentUser } = this;
    if (transaction !== undefined || replyMode !== "on" || this.isReserved) return false;
    return presentUser?.mayTakeAny === true;
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
      this.stats = undefined;
      if (this.replyMode === "skip next") this.replyMode = "skip";
      execute(engine, server, this, found === GET ? ["get", decoder.name] : decoder.args);
      if (!this.isBlocked && !this.isOver) this.conclude();
    }
  }

  /** Ends the command under way: holds its reply for a commit, or removes it if none is wanted. */
  private conclude(): void {
    this.noteError(this.replyStart);
    if (this.replyMode !== "on") {
      this.replyBuffer.discard(this.replyStart);
      if (this.replyMode === "skip") this.replyMode = "on";
    } else if (this.dependsOn > 0) {
      this.hold(this.replyStart, this.dependsOn);
    }
  }

  /** Counts the reply that begins here if it is an error. */
  private noteError(start: number): void {
    const { bytes, length } = this.replies;
    if (start >= length || bytes[start] !== MINUS) return;
    let end = start + 1;
    while (end < length && bytes[end]! >= UPPER_A && bytes[end]! <= UPPER_Z) end++;
    this.server.commandStats.countError(bytes.toString("latin1", start + 1, end));
    if (this.stats !== undefined) this.stats.failed++;
  }

  private hold(start: number, commit: number): void {
    if (!this.replyBuffer.isHolding) this.turn.hold(this);
    this.replyBuffer.hold(start, commit);
    this.server.counters.heldReplies++;
  }
}
