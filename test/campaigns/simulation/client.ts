/**
 * A simulated client: the server's own Connection on a wire of ours. It sends requests and knows,
 * for each, what its reply may be.
 */

import type { RespFrontend } from "../../../src/server/frontends/resp.ts";
import type { Connection } from "../../../src/server/session/connection.ts";
import { encodeRequest, type Reply, ReplyError, readReply } from "../../../testkit/resp.ts";
import { Broken } from "./broken.ts";
import type { Checker } from "./checker.ts";
import type { Stretch } from "./order.ts";

/** A request under way. */
export interface Asked {
  readonly words: readonly string[];
  /** Whose numbers its reply would bring. */
  readonly takes: readonly Checker[];
  /** How many commits had failed when it was sent. */
  readonly failures: number;
  /** The reply came, and is no failure of storage. */
  readonly answered: (reply: Reply) => void;
  /** A commit failed, and the reply says so. */
  readonly failed: () => void;
}

export interface Observer {
  /** How many commits have failed so far. */
  readonly failures: () => number;
  /** Called with each reply. */
  readonly onReply: (reply: Reply) => void;
}

export class SimulatedClient {
  /** How many bytes the wire takes before it is full. */
  room = Number.POSITIVE_INFINITY;
  readonly asked: Asked[] = [];
  /** The last number of each line that this client received, and in which stretch it was asked for. */
  readonly lastOf = new Map<Checker, { readonly stretch: Stretch; readonly rank: bigint }>();
  private readonly resp: RespFrontend;
  private readonly connection: Connection;
  private readonly observer: Observer;
  private received = "";

  constructor(resp: RespFrontend, id: number, observer: Observer) {
    const wire = {
      write: (bytes: Uint8Array, from: number, count: number) => this.accept(bytes, from, count),
      end: () => {},
      shutdown: () => {},
      terminate: () => {},
      pause: () => {},
      resume: () => {},
    };
    const ends = {
      address: `client:${id}`,
      localAddress: "server",
      host: "client",
      isLocal: true,
    };
    this.resp = resp;
    this.connection = resp.connect(wire, ends);
    this.observer = observer;
  }

  /** Sends a request so many times as one piece, or as two that part at `cut` (0 to 1). */
  send(asked: Asked, count: number, cut: number): void {
    for (let index = 0; index < count; index++) this.asked.push(asked);
    const bytes = Buffer.from(encodeRequest(...asked.words).repeat(count));
    const at = Math.floor(bytes.length * cut);
    if (at > 0) this.connection.receive(bytes.subarray(0, at));
    this.connection.receive(bytes.subarray(at));
  }

  /** The wire takes bytes again, all that there are. */
  read(): void {
    this.room = Number.POSITIVE_INFINITY;
    this.connection.drain();
  }

  /** Closes the connection with requests under way. */
  leave(): void {
    this.resp.disconnect(this.connection);
  }

  private accept(bytes: Uint8Array, from: number, count: number): number {
    const accepted = Math.min(count, this.room);
    this.room -= accepted;
    this.received += Buffer.from(bytes.subarray(from, from + accepted)).toString("latin1");
    let end = 0;
    for (let read = readReply(this.received); read; read = readReply(this.received, end)) {
      end = read.end;
      this.answer(read.reply);
    }
    this.received = this.received.slice(end);
    return accepted;
  }

  private answer(reply: Reply): void {
    this.observer.onReply(reply);
    const asked = this.asked.shift();
    if (asked === undefined) throw new Broken(`a reply to nothing: ${String(reply)}`);
    if (!(reply instanceof ReplyError) || !reply.message.startsWith("ERR storage unavailable: "))
      return asked.answered(reply);
    if (asked.failures === this.observer.failures())
      throw new Broken(`${asked.words.join(" ")}: ${reply.message}, though no commit failed`);
    asked.failed();
  }
}
