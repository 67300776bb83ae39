/**
 * What a node remembers of itself in its data folder: which part of all lines it has, or which cluster
 * it is of, as whom, and what it last knew of the store.
 */

import { readFileSync, statSync } from "node:fs";
import { CannotStart } from "../../base/errors.ts";
import type { NodeStateWriter } from "../../engine/commit.ts";
import { DiskUnavailable, type Store } from "../../storage/store.ts";
import { nonceOfLevel1, type Stamp } from "../stores/records.ts";

/** Where a folder is: a copy of it is elsewhere. */
export interface FolderFingerprint {
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
  /** How often it was started. */
  readonly generation: number;
  /** The last write of this node that the store has for certain. */
  readonly written: Stamp;
  /** Writes that the store may have made since. */
  readonly intended: readonly Stamp[];
  readonly folderFingerprint: FolderFingerprint;
  /** The store's, as last seen. */
  readonly identity: string;
  readonly revision: string;
  readonly epoch: number;
  /** Changes of names are known up to this revision. */
  readonly namesRevision: string;
  /** Why the store is known to have gone back in time; only a higher epoch clears it. */
  readonly doubt?: string | undefined;
  /** An operator took the store for good, and it has not yet been told all that this node knows. */
  readonly needsRepair?: boolean;
}

/** What a folder of a program of level 1 has in the place of generation, written and intended. */
interface MembershipLevel1 {
  readonly start: { readonly generation: number; readonly token: string };
  readonly intended: readonly { readonly generation: number; readonly token: string }[];
  /** Leases that are on this disk, and leases that the store may have. */
  readonly sequence: number;
  readonly intendedSequence: number;
}

/** A node that was alone and is on its way into a cluster. */
export interface Joining {
  readonly cluster: string;
  readonly node: string;
  /** A line's id in the cluster is its own one and this. */
  readonly base: number;
}

export interface StoredNodeState {
  /** "i/n", where nodes share their lines without a store. */
  readonly stripe?: string;
  readonly membership?: Membership;
  readonly joining?: Joining;
  /** Of a node alone, and of one of a stripe: where its folder is at home. */
  readonly home?: FolderFingerprint;
}

export function parseState(text: string | undefined): StoredNodeState {
  if (text === undefined) return {};
  try {
    const state = JSON.parse(text, (_, value: unknown) =>
      withPresentNames(value),
    ) as StoredNodeState;
    const { membership } = state;
    if (membership === undefined || "written" in membership) return state;
    return { ...state, membership: fromLevel1(membership) };
  } catch {
    throw new CannotStart("the database is damaged: what the node knows of itself cannot be read");
  }
}

/** What earlier versions called what they wrote, and what it is called now. */
const PRESENT_NAMES = new Map([
  ["place", "stripe"],
  ["whereabouts", "folderFingerprint"],
  ["isMending", "needsRepair"],
]);

function withPresentNames(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const named = Object.entries(value).map(([key, of]) => [PRESENT_NAMES.get(key) ?? key, of]);
  return Object.fromEntries(named);
}

function fromLevel1({
  start,
  intended: starts,
  sequence,
  intendedSequence,
  ...rest
}: MembershipLevel1 & Omit<Membership, "generation" | "written" | "intended">): Membership {
  const stamp = (token: string, at: number, isConfirmed: boolean): Stamp => ({
    sequence: at,
    nonce: nonceOfLevel1(token, at, isConfirmed),
  });
  const intended: Stamp[] = [];
  for (let at = sequence; at <= Math.max(sequence, intendedSequence); at++) {
    // Its second write of a start only confirmed that.
    for (const isConfirmed of [false, true]) intended.push(stamp(start.token, at, isConfirmed));
    for (const { token } of starts) intended.push(stamp(token, at, false));
  }
  const { generation, token } = start;
  return { ...rest, generation, written: stamp(token, sequence, true), intended };
}

/** So many writes are remembered whose outcome is unknown: each start of the process adds one at most. */
const INTENDED_MAX = 64;

/**
 * A node's membership. What goes with a commit that is being gathered is on disk only when that is: what
 * is saved meanwhile says nothing of it.
 */
export class NodeState implements NodeStateWriter {
  private readonly store: Pick<Store, "writeNode">;
  private readonly unique: () => string;
  private durable: Membership;
  /** What the commit that is being gathered changes. */
  private staged: Partial<Membership> = {};
  /** What this process knows of its writes and of the store; on disk with whatever is written next. */
  private known: Pick<Membership, "written" | "intended" | "doubt">;
  /** The write that this process intends. */
  private intent: Stamp | undefined;
  private isDetached = false;

  /** `unique`: a new name that nothing else has. */
  constructor(store: Pick<Store, "writeNode">, membership: Membership, unique: () => string) {
    this.store = store;
    this.durable = membership;
    this.unique = unique;
    const { written, intended, doubt } = membership;
    this.known = { written, intended, doubt };
  }

  /** As it is when the commit that is being gathered succeeds. */
  get membership(): Membership {
    return { ...this.durable, ...this.known, ...this.staged };
  }

  /** Changes it with the commit that is being gathered: who calls this has that write it. */
  change(changes: Partial<Membership>): this {
    this.staged = { ...this.staged, ...changes };
    return this;
  }

  /** Changes it at once. Throws as Store.commit() does. */
  save(changes: Partial<Membership> = {}): void {
    if ("doubt" in changes) this.known = { ...this.known, doubt: changes.doubt };
    // What was seen of the store before another epoch is of a history that is over.
    if ("epoch" in changes) this.staged = {};
    const durable = { ...this.durable, ...this.known, ...changes };
    if (!this.isDetached) this.store.writeNode(textOf(durable));
    this.durable = durable;
  }

  /** Has on disk what this process knows of its writes: an answer may rest on one. Throws as save() does. */
  flush(): void {
    if (this.known.written.nonce !== this.durable.written.nonce) this.save();
  }

  /**
   * The stamp of the next write, which is on this disk now: if the store has that write and this process does
   * not live to know, the next one knows it for its own. It is the same one until wrote() was called: of
   * several tries the store makes one, as each is guarded by the row that the stamp goes into. Throws as
   * Store.commit() does.
   */
  intend(): Stamp {
    if (this.intent !== undefined) return this.intent;
    const { written, intended } = this.known;
    const sequence = Math.max(written.sequence, ...intended.map((stamp) => stamp.sequence)) + 1;
    const stamp = { sequence, nonce: this.unique() };
    this.known = { ...this.known, intended: [...intended, stamp].slice(-INTENDED_MAX) };
    this.save();
    this.intent = stamp;
    return stamp;
  }

  /** The store has this write. What it may have made before it will never be seen again. */
  wrote({ sequence, nonce }: Stamp): void {
    if (nonce === this.known.written.nonce) return;
    const isOver = (stamp: Stamp) => stamp.sequence <= sequence;
    const intended = this.known.intended.filter((stamp) => !isOver(stamp));
    this.known = { ...this.known, written: { sequence, nonce }, intended };
    if (this.intent !== undefined && isOver(this.intent)) this.intent = undefined;
  }

  /**
   * The store went back in time: neither this process nor the next one leases anything, until an operator
   * begins a higher epoch. Throws DiskBroken; on a full disk it is saved with what is written next.
   */
  suspect(reason: string): void {
    if (this.known.doubt !== undefined) return;
    this.known = { ...this.known, doubt: reason };
    try {
      this.save();
    } catch (error) {
      if (!(error instanceof DiskUnavailable)) throw error;
    }
  }

  /** The folder is no longer this node's: nothing is saved in it any more. */
  detach(): void {
    this.isDetached = true;
  }

  get text(): string {
    return textOf(this.membership);
  }

  commitEnded(isCommitted: boolean): void {
    if (isCommitted) this.durable = this.membership;
    this.staged = {};
  }
}

const textOf = (membership: Membership): string =>
  JSON.stringify({ membership } satisfies StoredNodeState);

/** Where a database file is now. */
export function fingerprintOf(path: string): FolderFingerprint {
  const { ino, birthtimeNs, ctimeNs } = statSync(path, { bigint: true });
  // A file system that does not know it shows the time of the last change.
  const born = birthtimeNs > 0n && birthtimeNs !== ctimeNs ? String(birthtimeNs) : "";
  return { inode: String(ino), born, machine: machineId() };
}

/** Whether a folder is where it was, as far as is known. */
export function isSameFolder(one: FolderFingerprint, other: FolderFingerprint): boolean {
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
