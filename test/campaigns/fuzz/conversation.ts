/**
 * Whether a client received what it has to for the bytes it sent: replies in step. Each request is
 * known from reference.ts, and the replies are read one by one beside them.
 */

import { Expected, type Rules, wrong } from "./expected.ts";
import type { Invariants } from "./invariants.ts";
import { readRequest } from "./reference.ts";
import { Broken, type Reply, ReplyReader } from "./replies.ts";

/** What a client sent and received, and how it ended. */
export interface Exchange {
  readonly client: number;
  readonly sent: string;
  readonly received: string;
  /** Whether it said that it will send no more. */
  readonly hasEndedInput: boolean;
  /** Whether the server ended the connection after its replies. */
  readonly isEnded: boolean;
  /** Whether the server ended it at once. */
  readonly isKilled: boolean;
  /** Whether something outside this exchange may have made the server do that. */
  readonly mayBeKilled: boolean;
}

export class Conversation {
  private readonly rules: Rules;
  private readonly exchange: Exchange;
  private readonly invariants: Invariants;
  private readonly reader: ReplyReader;
  private readonly expected: Expected;
  /** Whether it was killed, so that replies are missing. */
  private isCut = false;

  constructor(rules: Rules, exchange: Exchange, invariants: Invariants) {
    this.rules = rules;
    this.exchange = exchange;
    this.invariants = invariants;
    this.reader = new ReplyReader(exchange.received);
    this.expected = new Expected(rules, invariants, exchange.client);
  }

  /** Throws Broken where the server did anything but what it has to. */
  check(): void {
    const { sent, isKilled, mayBeKilled, hasEndedInput, isEnded } = this.exchange;
    for (let at = 0; !this.expected.isOver && !this.isCut; ) {
      const found = readRequest(sent, at, this.rules.limits, !this.expected.isLoggedIn);
      if (found.kind === "incomplete") break;
      if (found.kind === "error") {
        this.expectProtocolError(found.text);
        break;
      }
      this.read(found.words);
      at = found.end;
    }
    if (this.isCut) {
      if (/del/i.test(sent)) this.invariants.disturbedAll();
      return;
    }
    if (!this.reader.isAtEnd) throw new Broken(`a reply to nothing: ${this.reader.rest}`);
    if (isKilled && !mayBeKilled) throw new Broken("the connection was killed");
    const mustEnd = this.expected.isOver || hasEndedInput;
    if (!isKilled && isEnded !== mustEnd && !this.expected.mayEnd) {
      throw new Broken(mustEnd ? "the connection was not ended" : "the connection was ended");
    }
  }

  private expectProtocolError(text: string): void {
    this.expected.isOver = true;
    if (this.expected.mode !== "on") return;
    const reply = this.next("what is no request");
    const isRight = reply?.type === "error" && reply.text.startsWith(`ERR Protocol error: ${text}`);
    if (reply !== undefined && !isRight) throw wrong(reply, `Protocol error: ${text}`);
  }

  private read(words: readonly string[]): void {
    if (this.expected.mode === "skip next") this.expected.mode = words.length === 0 ? "on" : "skip";
    if (words.length === 0) return;
    if (/^(post|host:)$/i.test(words[0]!) || words[0] === "PROXY") {
      // A browser, or a balancer: it gets no answer, and the connection ends.
      this.expected.isOver = true;
      return;
    }
    const expectation = this.expected.expect(words);
    const isVisible = this.expected.mode === "on";
    if (this.expected.mode === "skip") this.expected.mode = "on";
    const reply = isVisible ? this.next(words.join(" ")) : undefined;
    if (isVisible && reply === undefined) return;
    try {
      expectation(reply);
    } catch (error) {
      if (!(error instanceof Broken)) throw error;
      const asked = JSON.stringify(words.join(" ").slice(0, 200));
      throw new Broken(`${asked}: ${error.message}`);
    }
  }

  /** The next reply; undefined where there is none, and rightly so. */
  private next(asked: string): Reply | undefined {
    const reply = this.reader.read();
    if (reply !== undefined) return reply;
    const { isKilled, isEnded, mayBeKilled } = this.exchange;
    this.isCut = isKilled && mayBeKilled;
    this.expected.isOver ||= this.expected.mayEnd && isEnded;
    if (this.isCut || (this.expected.mayEnd && isEnded)) return undefined;
    throw new Broken(`no whole reply to ${JSON.stringify(asked.slice(0, 200))}`);
  }
}
