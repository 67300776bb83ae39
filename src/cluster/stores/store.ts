/**
 * What nodes need of the lease store: rows of text, read at one version, and written all or none if
 * the rows that guard the write are unchanged. postgres.ts and etcd.ts implement it (for tests
 * test/support/shared-sqlite.ts does). Each implementation has to pass the suite in
 * test/unit/cluster/stores/conformance.ts. records.ts says what the rows contain.
 */

/**
 * The most lines in one transaction that goes through many: etcd allows 128 operations in a
 * transaction, and a line takes up to three.
 */
export const LINES_AT_ONCE = 40;

/** A row that was read. */
export interface Row {
  readonly value: string;
  /** The revision of the row's last write. Later writes, of whatever row, have higher revisions. */
  readonly revision: bigint;
}

/** Which store answered, and at which point of its history. */
export interface StoreVersion {
  /** The store itself: another database or etcd cluster has another. */
  readonly identity: string;
  /** The store's history: PostgreSQL begins another when a replica takes over. */
  readonly timeline: string;
  /** Changes with each start of the store or of its leader; empty if the store does not say. */
  readonly term: string;
  /** The revision of the last write that the answer includes; it never falls. */
  readonly revision: bigint;
  /**
   * Whether the store shows that its rows were put back from a dump or a snapshot: PostgreSQL by
   * the transaction that wrote a row, etcd by the length of its log. False if it cannot know.
   */
  readonly isRestored: boolean;
}

/** Rows that were read at one version; if there are many, the later ones may be newer. */
export interface Snapshot {
  readonly version: StoreVersion;
  /** The rows that exist, by key. */
  readonly rows: ReadonlyMap<string, Row>;
}

export interface Write {
  /**
   * Keys with the revisions that their rows must still have; 0 if there must be no row. Every
   * existing row that is written should be guarded: stores lock the guards first, all in the same
   * order.
   */
  readonly guards: ReadonlyMap<string, bigint>;
  /** Rows to write. */
  readonly puts: ReadonlyMap<string, string>;
  /** Keys of rows to remove; each has to be guarded as well. */
  readonly removes?: readonly string[];
  /**
   * Whether a store whose rows were put back shall accept them from now on. Without it such a store
   * refuses the write: it answers undefined although all guards hold.
   */
  readonly accepts?: boolean;
}

/** Whether a row can be watched: those without a slash in the key are few, and seldom written. */
export const canBeWatched = (key: string): boolean => !key.includes("/");

/** Each call answers or throws within a few seconds. */
export interface LeaseStore {
  /** Names the store in the log, without a password. */
  readonly title: string;
  /** What an operator should do before the store fails; undefined if all is well. */
  readonly warning?: string | undefined;
  /** The store's Unix time in milliseconds, to a second; a store in this process has none. */
  clockMs?(): Promise<number>;
  read(keys: readonly string[]): Promise<Snapshot>;
  /** The rows whose keys begin with `prefix` and that were written after revision `after`. */
  list(prefix: string, after?: bigint): Promise<Snapshot>;
  /**
   * Writes durably, all or nothing. Answers undefined if a guard does not hold: nothing was
   * written. Throws LeaseStoreUnavailable, after which it may have been written, or may still be.
   */
  write(write: Write): Promise<StoreVersion | undefined>;
  /**
   * Calls `onChange` soon after a row was written. The key must be one that canBeWatched(). A
   * change can be missed.
   */
  watch(key: string, onChange: () => void): void;
  close(): Promise<void>;
}

/** The lease store did not answer, or not as it should: the message says why, in a few words. */
export class LeaseStoreUnavailable extends Error {
  override readonly name = "LeaseStoreUnavailable";
}

/**
 * The result of a promise. Throws LeaseStoreUnavailable with `reason` if it takes longer than
 * `milliseconds`.
 */
export async function withTimeout<T>(
  milliseconds: number,
  reason: string,
  promise: Promise<T>,
): Promise<T> {
  let timer: Timer | undefined;
  const timeUp = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new LeaseStoreUnavailable(reason)), milliseconds);
  });
  try {
    return await Promise.race([promise, timeUp]);
  } finally {
    clearTimeout(timer);
  }
}
