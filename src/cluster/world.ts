/**
 * What a service takes from outside, so that a test, a simulation or a bench can replace what the process provides.
 */

import type { Log } from "../base/log.ts";
import type { Store } from "../storage/store.ts";
import type { Identity } from "./node/membership.ts";
import { type Clock, realClock } from "./stores/monotonic.ts";
import type { LeaseStore } from "./stores/store.ts";

/** What the server takes from outside. */
export interface ServerWorld {
  readonly clock: Clock;
  readonly log: Log;
  /** Runs work at the end of this turn of the event loop, in the order in which it is given. */
  readonly schedule: (work: () => void) => void;
  /** Runs work periodically; the function it answers ends that. */
  readonly every: (milliseconds: number, work: () => void) => () => void;
  /** Called when a client asks the server to stop. */
  readonly onShutdown: (reason: string) => void;
  /** Called for an error after which the server must not go on: no reply may leave any more. */
  readonly onFatal: (error: unknown) => void;
}

/** What a node of a cluster takes from outside. */
export interface OtherNodes<S extends Store> {
  readonly leaseStore: LeaseStore;
  /** The node's identity, as far as its own store does not have it. */
  readonly identityOf: (store: S) => Identity;
}

export interface World<S extends Store> extends ServerWorld {
  readonly openStore: () => S;
  /** The other nodes; undefined for a node alone. */
  readonly nodes?: OtherNodes<S> | undefined;
}

/** The clock, the turns and the timers of this process. */
export const inRealTime: Pick<ServerWorld, "clock" | "schedule" | "every"> = {
  clock: realClock,
  schedule: (work) => void setImmediate(work),
  every: (milliseconds, work) => {
    const timer = setInterval(work, milliseconds);
    return () => clearInterval(timer);
  },
};
