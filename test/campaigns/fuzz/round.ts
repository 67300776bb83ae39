/** A round: some inputs at once, each from a client of its own, until all replies are there. */

import type { Prng } from "../../../testkit/prng.ts";
import { Client, type Input } from "./client.ts";
import { Conversation, type Exchange } from "./conversation.ts";
import type { Invariants } from "./invariants.ts";
import { Broken } from "./replies.ts";
import type { FuzzedServer } from "./server.ts";

/** A round that takes more turns than this hangs. */
const TURNS_MAX = 20_000;

export class Round {
  private readonly server: FuzzedServer;
  private readonly prng: Prng;
  private readonly clients: readonly Client[];

  constructor(server: FuzzedServer, prng: Prng, inputs: readonly Input[], firstId: number) {
    this.server = server;
    this.prng = prng;
    this.clients = inputs.map((input, index) => new Client(server, firstId + index, input));
  }

  /** Sends all of it. Answers what was said, or a promise where a reply takes until later. */
  run(): Exchange[] | Promise<Exchange[]> {
    this.play();
    return this.isWaiting ? this.wait() : this.finish();
  }

  private get isWaiting(): boolean {
    return this.server.counters.blocked > 0;
  }

  /** Sends and takes turns until nothing is left to do now. */
  private play(): void {
    const { prng, server, clients } = this;
    for (let turns = 0; turns < TURNS_MAX; turns++) {
      let isIdle = true;
      for (const client of clients) {
        // A chunk may have been under way when the server paused.
        while (client.isSending && (!client.isPaused || prng.once(16))) {
          client.send();
          isIdle = false;
          if (prng.once(3)) break;
        }
        if (!client.isSending) client.endInput();
        if (client.isFull) {
          client.makeRoom();
          isIdle = false;
        }
      }
      if (!server.endTurn() && isIdle) return;
    }
    throw new Broken(`nothing is over after ${TURNS_MAX} turns`);
  }

  /** For replies that take longer than a turn. */
  private async wait(): Promise<Exchange[]> {
    for (let turns = 0; this.isWaiting; turns++) {
      if (turns > TURNS_MAX) throw new Broken("a reply never came");
      await new Promise<void>((resolve) => void setImmediate(resolve));
      this.play();
    }
    return this.finish();
  }

  private finish(): Exchange[] {
    if (this.server.error !== undefined) throw this.server.error;
    return this.clients.map((client) => client.leave());
  }
}

/** Whether what was said in a round is right. */
export function checkRound(
  server: FuzzedServer,
  invariants: Invariants,
  exchanges: readonly Exchange[],
): void {
  const mayKill = exchanges.some(({ sent }) => /kill/i.test(sent));
  for (const exchange of exchanges) {
    const mayBeKilled = exchange.mayBeKilled || (mayKill && exchanges.length > 1);
    const { client, sent, received } = exchange;
    try {
      new Conversation(server.rules, { ...exchange, mayBeKilled }, invariants).check();
    } catch (error) {
      if (!(error instanceof Broken)) throw error;
      const said = `sent ${JSON.stringify(sent)}\nreceived ${JSON.stringify(received)}`;
      throw new Broken(`client ${client}: ${error.message}\n${said}`);
    }
  }
  invariants.check();
}
