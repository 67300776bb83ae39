/**
 * What moves a line on, beside the numbers taken of it: ADVANCE, margins that are skipped, and leases. Each
 * is staged for the commit being gathered; what depends on the line waits for that, and where it fails the
 * line is as it was.
 */

import { exhausted, quoted, Refusal } from "../base/errors.ts";
import type { Leased } from "../dispenser/allocation.ts";
import { positionsOf } from "../dispenser/definition.ts";
import type { Dispenser } from "../dispenser/dispenser.ts";
import type { Store } from "../storage/store.ts";
import type { CommitBatch } from "./commit.ts";

/** A lease, as it is added to a dispenser's share. */
export interface Lease {
  /** The line's position it begins at. */
  readonly first: bigint;
  readonly count: bigint;
  /** When so many more numbers were taken, onLow() is to be called. */
  readonly askAfter: number;
}

export class Moves {
  private readonly store: Store;
  private readonly pending: CommitBatch;

  constructor(store: Store, pending: CommitBatch) {
    this.store = store;
    this.pending = pending;
  }

  /** ADVANCE: the line goes on at its first number >= `number`. */
  advance(dispenser: Dispenser, number: bigint): Refusal | undefined {
    const { definition, name, allocation } = dispenser;
    const { type } = definition;
    if (!type.isLine) return new Refusal(`ERR ADVANCE does not apply to type ${type.code}`);
    const position = dispenser.localPositionOf(number);
    if (position <= dispenser.position) return dispenser.digits > 0 ? undefined : exhausted;
    if (position >= allocation.size(positionsOf(definition))) {
      return new Refusal(
        `${exhausted.message}: ${quoted(name)} has no number from ${number} on, and stays where it is`,
      );
    }
    this.advanceTo(dispenser, position);
    return undefined;
  }

  /** Skips so many numbers of a line, which count as wasted, or all that are left. */
  skip(dispenser: Dispenser, numbers: bigint): void {
    const { definition, allocation, isLine } = dispenser;
    if (!isLine) return;
    const end = allocation.size(positionsOf(definition));
    let position = dispenser.position + numbers;
    if (position > end) position = end;
    this.advanceTo(dispenser, position);
  }

  /** Skips what it has of its line below a position of the line. */
  skipBelow(dispenser: Dispenser, position: bigint): void {
    const own = dispenser.allocation.countBelow(position);
    if (own > dispenser.position) this.advanceTo(dispenser, own);
  }

  /**
   * Adds a lease to a dispenser's share, in the commit being gathered. Where that fails the lease is lost.
   */
  adopt(dispenser: Dispenser, { first, count, askAfter }: Lease): void {
    const { id, name } = dispenser;
    this.pending.change(name, dispenser.snapshot());
    dispenser.extend(first, count, askAfter);
    this.store.stage({ kind: "lease", id, share: dispenser.allocation as Leased });
  }

  private advanceTo(dispenser: Dispenser, position: bigint): void {
    this.pending.change(dispenser.name, dispenser.snapshot());
    dispenser.advance(position);
    this.pending.stage(dispenser);
  }
}
