/**
 * What a service takes from outside, so that it can be another's: the process's own, or that of a test, a simulation or
 * a bench.
 */

import type { Log } from "../base/log.ts";
import type { Store } from "../storage/store.ts";
import type { Identity } from "./node/membership.ts";
import { type Clock, realClock } from "./stores/monotonic.ts";
import type { LeaseStore } from "./stores/store.ts";

/** What the server itself takes. */
export interface ServerWorld {
  readonly clock: Clock;
  readonly log: Log;
  /** Runs work at the end of this turn of the event loop, in the order in which it is given. */
  readonly schedule: (work: () => void) => void;
  /** Runs work again and again; answers what ends that. */
  readonly every: (milliseconds: number, work: () => void) => () => void;
  /** A client asked the server to stop. */
  readonly onShutdown: (reason: string) => void;
  /** Something that must not go on happened: no reply may leave any more. */
  readonly onFatal: (error: unknown) => void;
}

/** What a node of a cluster takes. */
export interface OtherNodes<S extends Store> {
  readonly leaseStore: LeaseStore;
  /** Who the node is, beside what its own store says. */
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
