/**
 * The interface of a frontend, which translates one protocol; resp.ts is one. It turns requests of
 * its clients into commands of sessions, and sends no number before the commit of its turn is over.
 */

import type { TimeSlices } from "../../base/time-slices.ts";
import type { Engine } from "../../engine/engine.ts";
import type { ServerForCommands, Session } from "../commands/command.ts";
import type { CommitTurn } from "../session/commit-turn.ts";

/**
 * How long a clean stop waits for the lease store, and for clients to take the replies under way.
 */
export const FINISH_MS_MAX = 500;

export interface Frontend {
  /** The addresses it listens on, with the actual ports. */
  readonly addresses: readonly string[];
  /** Begins to accept clients. If it throws CannotStart, it listens nowhere. */
  start(): void;
  /** Accepts no more clients; connected clients may still get replies. */
  refuseClients(): void;
  /** Sends the replies, all of which are ready, and ends the connections within FINISH_MS_MAX. */
  stop(): Promise<void>;
}

/** The server around a frontend. */
export interface ServerForFrontends extends ServerForCommands {
  readonly engine: Engine;
  /** The commit that replies wait for. */
  readonly turn: CommitTurn;
  /** The sessions of all frontends; each frontend adds and removes its own. */
  readonly sessions: Set<Session>;
  /** Runs work; an error that it throws stops the server at once. */
  readonly guarded: (work: () => void) => void;
  /** Runs work periodically until the server is stopped. */
  every(milliseconds: number, work: () => void): void;
  /** Runs work in a later turn of the event loop. */
  later(work: () => void): void;
  /** Makes a queue of work that is done in steps, at most `stepsMax` of them in a turn. */
  slices(stepsMax?: number): TimeSlices;
}
