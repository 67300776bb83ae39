/** One client of a round: chunks to send, a wire that takes so much at a time, and what came. */

import type { Connection } from "../../../src/server/session/connection.ts";
import type { Exchange } from "./conversation.ts";
import { Broken } from "./replies.ts";
import type { FuzzedServer } from "./server.ts";

/** What one client sends, and how. */
export interface Input {
  /** A byte string. */
  readonly bytes: string;
  /** Where it is cut into chunks, in order. */
  readonly cuts: readonly number[];
  /** How many bytes its wire takes before it is full for the first time. */
  readonly room: number;
  /** Whether it ends its side after the last chunk. */
  readonly endsInput: boolean;
  readonly isLocal: boolean;
}

export class Client {
  /** Whether the server does not read from it. */
  isPaused = false;
  readonly input: Input;
  private readonly id: number;
  private readonly server: FuzzedServer;
  private readonly connection: Connection;
  private readonly buffer: Buffer;
  private cut = 0;
  private room: number;
  private roomLast: number;
  private sent = 0;
  private received = "";
  private isEnded = false;
  private isKilled = false;
  private hasEndedInput = false;

  constructor(server: FuzzedServer, id: number, input: Input) {
    this.server = server;
    this.id = id;
    this.input = input;
    this.room = input.room;
    this.roomLast = input.room;
    this.buffer = Buffer.from(input.bytes, "latin1");
    const ends = {
      address: `client:${id}`,
      localAddress: "server",
      host: "client",
      isLocal: input.isLocal,
    };
    this.connection = server.resp.connect(this, ends);
  }

  get isGone(): boolean {
    return this.isEnded || this.isKilled;
  }

  /** Whether there is something left to send. */
  get isSending(): boolean {
    return !this.isGone && this.sent < this.buffer.length;
  }

  /** Whether it does not get its replies for want of room. */
  get isFull(): boolean {
    return !this.isGone && this.room === 0;
  }

  send(): void {
    const end = this.input.cuts[this.cut++] ?? this.buffer.length;
    const chunk = this.buffer.subarray(this.sent, end);
    this.sent = end;
    if (chunk.length > 0) this.connection.receive(chunk);
  }

  /** It reads what there is, more each time, so that long replies do not take for ever. */
  makeRoom(): void {
    this.roomLast *= 2;
    this.room = this.roomLast;
    this.connection.drain();
  }

  endInput(): void {
    if (!this.input.endsInput || this.hasEndedInput || this.isGone) return;
    this.hasEndedInput = true;
    this.connection.endInput();
  }

  /** The round is over. Answers what was said. */
  leave(): Exchange {
    const isWaiting = this.connection.isWaiting || this.connection.session.replyBytes > 0;
    if (!this.isGone && isWaiting) throw new Broken("replies are left, and nothing happens");
    if (this.isSending) throw new Broken("the server never reads the rest");
    this.forget();
    return {
      client: this.id,
      sent:
        this.sent === this.buffer.length ? this.input.bytes : this.input.bytes.slice(0, this.sent),
      received: this.received,
      hasEndedInput: this.hasEndedInput,
      isEnded: this.isEnded,
      isKilled: this.isKilled,
      mayBeKilled: this.isClosedWithReason,
    };
  }

  /** Whether the log tells why the server ended this connection. */
  private get isClosedWithReason(): boolean {
    return this.server.closedWithReason.has(`client:${this.id}`);
  }

  write(bytes: Uint8Array, from: number, count: number): number {
    if (this.isGone) return -1;
    const accepted = Math.min(count, this.room);
    this.room -= accepted;
    this.received += (bytes as Buffer).toString("latin1", from, from + accepted);
    return accepted;
  }

  end(): void {
    if (this.isClosedWithReason) this.isKilled ||= !this.isEnded;
    else this.isEnded = true;
    this.forget();
  }

  /** The client ends its side as well. */
  shutdown(): void {
    if (this.hasEndedInput) throw new Broken("only the sending side was ended");
    this.end();
  }

  terminate(): void {
    this.isKilled ||= !this.isEnded;
    this.forget();
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  /** As the listener does when a socket is closed. */
  private forget(): void {
    this.server.resp.disconnect(this.connection);
  }
}
