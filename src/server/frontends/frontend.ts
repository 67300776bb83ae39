/**
 * A way in for clients, as RESP over sockets (resp.ts) is one. A frontend only translates: what its clients ask for
 * becomes commands of sessions, and whatever it sends of numbers waits for the commit of the turn.
 */

import type { TimeSlices } from "../../base/time-slices.ts";
import type { Engine } from "../../engine/engine.ts";
import type { ServerForCommands, Session } from "../commands/command.ts";
import type { CommitTurn } from "../session/commit-turn.ts";

/** A clean stop waits so long, at most, for the lease store, and for clients to take replies under way. */
export const FINISH_MS_MAX = 500;

export interface Frontend {
  /** Where it listens, with the ports it got. */
  readonly addresses: readonly string[];
  /** Begins to accept clients. Throws CannotStart, and listens nowhere then. */
  start(): void;
  /** Accepts no clients any more; those that are there may still get replies. */
  refuseClients(): void;
  /** All replies are there: sends them, and ends the connections. Takes FINISH_MS_MAX, at most. */
  stop(): Promise<void>;
}

/** The server around a frontend. */
export interface ServerForFrontends extends ServerForCommands {
  readonly engine: Engine;
  /** The commit that replies wait for. */
  readonly turn: CommitTurn;
  /** All that are connected: a frontend adds and removes its own. */
  readonly sessions: Set<Session>;
  /** Runs what may end in something that must stop the server at once. */
  readonly guarded: (work: () => void) => void;
  /** Runs work again and again, until the server is stopped. */
  every(milliseconds: number, work: () => void): void;
  /** A queue of work that is done step by step; `stepsMax` is how many steps a turn may have. */
  slices(stepsMax?: number): TimeSlices;
}
