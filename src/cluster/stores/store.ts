/**
 * What nodes that share their lines ask of the store they share: rows of text, read as they are, and
 * written all or none where the rows they were worked out from are unchanged. postgres.ts and etcd.ts are
 * those there are (and, for tests, test/support/shared-sqlite.ts); another has to pass the suite in
 * test/unit/cluster/stores/conformance.ts. What stands in the rows is the cluster's matter.
 */

/**
 * A transaction that goes through many lines has so many of them at most: etcd allows it 128 operations, and
 * a line takes up to three.
 */
export const LINES_AT_ONCE = 40;

/** A row, as it was read. */
export interface Row {
  readonly value: string;
  /** What it was last written in; of all rows, a later write has a higher one. */
  readonly revision: bigint;
}

/** Which store answered, and when in its life. */
export interface StoreVersion {
  /** The store itself: another database or cluster has another. */
  readonly identity: string;
  /** Which of its histories: PostgreSQL begins one when a replica takes over. */
  readonly timeline: string;
  /** Another one after each start of the store, or of its leader; empty where nothing tells. */
  readonly term: string;
  /** That of the last write the answer can know of; it never falls. */
  readonly revision: bigint;
  /**
   * Whether the store itself knows that its rows were put back from a dump or a snapshot: PostgreSQL by the
   * transaction that wrote a row, etcd by the length of its log. False where it cannot know.
   */
  readonly isRestored: boolean;
}

/** What was read, at one moment; of many rows, the later ones may be newer. */
export interface Snapshot {
  readonly version: StoreVersion;
  /** By key; those that are not there are not in it. */
  readonly rows: ReadonlyMap<string, Row>;
}

export interface Write {
  /**
   * Keys with the revisions they must still have; 0 for one that is written and must not be there. All
   * rows that are there and are written should be guarded: stores lock guards first, in one order.
   */
  readonly guards: ReadonlyMap<string, bigint>;
  /** Rows to write. */
  readonly puts: ReadonlyMap<string, string>;
  /** Rows to remove; each has to be guarded as well. */
  readonly removes?: readonly string[];
  /**
   * Whether a store whose rows were put back is to take them for its own from now on. Without it such a store
   * refuses the write: answers undefined, though all guards hold.
   */
  readonly accepts?: boolean;
}

/** Rows whose keys have no slash can be watched: they are few, and seldom written. */
export const canBeWatched = (key: string): boolean => !key.includes("/");

/** Each call answers or throws in a time of its own, some seconds at most. */
export interface LeaseStore {
  /** For the log: which store, without a password. */
  readonly title: string;
  /** What an operator should see to before it fails; undefined where all is well. */
  readonly warning?: string | undefined;
  read(keys: readonly string[]): Promise<Snapshot>;
  /** The rows whose keys begin so, and that were written after a revision. */
  list(prefix: string, after?: bigint): Promise<Snapshot>;
  /**
   * Writes durably, all or nothing. Answers undefined where a guard does not hold: nothing was written.
   * Throws LeaseStoreUnavailable, after which it may have been written, or may be yet.
   */
  write(write: Write): Promise<StoreVersion | undefined>;
  /**
   * Calls back soon after somebody wrote this row, which canBeWatched, while the store can be reached. A
   * change may be missed all the same.
   */
  watch(key: string, onChange: () => void): void;
  close(): Promise<void>;
}

/** The shared store did not answer, or not as it should: the message says why, in a few words. */
export class LeaseStoreUnavailable extends Error {
  override readonly name = "LeaseStoreUnavailable";
}

/** What a promise gives, or LeaseStoreUnavailable where that takes longer than so many milliseconds. */
export async function withTimeout<T>(milliseconds: number, promise: Promise<T>): Promise<T> {
  let timer: Timer | undefined;
  const timeUp = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new LeaseStoreUnavailable(`no answer within ${milliseconds} ms`)),
      milliseconds,
    );
  });
  try {
    return await Promise.race([promise, timeUp]);
  } finally {
    clearTimeout(timer);
  }
}
