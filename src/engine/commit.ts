/**
 * The commit that is being gathered: what is staged for it, what waits for it, and how to take all
 * of it back if it fails. commit() ends it and begins the next one.
 */

import { assert } from "../base/assert.ts";
import type { Dispenser } from "../dispenser/dispenser.ts";
import { committed, prepare, rolledBack } from "../dispenser/reserving.ts";
import { DiskUnavailable, type Store } from "../storage/store.ts";

/** Gives a commit the state of the node, as it is to be written. */
export interface NodeStateWriter {
  /** The text to write, asked for when the commit writes it. */
  readonly text: string;
  /** The commit is over. */
  commitEnded(isCommitted: boolean): void;
}

export class CommitBatch {
  /** The number of the commit, counted from 1 since the start. */
  number = 1;
  private readonly store: Store;
  private readonly onStaged: () => void;
  private readonly onCommitted: (dispenser: Dispenser) => void;
  /** Dispensers whose reservation or counts it writes. */
  private staged: Dispenser[] = [];
  /** Names whose definition, existence or position it changes. */
  private readonly changed = new Set<string>();
  /** What takes back each change of `changed`, to be run last first. */
  private undo: (() => void)[] = [];
  /** A dispenser for each number whose reply is lost if the commit fails, though it is reserved. */
  private uncertain: Dispenser[] = [];
  private node: NodeStateWriter | undefined;
  private hasStaged = false;
  /** How long the last commit took, in milliseconds. */
  private commitMs = 0;

  /**
   * Calls `onStaged` once for each commit, as soon as something is staged for it, and `onCommitted`
   * with each dispenser whose reservation it has written.
   */
  constructor(
    store: Store,
    onStaged: () => void,
    onCommitted: (dispenser: Dispenser) => void = () => {},
  ) {
    this.store = store;
    this.onStaged = onStaged;
    this.onCommitted = onCommitted;
  }

  get isEmpty(): boolean {
    return !this.hasStaged;
  }

  /** Whether it changes names at all. */
  get changesNames(): boolean {
    return this.changed.size > 0;
  }

  /** Whether it changes the definition, existence or position of this name. */
  changes(name: string): boolean {
    return this.changed.size > 0 && this.changed.has(name);
  }

  /** A name was changed in memory; `undo` takes that back. */
  change(name: string, undo: () => void): void {
    this.changed.add(name);
    this.undo.push(undo);
    this.announce();
  }

  /** The commit is to write the reservation and the counts of a dispenser. */
  stage(dispenser: Dispenser): void {
    if (dispenser.isStaged) return;
    dispenser.isStaged = true;
    this.staged.push(dispenser);
    this.announce();
  }

  /** If the commit fails, nobody gets the number that a dispenser took last. */
  markUncertain(dispenser: Dispenser): void {
    dispenser.markUncertain();
    this.uncertain.push(dispenser);
  }

  /** The commit is to write the state of the node. */
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
   * Makes durable what is staged. Answers undefined, or why nothing was written: everything staged
   * is then as it was before. Throws DiskBroken, after which no reply may leave.
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
    if (failure === undefined) for (const dispenser of planned) this.onCommitted(dispenser);
    return failure;
  }
}

/**
 * Runs work of the store. Answers DiskUnavailable if it throws that; any other error is thrown on.
 */
export function unavailability(work: () => void): DiskUnavailable | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (!(error instanceof DiskUnavailable)) throw error;
    return error;
  }
}
