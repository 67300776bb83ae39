/**
 * What the requests of one connection have to be answered with. The state that decides on replies
 * (CLIENT REPLY, MULTI, HELLO, AUTH) is followed here by rules of its own.
 */

import type { Invariants } from "./invariants.ts";
import type { ReaderLimits } from "./reference.ts";
import { Broken, type Reply } from "./replies.ts";
import { commandOf, isNumber, shapeOf, type Version } from "./shapes.ts";

export interface Rules {
  readonly limits: ReaderLimits;
  /** Those who may log in, and how. */
  readonly passwords: ReadonlyMap<string, string>;
  /** Whether everybody is logged in from the start. */
  readonly isOpen: boolean;
}

/** Given the reply, or undefined where none was wanted. */
export type Expectation = (reply: Reply | undefined) => void;

interface Transaction {
  readonly queue: (readonly string[])[];
  isBroken: boolean;
}

const NO_LOG_IN = new Set(["hello", "auth", "reset", "quit", "ready"]);
const NOT_QUEUED = new Set(["exec", "discard", "multi", "quit", "reset"]);
/** Why a command may not be queued; an input may have set limits.take. */
const REFUSES_TO_QUEUE =
  /^NOPERM |^ERR transaction too large|^ERR (GET|MGET|a transaction) takes at most /;
const CODES = /^(ERR|NOPERM|NOAUTH|NOPROTO|WRONGPASS|EXECABORT) /;
const RESP2_TYPES = new Set(["simple", "error", "integer", "bulk", "null bulk", "array"]);

export class Expected {
  isLoggedIn: boolean;
  mode: "on" | "off" | "skip" | "skip next" = "on";
  /** Whether the server has to end the connection here. */
  isOver = false;
  /** Whether it may, as the client asked for connections to be killed. */
  mayEnd = false;
  private readonly rules: Rules;
  private readonly invariants: Invariants;
  private readonly client: number;
  /** Undefined where a transaction without replies may have changed it. */
  private version: Version | undefined = 2;
  private transaction: Transaction | undefined;

  constructor(rules: Rules, invariants: Invariants, client: number) {
    this.rules = rules;
    this.invariants = invariants;
    this.client = client;
    this.isLoggedIn = rules.isOpen;
  }

  /** Follows a request; what is answered then judges its reply. */
  expect(words: readonly string[]): Expectation {
    const command = commandOf(words);
    const shape = command === undefined ? undefined : shapeOf.get(command)!;
    if (command === "del") for (const name of words.slice(1)) this.invariants.disturbed(name);
    const isRefused =
      command === undefined ||
      words.length < shape!.words[0] ||
      words.length > shape!.words[1] ||
      (!this.isLoggedIn && !NO_LOG_IN.has(command)) ||
      (this.transaction !== undefined && shape!.isAlone === true);
    if (isRefused) return this.refuse(words[0]!.toLowerCase());
    if (this.transaction === undefined || NOT_QUEUED.has(command)) {
      return this.perform(command, words.slice(command.includes("|") ? 2 : 1));
    }
    return this.enqueue(this.transaction, words);
  }

  private refuse(name: string): Expectation {
    if (name === "exec") this.transaction = undefined;
    else if (this.transaction !== undefined) this.transaction.isBroken = true;
    return expectError;
  }

  private enqueue(transaction: Transaction, words: readonly string[]): Expectation {
    return (reply) => {
      if (reply?.type === "error" && REFUSES_TO_QUEUE.test(reply.text)) {
        transaction.isBroken = true;
        return;
      }
      transaction.queue.push(words);
      if (reply !== undefined && reply.text !== "QUEUED") throw wrong(reply, "QUEUED");
    };
  }

  /** What the command does to the state of the connection, and the reply it has to have. */
  private perform(command: string, args: readonly string[]): Expectation {
    switch (command) {
      case "exec":
        return this.execute();
      case "multi":
        if (this.transaction !== undefined) return expectError;
        this.transaction = { queue: [], isBroken: false };
        return (reply) => this.fit(command, args, reply, true);
      case "discard": {
        const isRight = this.transaction !== undefined;
        this.transaction = undefined;
        return isRight ? (reply) => this.fit(command, args, reply, true) : expectError;
      }
      case "reset":
        this.transaction = undefined;
        this.isLoggedIn = this.rules.isOpen;
        if (this.mode !== "skip") this.mode = "on";
        this.version = 2;
        break;
      case "ping":
        if (args.length > 1) return expectError;
        break;
      case "quit":
        this.isOver = true;
        break;
      case "client|kill":
        this.mayEnd = true;
        break;
      case "client|reply":
        return this.setMode(args[0]!.toLowerCase());
      case "auth":
        return this.authenticate(args);
      case "hello":
        return this.greet(args);
    }
    return (reply) => this.fit(command, args, reply, shapeOf.get(command)!.succeeds === true);
  }

  private execute(): Expectation {
    const { transaction } = this;
    this.transaction = undefined;
    if (transaction === undefined || transaction.isBroken) return expectError;
    return (reply) => {
      const { queue } = transaction;
      if (reply === undefined) {
        if (queue.some((words) => /^hello$/i.test(words[0]!))) this.version = undefined;
        return;
      }
      if (reply.type !== "array" || reply.items.length !== queue.length) {
        throw wrong(reply, `${queue.length} replies`);
      }
      for (const [index, words] of queue.entries()) {
        const command = commandOf(words)!;
        this.perform(command, words.slice(command.includes("|") ? 2 : 1))(reply.items[index]);
      }
    };
  }

  private setMode(wanted: string): Expectation {
    const isSkip = wanted === "skip";
    if (wanted !== "on" && wanted !== "off" && !isSkip) return expectError;
    if (!isSkip) this.mode = wanted;
    else if (this.mode !== "off") this.mode = "skip next";
    return (reply) => this.fit("client|reply", [], reply, true);
  }

  private logIn(user: string, password: string): boolean {
    const isRight =
      (user === "default" && this.rules.isOpen) || this.rules.passwords.get(user) === password;
    this.isLoggedIn ||= isRight;
    return isRight;
  }

  private authenticate(args: readonly string[]): Expectation {
    const [first, second] = args as [string, string | undefined];
    const hasNone = second === undefined && !this.rules.passwords.has("default");
    if (args.length > 2 || hasNone) return expectError;
    const isRight = second === undefined ? this.logIn("default", first) : this.logIn(first, second);
    return isRight ? (reply) => this.fit("auth", args, reply, true) : expectError;
  }

  private greet([protocol, ...options]: readonly string[]): Expectation {
    if (protocol !== undefined && protocol !== "2" && protocol !== "3") return expectError;
    for (let at = 0; at < options.length; ) {
      const left = options.length - at;
      const option = options[at]!.toLowerCase();
      if (option === "auth" && left > 2) {
        if (!this.logIn(options[at + 1]!, options[at + 2]!)) return expectError;
        at += 3;
      } else if (option === "setname" && left > 1) {
        if (!/^[!-~]{0,255}$/.test(options[at + 1]!)) return expectError;
        at += 2;
      } else return expectError;
    }
    if (!this.isLoggedIn) return expectError;
    if (protocol !== undefined) this.version = protocol === "2" ? 2 : 3;
    return (reply) => this.fit("hello", options, reply, true);
  }

  private fit(
    command: string,
    args: readonly string[],
    reply: Reply | undefined,
    mustSucceed: boolean,
  ): void {
    if (reply === undefined) return;
    this.checkTypes(reply);
    if (reply.type === "error") {
      if (mustSucceed || !CODES.test(reply.text)) throw wrong(reply, "no such error");
      return;
    }
    const isRight = shapeOf.get(command)!.fits(reply, args, this.version ?? versionOf(reply));
    if (!isRight) throw wrong(reply, `what ${command} answers`);
    if (command === "get") this.invariants.took(args[0]!, this.client, reply.text);
    if (command !== "mget") return;
    for (const [index, item] of reply.items.entries()) {
      if (isNumber(item)) this.invariants.took(args[index]!, this.client, item.text);
    }
  }

  /** Types of the other protocol must not be among them. */
  private checkTypes({ type, items }: Reply): void {
    const isForeign = this.version === 2 ? !RESP2_TYPES.has(type) : type === "null bulk";
    if (isForeign && this.version !== undefined) {
      throw new Broken(`a ${type} in RESP${this.version}`);
    }
    for (const item of items) this.checkTypes(item);
  }
}

const expectError: Expectation = (reply) => {
  if (reply === undefined) return;
  if (reply.type !== "error" || !CODES.test(reply.text)) throw wrong(reply, "an error");
};

/** The protocol that a reply is of, where it shows. */
function versionOf(reply: Reply): Version {
  return RESP2_TYPES.has(reply.type) ? 2 : 3;
}

export function wrong(reply: Reply, expected: string): Broken {
  return new Broken(`${JSON.stringify(reply).slice(0, 300)}, not ${expected}`);
}
