/**
 * What commands ask of the dispensers by name, whether this node is alone or shares its lines with
 * others: an interface without code. LocalCatalog and ClusterCatalog are those there are; both pass
 * the suite in test/unit/engine/catalog-conformance.ts. Names are byte strings (dispenser/name.ts).
 */

import type { Refusal } from "../base/errors.ts";
import type { Dispenser } from "../dispenser/dispenser.ts";
import type { Fields } from "../dispenser/fields.ts";

/**
 * A result, at once or once another node's store was asked. A promise rejects with why that failed.
 */
export type Answer<T> = T | Promise<T>;

/** Fields of INFO, in their order. */
export type InfoFields = Readonly<Record<string, string | number | bigint>>;

/** How a node shares its lines with others. */
export interface Sharing {
  /** The node's own name. */
  readonly node: string;
  /** Which lease store, without a password. */
  readonly store: string;
  /** Why the store cannot be used now; undefined while it can. */
  readonly trouble: string | undefined;
  /** What an operator should see to in the store before it fails; undefined if all is well. */
  readonly warning: string | undefined;
}

/** What one command needs of names: that they are known, and of each perhaps a number as well. */
export interface Need {
  readonly names: readonly string[];
  /** Whether it takes a number of each, of all or of none. */
  readonly takes: boolean;
}

/** What is about to be run needs: a command, or each of a transaction. */
export type Demand = readonly Need[];

/** The client that asked: what nobody waits for any more need not be done. */
export interface Asking {
  readonly isOver: boolean;
}

export interface Catalog {
  /** Whether a change has to be agreed on with other nodes, which takes longer than a turn. */
  readonly isShared: boolean;
  /**
   * The lease store that the lines are shared by; undefined for a node that does not share them.
   */
  readonly sharing: Sharing | undefined;
  /**
   * What has to be waited for before a command with this demand can run; undefined for nothing.
   * `isKnown`: it was waited for already, and numbers may have been taken by others meanwhile.
   */
  prepare(demand: Demand, isKnown: boolean, client: Asking): Promise<unknown> | undefined;
  /**
   * HSET: defines a dispenser or redefines one. Answers how many fields were set first. A deleted
   * line of the same definition goes on. `reuse`: numbers that may be in use may be handed out
   * again.
   */
  define(name: string, fields: Fields, reuse: boolean): Answer<number | Refusal>;
  /**
   * DEL: answers the dispensers that had one of the names. Lines that may have numbers in use are kept. Where
   * it takes longer than a turn, it ends early once the client is over.
   */
  remove(names: readonly string[], client: Asking): Answer<readonly Dispenser[]>;
  /** ADVANCE: the line goes on at this number. Answers the one that comes next. */
  advance(dispenser: Dispenser, number: string): Answer<string | Refusal>;
  /**
   * VERIFY: whether the number at this position of a line, in a period of it, was handed out or
   * skipped; where it is leased to another node, it counts as handed out.
   */
  verify(dispenser: Dispenser, position: bigint, period: number): Answer<boolean | Refusal>;
  /**
   * PERIOD: takes a line back into a period that it has been in, behind its last number there, or
   * answers why it cannot be.
   */
  goBack(dispenser: Dispenser, period: number): Answer<Refusal | undefined>;
  /** What INFO says of a dispenser beside what this node knows of it. */
  describe(dispenser: Dispenser): Answer<InfoFields>;
  /** The part of that which this node knows by itself. */
  describeAtOnce(dispenser: Dispenser): InfoFields;
}
