/**
 * What a node remembers of itself in its data folder: which part of all lines it has, or which cluster
 * it is of, as whom, and what it last knew of the store.
 */

import { readFileSync, statSync } from "node:fs";
import type { Remembered } from "../gathering.ts";
import { CannotStart } from "../refusal.ts";
import type { Store } from "../store/store.ts";

/** A start of a node, as the store knows it. */
export interface Start {
  readonly generation: number;
  readonly token: string;
}

/** Where a folder is: a copy of it is elsewhere. */
export interface Whereabouts {
  /** Of the database file. */
  readonly inode: string;
  /** When that was made, in nanoseconds; empty where the file system does not say. */
  readonly born: string;
  /** Empty where the machine has no name for itself. */
  readonly machine: string;
}

export interface Membership {
  readonly cluster: string;
  readonly node: string;
  /** The last start that the store has for certain. */
  readonly start: Start;
  /** Starts since then: the store may have the last, or one before that it was late with. */
  readonly intended: readonly Start[];
  readonly whereabouts: Whereabouts;
  /** Leases that are on this disk. */
  readonly sequence: number;
  /** Leases that the store may have. */
  readonly intendedSequence: number;
  /** The store's, as last seen. */
  readonly identity: string;
  readonly timeline: string;
  readonly revision: string;
  readonly epoch: number;
  /** Changes of names are known up to this revision. */
  readonly namesRevision: string;
}

/** A node that was alone and is on its way into a cluster. */
export interface Joining {
  readonly cluster: string;
  readonly node: string;
  /** A line's id in the cluster is its own one and this. */
  readonly base: number;
}

export interface NodeState {
  /** "i/n", where nodes share their lines without a store. */
  readonly place?: string;
  readonly membership?: Membership;
  readonly joining?: Joining;
  /** Of a node alone, and of one of `place`: where its folder is at home. */
  readonly home?: Whereabouts;
}

export function parseState(text: string | undefined): NodeState {
  if (text === undefined) return {};
  try {
    return JSON.parse(text) as NodeState;
  } catch {
    throw new CannotStart("the database is damaged: what the node knows of itself cannot be read");
  }
}

/**
 * A node's membership. What goes with a commit that is being gathered is on disk only when that is: what
 * is saved meanwhile says nothing of it.
 */
export class Memory implements Remembered {
  private readonly store: Store;
  private durable: Membership;
  /** What the commit that is being gathered changes. */
  private staged: Partial<Membership> = {};

  constructor(store: Store, membership: Membership) {
    this.store = store;
    this.durable = membership;
  }

  /** As it is when the commit that is being gathered succeeds. */
  get membership(): Membership {
    return { ...this.durable, ...this.staged };
  }

  /** Changes it with the commit that is being gathered: who calls this has that write it. */
  change(changes: Partial<Membership>): this {
    this.staged = { ...this.staged, ...changes };
    return this;
  }

  /** Changes it at once. Throws as Store.commit() does. */
  save(changes: Partial<Membership>): void {
    const durable = { ...this.durable, ...changes };
    this.store.writeNode(textOf(durable));
    this.durable = durable;
  }

  get text(): string {
    return textOf(this.membership);
  }

  settle(isCommitted: boolean): void {
    if (isCommitted) this.durable = this.membership;
    this.staged = {};
  }
}

const textOf = (membership: Membership): string =>
  JSON.stringify({ membership } satisfies NodeState);

/** Where a database file is now. */
export function whereaboutsOf(path: string): Whereabouts {
  const { ino, birthtimeNs, ctimeNs } = statSync(path, { bigint: true });
  // A file system that does not know it shows the time of the last change.
  const born = birthtimeNs > 0n && birthtimeNs !== ctimeNs ? String(birthtimeNs) : "";
  return { inode: String(ino), born, machine: machineId() };
}

/** Whether a folder is where it was, as far as is known. */
export function isSamePlace(one: Whereabouts, other: Whereabouts): boolean {
  const isSame = (left: string, right: string) => left === right || left === "" || right === "";
  return one.inode === other.inode && isSame(one.born, other.born) && one.machine === other.machine;
}

function machineId(): string {
  try {
    return readFileSync("/etc/machine-id", "utf8").trim();
  } catch {
    return "";
  }
}
