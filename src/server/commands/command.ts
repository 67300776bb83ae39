/**
 * The interface of a command, and of the session and the server that it runs in. The table of all
 * commands is in table.ts.
 */

import { Refusal } from "../../base/errors.ts";
import type { Log, LogFields } from "../../base/log.ts";
import type { LogSummaries } from "../../base/log-summaries.ts";
import type { TimeSlices } from "../../base/time-slices.ts";
import { LeaseStoreUnavailable } from "../../cluster/stores/store.ts";
import type { Config, Right } from "../../config/settings.ts";
import type { Dispenser } from "../../dispenser/dispenser.ts";
import type { Answer, Catalog } from "../../engine/catalog.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Replies } from "../../resp/encode.ts";
import type { Ledger } from "../../resp/ledger.ts";
import { DiskUnavailable } from "../../storage/store.ts";
import type { Access, User } from "../access/users.ts";
import type { Audit } from "../audit.ts";
import type { CallStats, CommandStats, Counters } from "../counters.ts";
import type { Transaction } from "./transaction.ts";

/** The replies that a client wants (CLIENT REPLY). */
export type ReplyMode =
  | "on"
  | "off"
  /** Drops the reply of the command under way. */
  | "skip"
  /** Drops the reply of the command after this one. */
  | "skip next";

/** A request that waits for EXEC. */
export interface Queued {
  readonly command: Command;
  readonly args: readonly string[];
}

/** The session of the client that sent a command. */
export interface Session {
  readonly id: number;
  /** The client's "host:port", or "unix:" and the socket's path. */
  readonly address: string;
  /** The server's endpoint, in the same form. */
  readonly localAddress: string;
  /** The client's host without the port; many connections may share it. */
  readonly host: string;
  /** Whether it was let in past limits.clients: then it may run commands of operators alone. */
  readonly isReserved: boolean;
  /** What the client makes the server keep is entered here. */
  readonly memory: Ledger;
  readonly connectedAtMs: number;
  readonly lastActiveMs: number;
  /** Whether the client is on this machine: on the loopback interface or a unix socket. */
  readonly isLocal: boolean;
  readonly replies: Replies;
  /** The user of the client; undefined until it has logged in. */
  user: User | undefined;
  /** The transaction between MULTI and EXEC; undefined outside. */
  transaction: Transaction<Queued> | undefined;
  replyMode: ReplyMode;
  /** The names that the client gave itself and its library; empty until then. */
  name: string;
  library: string;
  libraryVersion: string;
  /** The figures of the command under way; undefined if none was called. */
  stats: CallStats | undefined;
  /** The full name of the last command. */
  lastCommand: string;
  /** Whether the connection ends after this reply. */
  closes: boolean;
  /** Whether the connection has closed. */
  readonly isOver: boolean;
  /** The reply of the command under way waits for this commit; 0 for none. */
  dependsOn: number;
  /** Bytes of requests that are incomplete or not run yet. */
  readonly requestBytes: number;
  /** Bytes of replies that are not sent yet. */
  readonly replyBytes: number;
  /**
   * Delays the reply of the command under way until this work is done, which results in a function
   * that appends the reply. Until then no other request of this client is run. `moreBytes` is what
   * the work keeps beside the words of the request.
   */
  block(work: Promise<() => void>, moreBytes?: number): void;
  /** Runs a command of a transaction; its part of EXEC's reply is held for its own commit. */
  runQueued(work: () => void): void;
  /** Whether the command under way runs in EXEC, where it must not block(). */
  readonly isInTransaction: boolean;
  /**
   * Runs a job whose work grows with its input or its output: at once as far as it gets in a slice
   * of this turn, the rest in later turns, as long as the client is there. The job yields after each
   * small step; what it appends to the replies leaves once `atEnd` has been called. `moreBytes` is
   * what it keeps beside the words of the request.
   */
  runJob(job: Iterator<undefined>, atEnd?: () => void, moreBytes?: number): void;
  /** Leaves room for the header of a reply whose length is not known yet; never in EXEC. */
  leaveRoom(): void;
  /** How many bytes were appended since leaveRoom(). */
  readonly bytesBehindRoom: number;
  /** Writes the header for which room was left. */
  fillRoom(header: string): void;
  /** Whether the client is there and its connection is not ending. */
  readonly isServed: boolean;
  /** Ends the connection: what was answered arrives. `reason` is a fixed text, for the log. */
  end(reason: string, fields?: LogFields): void;
}

/** The server around the commands. */
export interface ServerForCommands {
  readonly config: Config;
  readonly access: Access;
  readonly jobs: TimeSlices;
  readonly log: Log;
  /** For what clients can cause at will: a line a second for each kind of event. */
  readonly summaries: LogSummaries;
  /** Tells who did what. */
  readonly audit: Audit;
  readonly port: number;
  /** A clock that only goes forwards, in milliseconds. */
  readonly now: () => number;
  readonly sleep: (milliseconds: number) => Promise<void>;
  readonly startedAtMs: number;
  readonly sessions: ReadonlySet<Session>;
  readonly counters: Counters;
  readonly commandStats: CommandStats;
  /** Clients at a time: the setting, or fewer if the process may not open as many files. */
  readonly clientsMax: number;
  /** Whether new clients are refused because there is no place. */
  readonly isFull: boolean;
  /** Whether the server does not serve yet. */
  readonly isStarting: boolean;
  /** Whether the server is being stopped; then no request is run any more. */
  readonly isStopping: boolean;
  /** Why the last commit failed; undefined while storage works. */
  readonly storageTrouble: string | undefined;
  /** The dispensers by name; a cluster's nodes share them. */
  readonly catalog: Catalog;
  /** Changes settings while the server runs. Answers the reason if it cannot. */
  configure(changes: Partial<Config>): string | undefined;
  /**
   * Waits until what is staged now is durable; at least for a later turn. Answers why it could not be
   * made so.
   */
  committed(): Promise<DiskUnavailable | undefined>;
  /** Sets the counters back to 0. */
  resetCounters(): void;
  /** Begins the clean shutdown. */
  shutdown(reason: string): void;
}

export interface Call {
  readonly engine: Engine;
  readonly server: ServerForCommands;
  readonly session: Session;
  readonly replies: Replies;
  /** The words after the command's name (and its subcommand's), as byte strings. */
  readonly args: readonly string[];
}

/** The reply when the lease store or the disk failed a command. Throws any other error. */
export function failureOf(error: unknown): Refusal {
  const { message } = error as Error;
  if (error instanceof LeaseStoreUnavailable)
    return new Refusal(`ERR store unavailable: ${message}`);
  if (error instanceof DiskUnavailable) return new Refusal(`ERR storage unavailable: ${message}`);
  throw error;
}

/** Runs a command that was allowed, and counts the call. */
export function callCommand(command: Command, call: Call): void {
  const { server, session } = call;
  const stats = server.commandStats.of(command.name);
  const beganMs = server.now();
  stats.calls++;
  session.stats = stats;
  command.run(call);
  stats.microseconds += (server.now() - beganMs) * 1000;
}

/** How many names a command handles in one turn, where it may handle them in several. */
export const NAMES_AT_ONCE_MAX = 256;

/** Answers a command with the catalog's result: at once, or when its promise resolves. */
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

/** The flags that COMMAND shows, as in Redis. */
export type CommandFlag =
  | "write"
  | "readonly"
  | "admin"
  | "fast"
  | "loading"
  | "stale"
  | "noscript"
  /** Allowed before the client has logged in. */
  | "no_auth"
  /** Refused between MULTI and EXEC. */
  | "no_multi";

/** A right that some requests of a command need in addition to the command's own. */
export interface MoreNeeded {
  /** The kind of request that needs it, as an error shows it. */
  readonly what: string;
  readonly right: Right;
  /** Names of dispensers, as byte strings. */
  readonly names: readonly string[];
}

export interface Command {
  /** In lower case; a subcommand has its parent's name in front: "client|id". */
  readonly name: string;
  /** The number of words with the name; if negative, the least number. */
  readonly arity: number;
  readonly flags: readonly CommandFlag[];
  /** The first and last word that is a dispenser's name (last -1: to the end); 0 for none. */
  readonly keys: readonly [first: number, last: number];
  readonly group: "dispenser" | "connection" | "transactions" | "server";
  /** The right that a user needs for it; undefined if every user may run it. */
  readonly right?: Right;
  /** Answers what these arguments need in addition: a right, or names that are not in `keys`. */
  readonly needsMore?: (args: readonly string[]) => MoreNeeded | undefined;
  readonly summary: string;
  /**
   * What a node of a cluster has to fetch for its keys before it can run: their definitions, or
   * also a number of each. Undefined if the command fetches that itself, or needs nothing.
   */
  readonly needs?: "names" | "numbers";
  /**
   * Whether it asks the store of a cluster, or changes it for all nodes: that takes longer than a
   * turn.
   */
  readonly isShared?: boolean;
  /** The subcommands by their own names; the second word of a request has to be one of them. */
  readonly subcommands?: ReadonlyMap<string, Command>;
  run(call: Call): void;
}

/** A text as Redis shows it in an error: up to the first NUL, which ends a string in C. */
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

/** The dispensers' names among the arguments of a command. */
export function keysIn(
  { keys: [first, last] }: Command,
  args: readonly string[],
): readonly string[] {
  if (first === 0) return [];
  return args.slice(first - 1, last < 0 ? undefined : last);
}

/** Makes the reply of the command under way wait for a commit; 0 for none. */
export function waitFor(session: Session, commit: number): void {
  session.dependsOn = Math.max(session.dependsOn, commit);
}

/** Finds a dispenser by name to show its definition; the reply waits for the commit of that. */
export function lookUp({ engine, session }: Call, name: string): Dispenser | undefined {
  const dispenser = engine.find(name);
  waitFor(session, engine.dependsOnName(name));
  return dispenser;
}
