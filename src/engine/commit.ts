/**
 * The commit that is being gathered: what is staged for it, what waits for it, and how all of it is
 * taken back where it fails. After commit() the next one is gathered.
 */

import { assert } from "../base/assert.ts";
import type { Dispenser } from "../dispenser/dispenser.ts";
import { committed, prepare, rolledBack } from "../dispenser/reserving.ts";
import { DiskUnavailable, type Store } from "../storage/store.ts";

/** What a node remembers of itself, as a commit writes it. */
export interface NodeStateWriter {
  /** As it is to be on disk, asked for when that is written. */
  readonly text: string;
  /** The commit is over. */
  commitEnded(isCommitted: boolean): void;
}

export class CommitBatch {
  /** Which commit it is, counted from 1 since the start. */
  number = 1;
  private readonly store: Store;
  private readonly onStaged: () => void;
  /** Dispensers to plan for it. */
  private staged: Dispenser[] = [];
  /** Names whose definition, existence or position it changes. */
  private readonly changed = new Set<string>();
  /** How to take back, last first, what `changed` names. */
  private undo: (() => void)[] = [];
  /** Numbers whose reply is lost if it fails, though their reservation stands. */
  private uncertain: Dispenser[] = [];
  private node: NodeStateWriter | undefined;
  private hasStaged = false;
  /** How long the last commit took. */
  private commitMs = 0;

  /** `onStaged` is called once for each commit, when there is something for it. */
  constructor(store: Store, onStaged: () => void) {
    this.store = store;
    this.onStaged = onStaged;
  }

  get isEmpty(): boolean {
    return !this.hasStaged;
  }

  /** Whether it changes names at all. */
  get changesNames(): boolean {
    return this.changed.size > 0;
  }

  /** Whether it changes what this name is. */
  changes(name: string): boolean {
    return this.changed.size > 0 && this.changed.has(name);
  }

  /** A name was changed; `undo` takes that back. */
  change(name: string, undo: () => void): void {
    this.changed.add(name);
    this.undo.push(undo);
    this.announce();
  }

  /** A dispenser is to be planned for. */
  stage(dispenser: Dispenser): void {
    if (dispenser.isStaged) return;
    dispenser.isStaged = true;
    this.staged.push(dispenser);
    this.announce();
  }

  /** The number that a dispenser took last goes to nobody if the commit fails. */
  markUncertain(dispenser: Dispenser): void {
    dispenser.markUncertain();
    this.uncertain.push(dispenser);
  }

  /** What the node remembers is to be written. */
  writeNodeState(node: NodeStateWriter): void {
    this.node = node;
    this.announce();
  }

  /** There is something to commit. */
  announce(): void {
    if (this.hasStaged) return;
    this.hasStaged = true;
    this.onStaged();
  }

  /**
   * Makes what is staged durable. Answers undefined, or why nothing was written: everything staged is
   * then as it was before. Throws DiskBroken, after which nothing may be answered.
   */
  commit(now: () => number): DiskUnavailable | undefined {
    if (!this.hasStaged) return undefined;
    const beganMs = now();
    const planned = this.staged.filter((dispenser) => !dispenser.isRemoved);
    const reservations = planned.map((dispenser) => prepare(dispenser, beganMs, this.commitMs));
    for (const reservation of reservations) this.store.stage({ kind: "reserve", reservation });
    if (this.node !== undefined) this.store.stage({ kind: "node", state: this.node.text });
    const failure = unavailability(() => this.store.commit());
    this.commitMs = now() - beganMs;
    this.node?.commitEnded(failure === undefined);
    this.node = undefined;
    if (failure === undefined) {
      for (const [index, dispenser] of planned.entries())
        committed(dispenser, reservations[index]!);
    } else {
      for (const undo of this.undo.reverse()) undo();
      for (const dispenser of this.staged) rolledBack(dispenser);
    }
    for (const dispenser of this.uncertain) dispenser.resolveUncertain(failure !== undefined);
    for (const dispenser of this.staged) {
      dispenser.isStaged = false;
      assert(
        dispenser.isRemoved || dispenser.taken <= dispenser.reserved,
        "taken past the reservation",
      );
    }
    this.staged = [];
    this.undo = [];
    this.uncertain = [];
    this.changed.clear();
    this.hasStaged = false;
    this.number++;
    return failure;
  }
}

/** Runs work of the store; answers why it cannot be done now. Throws what else it throws. */
export function unavailability(work: () => void): DiskUnavailable | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (!(error instanceof DiskUnavailable)) throw error;
    return error;
  }
}
