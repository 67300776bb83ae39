/**
 * The memory that clients make the server keep: requests under way, replies not sent, gathered
 * transactions, and words that a command waits with. Each client's is counted while it grows, by
 * whatever keeps it (resp/ledger.ts), in the budget of its kind: clients that have not logged in
 * have one of their own, so they take nothing from the others.
 *
 * Invariant: a budget's bytes are the sum of its clients' bytes.
 */

import { assert } from "../../base/assert.ts";
import type { Ledger } from "../../resp/ledger.ts";

/** How many times smaller a client's share is than what is left of the budget. */
const SHARES = 4;

/** The end of a client that holds too much. */
export interface MemoryHolder {
  readonly memory: ClientMemory;
  /** What it holds, counted anew. */
  readonly heldBytes: number;
  /** Closes the client, which gives back all that it holds. */
  onOverBudget(limit: number): void;
}

export class MemoryBudget {
  /** What all clients of this budget hold. */
  bytes = 0;
  private readonly bytesMax: () => number;
  private readonly keptPart: number;

  /**
   * Once the budget is passed, clients are closed until `keptPart` of it is in use: to look for the
   * largest each time would take long with many clients.
   */
  constructor(bytesMax: () => number, keptPart = 1) {
    this.bytesMax = bytesMax;
    this.keptPart = keptPart;
  }

  get isOver(): boolean {
    return this.bytes > this.bytesMax();
  }

  /**
   * How much one client may hold of replies that it does not read: a quarter of what is left of the
   * budget, so that many such clients leave room for others (Choudhury and Hahne, Dynamic Queue
   * Length Thresholds for Shared-Memory Packet Switches, 1998).
   */
  get share(): number {
    return Math.max(0, this.bytesMax() - this.bytes) / SHARES;
  }

  /** Closes the clients that hold the most until there is room again. */
  makeRoom(holders: Iterable<MemoryHolder>): void {
    const limit = this.bytesMax();
    const largestFirst = [...holders]
      .filter(({ memory }) => memory.budget === this && memory.bytes > 0)
      .sort((one, other) => other.memory.bytes - one.memory.bytes);
    for (const holder of largestFirst) {
      if (this.bytes <= limit * this.keptPart) return;
      holder.onOverBudget(limit);
    }
  }

  /** Checks the invariant, and that each client is charged what it holds. */
  check(holders: Iterable<MemoryHolder>): void {
    let sum = 0;
    for (const { memory, heldBytes } of holders) {
      if (memory.budget !== this) continue;
      assert(memory.bytes === heldBytes, "what a client holds is counted while it grows");
      sum += memory.bytes;
    }
    assert(sum === this.bytes, "a budget is the sum of what its clients hold");
  }
}

/** For clients that have left. */
const NOBODYS = new MemoryBudget(() => Number.POSITIVE_INFINITY);

/** What one client holds. */
export class ClientMemory implements Ledger {
  bytes = 0;
  private presentBudget: MemoryBudget;

  constructor(budget: MemoryBudget) {
    this.presentBudget = budget;
  }

  get budget(): MemoryBudget {
    return this.presentBudget;
  }

  /** Moves the client to another budget, with what it holds. */
  set budget(budget: MemoryBudget) {
    this.presentBudget.bytes -= this.bytes;
    budget.bytes += this.bytes;
    this.presentBudget = budget;
  }

  add(bytes: number): void {
    this.bytes += bytes;
    this.presentBudget.bytes += bytes;
  }

  /** To be called when a client that has left has given everything back. */
  end(): void {
    assert(this.bytes === 0, "a client that has left holds nothing");
    // What a command under way still appends is nobody's, and goes with the session.
    this.presentBudget = NOBODYS;
  }
}
