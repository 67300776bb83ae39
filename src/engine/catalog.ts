/**
 * What commands ask of the dispensers by name, whether this node is alone or shares its lines with
 * others: an interface without code. LocalCatalog and ClusterCatalog are those there are; both pass
 * the suite in test/unit/engine/catalog-conformance.ts. Names are byte strings (dispenser/name.ts).
 */

import type { Refusal } from "../base/errors.ts";
import type { Fields } from "../dispenser/definition.ts";
import type { Dispenser } from "../dispenser/dispenser.ts";

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

/**
 * How many numbers of which names are about to be taken; 0 where the name alone has to be known.
 */
export type Demand = ReadonlyMap<string, number>;

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
  prepare(demand: Demand, isKnown: boolean): Promise<unknown> | undefined;
  /**
   * HSET: defines a dispenser or redefines one. Answers how many fields were set first. A deleted
   * line of the same definition goes on. `reuse`: numbers that may be in use may be handed out
   * again.
   */
  define(name: string, fields: Fields, reuse: boolean): Answer<number | Refusal>;
  /** DEL: how many of the names were dispensers. Lines that may have numbers in use are kept. */
  remove(names: readonly string[]): Answer<number>;
  /** ADVANCE: the line goes on at this number. Answers the one that comes next. */
  advance(dispenser: Dispenser, number: string): Answer<string | Refusal>;
  /** What INFO says of a dispenser beside what this node knows of it. */
  describe(dispenser: Dispenser): Answer<InfoFields>;
}
