/**
 * What a data folder says about its node: its stripe, or its membership: in which cluster, as which
 * node, and what it last knew of the store.
 */

import { readFileSync, statSync } from "node:fs";
import { CannotStart } from "../../base/errors.ts";
import type { NodeStateWriter } from "../../engine/commit.ts";
import { DiskUnavailable, type Store } from "../../storage/store.ts";
import { nonceOfLevel1, type Stamp } from "../stores/records.ts";

/** Tells a folder from its copies. */
export interface FolderFingerprint {
  /** Of the database file. */
  readonly inode: string;
  /** When the database file was made, in nanoseconds; empty if the file system does not say. */
  readonly born: string;
  /** The machine's id; empty if it has none. */
  readonly machine: string;
}

export interface Membership {
  readonly cluster: string;
  readonly node: string;
  /** How often the node was started. */
  readonly generation: number;
  /** The last write of this node that the store certainly has. */
  readonly written: Stamp;
  /** Later writes of this node, which the store may have. */
  readonly intended: readonly Stamp[];
  readonly folderFingerprint: FolderFingerprint;
  /** The store's identity and revision, as last seen. */
  readonly identity: string;
  readonly revision: string;
  readonly epoch: number;
  /** The node knows all changes of names up to this revision. */
  readonly namesRevision: string;
  /** Why the store is known to have gone back in time; only a higher epoch clears it. */
  readonly doubt?: string | undefined;
  /** An operator accepted the store as it is, and the store still lacks what this node knows. */
  readonly needsRepair?: boolean;
}

/** What programs of level 1 stored instead of generation, written and intended. */
interface MembershipLevel1 {
  readonly start: { readonly generation: number; readonly token: string };
  readonly intended: readonly { readonly generation: number; readonly token: string }[];
  /** How many leases are on this disk, and how many the store may have. */
  readonly sequence: number;
  readonly intendedSequence: number;
}

/** A node that was alone and whose `cluster join` has begun. */
export interface Joining {
  readonly cluster: string;
  readonly node: string;
  /** A line's id in the cluster is its id in the folder plus this. */
  readonly base: number;
}

export interface StoredNodeState {
  /** "i/n", if nodes share their lines without a store. */
  readonly stripe?: string;
  readonly membership?: Membership;
  readonly joining?: Joining;
  /** The fingerprint of the folder of a node without a store, so that a copy can be told. */
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

/** Names in what earlier versions stored, and what they are called now. */
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
    // The second write of each start in level 1 only confirmed the start.
    for (const isConfirmed of [false, true]) intended.push(stamp(start.token, at, isConfirmed));
    for (const { token } of starts) intended.push(stamp(token, at, false));
  }
  const { generation, token } = start;
  return { ...rest, generation, written: stamp(token, sequence, true), intended };
}

/**
 * The most writes of unknown outcome that are remembered: each start of the process adds one at
 * most.
 */
const INTENDED_MAX = 64;

/**
 * A node's membership. Staged changes reach the disk with the commit they are staged for: save()
 * before that leaves them out.
 */
export class NodeState implements NodeStateWriter {
  private readonly store: Pick<Store, "writeNode">;
  private readonly unique: () => string;
  private durable: Membership;
  /** Changes staged for the next commit. */
  private staged: Partial<Membership> = {};
  /**
   * What this process knows of its writes and of the store: every write to the disk includes it.
   */
  private known: Pick<Membership, "written" | "intended" | "doubt">;
  /** The stamp of the next write to the store, once it is on disk. */
  private intent: Stamp | undefined;
  private isDetached = false;

  /** `unique` makes a name that nothing else has. */
  constructor(store: Pick<Store, "writeNode">, membership: Membership, unique: () => string) {
    this.store = store;
    this.durable = membership;
    this.unique = unique;
    const { written, intended, doubt } = membership;
    this.known = { written, intended, doubt };
  }

  /** The membership as it is once the next commit succeeds. */
  get membership(): Membership {
    return { ...this.durable, ...this.known, ...this.staged };
  }

  /**
   * Stages changes. The caller has to make the next commit write them (Engine.writeNodeState()).
   */
  change(changes: Partial<Membership>): this {
    this.staged = { ...this.staged, ...changes };
    return this;
  }

  /** Writes changes to the disk at once. Throws as Store.commit() does. */
  save(changes: Partial<Membership> = {}): void {
    if ("doubt" in changes) this.known = { ...this.known, doubt: changes.doubt };
    // Staged changes describe the store before this epoch, a history that is over.
    if ("epoch" in changes) this.staged = {};
    const durable = { ...this.durable, ...this.known, ...changes };
    if (!this.isDetached) this.store.writeNode(textOf(durable));
    this.durable = durable;
  }

  /**
   * Saves the last write that the store has, because an answer may depend on it. Throws as save()
   * does.
   */
  flush(): void {
    if (this.known.written.nonce !== this.durable.written.nonce) this.save();
  }

  /**
   * The stamp of the next write to the store. It is on this disk first: if this process dies before
   * it hears that the store made the write, the next one recognises it. The stamp stays the same
   * until wrote() is called: the store makes at most one of several tries, because each is guarded
   * by the row that the stamp goes into. Throws as Store.commit() does.
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

  /** The store has this write, so the stamps of earlier ones are not needed any more. */
  wrote({ sequence, nonce }: Stamp): void {
    if (nonce === this.known.written.nonce) return;
    const isOver = (stamp: Stamp) => stamp.sequence <= sequence;
    const intended = this.known.intended.filter((stamp) => !isOver(stamp));
    this.known = { ...this.known, written: { sequence, nonce }, intended };
    if (this.intent !== undefined && isOver(this.intent)) this.intent = undefined;
  }

  /**
   * Notes that the store went back in time: neither this process nor the next one leases anything
   * until an operator begins a higher epoch. Throws DiskBroken; on a full disk the next write saves
   * it.
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

  /** The folder is no longer this node's: save() writes nothing any more. */
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

/** The present fingerprint of a database file. */
export function fingerprintOf(path: string): FolderFingerprint {
  const { ino, birthtimeNs, ctimeNs } = statSync(path, { bigint: true });
  // A file system that does not keep the time of birth shows the time of the last change.
  const born = birthtimeNs > 0n && birthtimeNs !== ctimeNs ? String(birthtimeNs) : "";
  return { inode: String(ino), born, machine: machineId() };
}

/** Whether two fingerprints may be of the same folder; an empty part fits any. */
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
