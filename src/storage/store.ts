/**
 * What the engine asks of its storage: an interface without code. sqlite.ts implements it; another
 * implementation has to pass the suite in test/unit/storage/conformance.ts.
 */

import type { Leased } from "../dispenser/allocation.ts";
import type { Definition } from "../dispenser/definition.ts";
import type { Run } from "../dispenser/period-run.ts";
import type { Account, Recovered, Reservation } from "../dispenser/reservation.ts";

/** A dispenser, as it is on disk. */
export interface StoredDispenser extends Recovered {
  readonly id: number;
  /** The name as a byte string. */
  readonly name: string;
  readonly definition: Definition;
  /** What was leased of its line; undefined if nothing was. */
  readonly allocation?: Leased | undefined;
}

/** A deleted line, which is kept for a while. */
export interface DeletedLine {
  /** The name as a byte string. */
  readonly name: string;
  readonly definition: Definition;
  /** Its exact position: nothing in it is reserved ahead. */
  readonly account: Account;
  /** The run that it was in, of a line with periods that had begun. */
  readonly run?: Run | undefined;
  /** The age of the database when it was deleted, in seconds (a change of the kind "age"). */
  readonly deletedAtS: number;
}

/** The same, with its number in the store; later ones have higher numbers. */
export interface StoredDeleted extends DeletedLine {
  readonly nth: number;
}

/** A change that the next commit writes. */
export type Change =
  /** A dispenser is new, or its definition changed. */
  | {
      readonly kind: "define";
      readonly id: number;
      readonly name: string;
      readonly definition: Definition;
    }
  | { readonly kind: "remove"; readonly id: number }
  /** A line that was deleted is kept for a while. */
  | { readonly kind: "keep"; readonly line: DeletedLine }
  /**
   * The deleted lines of a name, or the one with the numbers of this definition, are kept no
   * longer.
   */
  | { readonly kind: "forget"; readonly name: string; readonly definition?: Definition }
  /** A deleted line has another account, and another run. */
  | {
      readonly kind: "move deleted";
      readonly nth: number;
      readonly account: Account;
      readonly run: Run | undefined;
    }
  /**
   * Deleted lines that are too old are removed, and the oldest if there are too many: at most
   * `atOnce` of each.
   */
  | {
      readonly kind: "purge";
      readonly deletedBeforeS: number;
      readonly keptMax: number;
      readonly atOnce: number;
    }
  /** Servers ran on the database for so many seconds in all. The age only rises. */
  | { readonly kind: "age"; readonly seconds: number }
  | { readonly kind: "reserve"; readonly reservation: Reservation }
  /** A period ended for a line, when that had passed so many of its numbers. */
  | {
      readonly kind: "end period";
      readonly id: number;
      readonly period: number;
      readonly passed: bigint;
    }
  /** An operator skipped so many more numbers of each period from `since` to `until`. */
  | {
      readonly kind: "skip periods";
      readonly id: number;
      readonly since: number;
      readonly until: number;
      readonly numbers: bigint;
    }
  /** An operator skipped so many more numbers of a line. */
  | { readonly kind: "skip"; readonly id: number; readonly numbers: bigint }
  /**
   * The last range of the allocation may be new, and its lease ahead; ranges that are no longer in it
   * are used up, or of a period that ended.
   */
  | { readonly kind: "lease"; readonly id: number; readonly allocation: Leased }
  /** The state of the node, beside its dispensers. */
  | { readonly kind: "node"; readonly state: string };

export interface Store {
  /** Whether the life before this one ended without a clean close. */
  readonly crashed: boolean;
  /** How many dispensers load() will give. */
  readonly size: number;
  /**
   * Every dispenser, in the order of their ids, many at a time. Called once, before anything is
   * staged.
   */
  load(): Iterable<readonly StoredDispenser[]>;
  /** How many deleted lines are kept, once load() is done. */
  readonly deletedSize: number;
  /** The age of the database in seconds, as the last commit left it, once load() is done. */
  readonly ageS: number;
  /** The age of the database when the oldest of them was deleted; Infinity if there is none. */
  readonly oldestDeletedS: number;
  /** How many numbers of a line an operator skipped, as the last commit left it. Throws as commit() does. */
  skippedOf(id: number): bigint;
  /**
   * How many numbers a line had passed of a period that it has left, as the last commit left it.
   * Throws as commit() does.
   */
  passedIn(id: number, period: number): bigint;
  /** The deleted lines of a name, as the last commit left them. Throws as commit() does. */
  deletedOf(name: string): readonly StoredDeleted[];
  /** `count` deleted lines with numbers above `after`, in order. Throws as commit() does. */
  listDeleted(after: number, count: number): readonly StoredDeleted[];
  /**
   * The state of the node as it was last written (a change of the kind "node"); undefined if it
   * never was.
   */
  readonly node: string | undefined;
  /** Adds to what the next commit writes. */
  stage(change: Change): void;
  /**
   * Writes all that is staged in one transaction and returns when it is durable.
   * Throws DiskUnavailable when nothing was written and a later commit may succeed, and
   * DiskBroken when what is on disk is unknown. Nothing is staged any more in either case.
   */
  commit(): void;
  /** Writes the state of the node, at once and alone. Throws as commit() does. */
  writeNode(state: string): void;
  /** Housekeeping between commits, when some is due; throws as commit() does. */
  maintain(): void;
  /**
   * Copies what is committed to a new file, which restore (cli/restore.ts) takes, while commits go
   * on. Throws DiskUnavailable where that cannot be now, DiskBroken as commit() does, and
   * what the file system throws.
   */
  backUp(path: string): Promise<void>;
  /**
   * Commits what is staged, marks the clean close and closes the store. Throws as commit() does;
   * the life then counts as crashed.
   */
  close(): void;
}

/** Nothing was written, and a later commit may succeed: the disk or a quota is full. */
export class DiskUnavailable extends Error {
  override readonly name = "DiskUnavailable";
}

/** What is on disk is unknown: the server has to stop, and the next start recovers. */
export class DiskBroken extends Error {
  override readonly name: string = "DiskBroken";
}

/**
 * Somebody removed, cut, moved or replaced the database or its log under the server. A restart by
 * itself would only make it worse.
 */
export class DiskVanished extends DiskBroken {
  override readonly name = "DiskVanished";
}
