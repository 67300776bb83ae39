/**
 * Everything that a service takes from outside. A test, a simulation or a bench can replace it.
 */

import type { Log, LogFields } from "../base/log.ts";
import type { Store } from "../storage/store.ts";
import type { Identity } from "./node/membership.ts";
import { type Clock, realClock } from "./stores/monotonic.ts";
import type { LeaseStore } from "./stores/store.ts";

/** The part of a World that the server uses. */
export interface ServerWorld {
  readonly clock: Clock;
  readonly log: Log;
  /** Runs work at the end of this turn of the event loop, in the order in which it is given. */
  readonly schedule: (work: () => void) => void;
  /** Runs work periodically. Answers a function that ends this. */
  readonly every: (milliseconds: number, work: () => void) => () => void;
  /** Adds a line to the audit file; undefined if there is none. */
  readonly audit?: ((action: string, fields: LogFields) => void) | undefined;
  /** Called when a client asks the server to stop. */
  readonly onShutdown: (reason: string) => void;
  /** Called for an error after which the server must stop and no reply may leave any more. */
  readonly onFatal: (error: unknown) => void;
}

/** The other nodes of a cluster, as one node reaches them. */
export interface OtherNodes<S extends Store> {
  readonly leaseStore: LeaseStore;
  /** Answers the part of the node's identity that its own store does not have. */
  readonly identityOf: (store: S) => Identity;
}

export interface World<S extends Store> extends ServerWorld {
  readonly openStore: () => S;
  /** The other nodes; undefined for a node alone. */
  readonly nodes?: OtherNodes<S> | undefined;
}

/** The clock, the end of turns and the timers of this process. */
export const inRealTime: Pick<ServerWorld, "clock" | "schedule" | "every"> = {
  clock: realClock,
  schedule: (work) => void setImmediate(work),
  every: (milliseconds, work) => {
    const timer = setInterval(work, milliseconds);
    return () => clearInterval(timer);
  },
};
