/**
 * What a command is, and what it may ask of the connection and the server it runs in. The table of
 * them is in table.ts.
 */

import { Refusal } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { TimeSlices } from "../../base/time-slices.ts";
import { LeaseStoreUnavailable } from "../../cluster/stores/store.ts";
import type { Config, Right } from "../../config/settings.ts";
import type { Dispenser } from "../../dispenser/dispenser.ts";
import type { Answer, Catalog } from "../../engine/catalog.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Replies } from "../../resp/encode.ts";
import { DiskUnavailable } from "../../storage/store.ts";
import type { Access, User } from "../access/users.ts";
import type { Transaction } from "./transaction.ts";

/** Which replies a client wants (CLIENT REPLY). */
export type ReplyMode =
  | "on"
  | "off"
  /** Not that of the command under way. */
  | "skip"
  /** Nor that of the one after it. */
  | "skip next";

/** A request that waits for EXEC. */
export interface Queued {
  readonly command: Command;
  readonly args: readonly string[];
}

/** The connection a command came on. */
export interface Session {
  readonly id: number;
  /** "host:port" of the client; "unix:" and the socket's path. */
  readonly address: string;
  /** The same of the server's end. */
  readonly localAddress: string;
  /** The client's host alone: many connections may share it. */
  readonly host: string;
  readonly connectedAtMs: number;
  readonly lastActiveMs: number;
  /** Whether the client is on this machine: on the loopback interface or a unix socket. */
  readonly isLocal: boolean;
  readonly replies: Replies;
  /** Who it is; undefined until it has logged in. */
  user: User | undefined;
  /** Requests gathered between MULTI and EXEC; undefined outside. */
  transaction: Transaction<Queued> | undefined;
  replyMode: ReplyMode;
  /** What the client calls itself and its library; empty until it says so. */
  name: string;
  library: string;
  libraryVersion: string;
  /** The full name of the last command. */
  lastCommand: string;
  /** Whether the connection ends after this reply. */
  closes: boolean;
  /** The reply of the command under way waits for this commit; 0 for none. */
  dependsOn: number;
  /** Bytes of requests that wait to be whole, or to be looked at. */
  readonly requestBytes: number;
  /** Bytes of replies that the client has not taken. */
  readonly replyBytes: number;
  /**
   * The command under way answers when this work is done, which ends with the reply to append. Until
   * then no other request of this client is looked at.
   */
  block(work: Promise<() => void>): void;
  /** Runs a command of a transaction: its reply is a part of EXEC's, and waits by itself. */
  runQueued(work: () => void): void;
  /** Whether the command under way runs in EXEC, where it must not block(). */
  readonly isInTransaction: boolean;
  /** Ends the connection at once. */
  kill(): void;
}

/** What the server counts since it was started. */
export interface Counters {
  connections: number;
  refusedConnections: number;
  commands: number;
  commits: number;
  heldReplies: number;
  bytesIn: number;
  bytesOut: number;
  /** Connections that wait for work that takes longer than a turn, now. */
  blocked: number;
}

/** What a server has counted that was just started. */
export const noCounts = (): Counters => ({
  connections: 0,
  refusedConnections: 0,
  commands: 0,
  commits: 0,
  heldReplies: 0,
  bytesIn: 0,
  bytesOut: 0,
  blocked: 0,
});

/** The server around the commands. */
export interface ServerForCommands {
  readonly config: Config;
  readonly access: Access;
  readonly jobs: TimeSlices;
  readonly log: Log;
  readonly port: number;
  /** A clock that only goes forwards, in milliseconds. */
  readonly now: () => number;
  readonly sleep: (milliseconds: number) => Promise<void>;
  readonly startedAtMs: number;
  readonly sessions: ReadonlySet<Session>;
  readonly counters: Counters;
  /** Clients at a time: the setting, or less where the process may not open as many files. */
  readonly clientsMax: number;
  /** Whether it is being stopped: no request is answered any more. */
  readonly isStopping: boolean;
  /** Why the last commit failed; undefined while storage works. */
  readonly storageTrouble: string | undefined;
  /** The dispensers by name, of this node alone or shared with others. */
  readonly catalog: Catalog;
  /** Changes settings that may be changed while it runs. Answers why it cannot be. */
  configure(changes: Partial<Config>): string | undefined;
  /** Sets what is counted since the start back to 0. */
  resetCounters(): void;
  /** Begins the clean shutdown. */
  shutdown(reason: string): void;
}

export interface Call {
  readonly engine: Engine;
  readonly server: ServerForCommands;
  readonly session: Session;
  readonly replies: Replies;
  /** The words behind the command's name (and its subcommand's), as byte strings. */
  readonly args: readonly string[];
}

/** What a command answers that waited for the store that nodes share in vain. Throws what is no failure. */
export function failureOf(error: unknown): Refusal {
  const { message } = error as Error;
  if (error instanceof LeaseStoreUnavailable)
    return new Refusal(`ERR store unavailable: ${message}`);
  if (error instanceof DiskUnavailable) return new Refusal(`ERR storage unavailable: ${message}`);
  throw error;
}

/** Answers a command with what the catalog answers: at once, or when that is there. */
export function whenDone<T>(
  { session, replies }: Call,
  result: Answer<T>,
  answer: (result: T) => void,
): void {
  if (!(result instanceof Promise)) return answer(result);
  session.block(
    result.then(
      (result) => () => answer(result),
      (error: unknown) => () => replies.error(failureOf(error).message),
    ),
  );
}

/** Flags of COMMAND, as in Redis. */
export type CommandFlag =
  | "write"
  | "readonly"
  | "admin"
  | "fast"
  | "loading"
  | "stale"
  | "noscript"
  /** Needs no log-in. */
  | "no_auth"
  /** Not between MULTI and EXEC. */
  | "no_multi";

/** What a request needs that its command alone does not tell. */
export interface MoreNeeded {
  /** What needs it, as an error shows it. */
  readonly what: string;
  readonly right: Right;
  /** Names of dispensers, as byte strings. */
  readonly names: readonly string[];
}

export interface Command {
  /** Of a subcommand "client|id". */
  readonly name: string;
  /** Words with the name; negative: at least so many. */
  readonly arity: number;
  readonly flags: readonly CommandFlag[];
  /** First and last word that is a name of a dispenser (-1: to the end); 0 for none. */
  readonly keys: readonly [first: number, last: number];
  readonly group: "dispenser" | "connection" | "transactions" | "server";
  /** What a user needs for it; undefined: to be logged in. */
  readonly right?: Right;
  /** What these arguments need besides: a right for what they ask, of names that are not among `keys`. */
  readonly needsMore?: (args: readonly string[]) => MoreNeeded | undefined;
  readonly summary: string;
  /**
   * What has to be there of its keys, in a cluster, before it can run: the names, or a number of each as
   * well. Undefined where it sees to that itself, or needs nothing.
   */
  readonly needs?: "names" | "numbers";
  /** Whether it changes names for all nodes of a cluster, which takes longer than a turn. */
  readonly isShared?: boolean;
  /** By their own names; a command that has some is one of them where a second word follows. */
  readonly subcommands?: ReadonlyMap<string, Command>;
  run(call: Call): void;
}

/** A text as Redis shows it in an error, where it is a string of C, which a NUL ends. */
export function upToNul(text: string): string {
  const nul = text.indexOf("\0");
  return nul < 0 ? text : text.slice(0, nul);
}

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/** A 64-bit integer as Redis reads it (util.c, string2ll); undefined for anything else. */
export function readInteger(text: string): bigint | undefined {
  if (!/^(0|-?[1-9][0-9]{0,18})$/.test(text)) return undefined;
  const value = BigInt(text);
  return value < INT64_MIN || value > INT64_MAX ? undefined : value;
}

/** The names among the words behind a command's name. */
export function keysIn(
  { keys: [first, last] }: Command,
  args: readonly string[],
): readonly string[] {
  if (first === 0) return [];
  return args.slice(first - 1, last < 0 ? undefined : last);
}

/** Lets the reply of the command under way wait for a commit; 0 for none. */
export function waitFor(session: Session, commit: number): void {
  session.dependsOn = Math.max(session.dependsOn, commit);
}

/** The dispenser of a name, for its definition; the reply waits for what that depends on. */
export function lookUp({ engine, session }: Call, name: string): Dispenser | undefined {
  const dispenser = engine.find(name);
  waitFor(session, engine.dependsOnName(name));
  return dispenser;
}

/** A subcommand as the table of its command lists it. */
type Subcommand = Pick<Command, "arity" | "summary" | "run"> &
  Partial<Pick<Command, "flags" | "right">>;

/** The subcommands of a command, with HELP, which lists them. */
export function subcommandsOf(
  parent: Pick<Command, "name" | "flags" | "group">,
  listed: Readonly<Record<string, Subcommand>>,
): ReadonlyMap<string, Command> {
  const help: Subcommand = {
    arity: 2,
    summary: "Lists the subcommands",
    run: ({ replies }) => {
      const lines = Object.entries(all).flatMap(([name, { summary }]) => [
        name.toUpperCase(),
        `    ${summary}.`,
      ]);
      replies.array(lines.length + 1);
      replies.simple(`${parent.name.toUpperCase()} <subcommand> [<arg> ...]. Subcommands are:`);
      for (const line of lines) replies.simple(line);
    },
  };
  const all: Record<string, Subcommand> = { ...listed, help };
  return new Map(
    Object.entries(all).map(([name, subcommand]) => [
      name,
      {
        flags: parent.flags,
        ...subcommand,
        name: `${parent.name}|${name}`,
        keys: [0, 0],
        group: parent.group,
      },
    ]),
  );
}

/** A command that is nothing without a subcommand. */
export function container(
  parent: Pick<Command, "name" | "flags" | "group" | "summary">,
  listed: Readonly<Record<string, Subcommand>>,
): Command {
  const subcommands = subcommandsOf(parent, listed);
  // Its arity asks for a second word, which is always that of a subcommand.
  const { run } = subcommands.get("help")!;
  return { ...parent, arity: -2, keys: [0, 0], subcommands, run };
}
