/**
 * The commit that is being gathered: what is staged for it, what waits for it, and how all of it is
 * taken back where it fails. After commit() the next one is gathered.
 */

import { assert } from "../base/assert.ts";
import type { Dispenser } from "../dispenser/dispenser.ts";
import { StorageUnavailable, type Store } from "../storage/store.ts";

/** What a node remembers of itself, as a commit writes it. */
export interface Remembered {
  /** As it is to be on disk, asked for when that is written. */
  readonly text: string;
  /** The commit is over. */
  settle(isCommitted: boolean): void;
}

export class Gathering {
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
  private atStake: Dispenser[] = [];
  private node: Remembered | undefined;
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
    if (dispenser.staged) return;
    dispenser.staged = true;
    this.staged.push(dispenser);
    this.announce();
  }

  /** The number that a dispenser took last goes to nobody if the commit fails. */
  stake(dispenser: Dispenser): void {
    dispenser.stake();
    this.atStake.push(dispenser);
  }

  /** What the node remembers is to be written. */
  remember(node: Remembered): void {
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
   * then as it was before. Throws StorageBroken, after which nothing may be answered.
   */
  commit(now: () => number): StorageUnavailable | undefined {
    if (!this.hasStaged) return undefined;
    const beganMs = now();
    const planned = this.staged.filter((dispenser) => !dispenser.removed);
    const reservations = planned.map((dispenser) => dispenser.plan(beganMs, this.commitMs));
    for (const reservation of reservations) this.store.stage({ kind: "reserve", reservation });
    if (this.node !== undefined) this.store.stage({ kind: "node", state: this.node.text });
    const failure = unavailability(() => this.store.commit());
    this.commitMs = now() - beganMs;
    this.node?.settle(failure === undefined);
    this.node = undefined;
    if (failure === undefined) {
      for (const [index, dispenser] of planned.entries()) dispenser.confirm(reservations[index]!);
    } else {
      for (const undo of this.undo.reverse()) undo();
      for (const dispenser of this.staged) dispenser.abandon();
    }
    for (const dispenser of this.atStake) dispenser.settleStakes(failure !== undefined);
    for (const dispenser of this.staged) {
      dispenser.staged = false;
      assert(
        dispenser.removed || dispenser.taken <= dispenser.reserved,
        "taken past the reservation",
      );
    }
    this.staged = [];
    this.undo = [];
    this.atStake = [];
    this.changed.clear();
    this.hasStaged = false;
    this.number++;
    return failure;
  }
}

/** Runs work of the store; answers why it cannot be done now. Throws what else it throws. */
export function unavailability(work: () => void): StorageUnavailable | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (!(error instanceof StorageUnavailable)) throw error;
    return error;
  }
}
