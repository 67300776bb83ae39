/**
 * What a command is, and what it may ask of the connection and the server it runs in. The table of
 * them is in commands.ts.
 */

import type { Config } from "../config.ts";
import type { Dispenser } from "../dispenser/dispenser.ts";
import type { Engine } from "../engine.ts";
import type { Replies } from "../resp/encode.ts";

/** The connection a command came on. */
export interface Session {
  readonly id: number;
  /** "host:port" of the client. */
  readonly address: string;
  readonly connectedAtMs: number;
  /** Whether it may stop the server and back it up: it is on the loopback interface. */
  readonly isAdministrator: boolean;
  readonly replies: Replies;
  /** What the client calls itself and its library; empty until it says so. */
  name: string;
  library: string;
  libraryVersion: string;
  /** Whether the connection ends after this reply. */
  closes: boolean;
  /** The reply of the command under way waits for this commit; 0 for none. */
  dependsOn: number;
  /** Whether it waits for work that takes longer than a turn. */
  readonly isBlocked: boolean;
  /**
   * The command under way answers when this work is done, which ends with the reply to append. Until
   * then no other request of this client is looked at.
   */
  block(work: Promise<() => void>): void;
}

/** What the server counts since it was started. */
export interface Counters {
  connections: number;
  refusedConnections: number;
  commands: number;
  commits: number;
  heldReplies: number;
}

/** The server around the commands. */
export interface Server {
  readonly config: Config;
  readonly port: number;
  /** A clock that only goes forwards, in milliseconds. */
  readonly now: () => number;
  readonly startedAtMs: number;
  readonly sessions: ReadonlySet<Session>;
  readonly counters: Counters;
  /** Whether it is being stopped: no request is answered any more. */
  readonly isStopping: boolean;
  /** Why the last commit failed; undefined while storage works. */
  readonly storageTrouble: string | undefined;
  /** Begins the clean shutdown. */
  shutdown(reason: string): void;
}

export interface Call {
  readonly engine: Engine;
  readonly server: Server;
  readonly session: Session;
  readonly replies: Replies;
  /** The words behind the command's name, as byte strings. */
  readonly args: readonly string[];
}

/** Flags of COMMAND, as in Redis. */
export type CommandFlag =
  | "write"
  | "readonly"
  | "admin"
  | "fast"
  | "loading"
  | "stale"
  | "noscript";

export interface Command {
  readonly name: string;
  /** Words with the name; negative: at least so many. */
  readonly arity: number;
  readonly flags: readonly CommandFlag[];
  /** First and last word that is a name of a dispenser (-1: to the end); 0 for none. */
  readonly keys: readonly [first: number, last: number];
  readonly group: "dispenser" | "connection" | "server";
  readonly summary: string;
  run(call: Call): void;
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
