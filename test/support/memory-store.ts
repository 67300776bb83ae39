/**
 * A store in memory that keeps what SQLite would, fails when told to, and can crash: what was
 * committed is then all that is left.
 */

import type { Definition } from "../../src/dispenser/definition.ts";
import type { Account, Reservation } from "../../src/dispenser/reservation.ts";
import {
  type Change,
  StorageBroken,
  StorageUnavailable,
  type Store,
  type StoredDispenser,
} from "../../src/store/store.ts";

interface Kept {
  readonly name: string;
  readonly definition: Definition;
  readonly account: Account | undefined;
  readonly segmentEnd: bigint | undefined;
}

type Failure = "unavailable" | "broken";

export class MemoryStore implements Store {
  crashed = false;
  commits = 0;
  /** What the next commits do; used up one by one, then commits succeed. */
  failures: (Failure | undefined)[] = [];
  /** What every commit does while it is set. */
  lasting: Failure | undefined;
  private kept = new Map<number, Kept>();
  private staged: Change[] = [];
  private isClean = true;

  /** The store as the next life finds it, after a crash or a clean close of this one. */
  reopen(): MemoryStore {
    const next = new MemoryStore();
    next.kept = new Map(this.kept);
    next.crashed = !this.isClean;
    next.isClean = false;
    return next;
  }

  *load(): Iterable<StoredDispenser> {
    this.isClean = false;
    const ids = [...this.kept.keys()].sort((a, b) => a - b);
    for (const id of ids) yield { id, ...this.kept.get(id)! };
  }

  stage(change: Change): void {
    this.staged.push(change);
  }

  commit(): void {
    const changes = this.staged;
    this.staged = [];
    const failure = this.failures.shift() ?? this.lasting;
    if (failure === "unavailable") throw new StorageUnavailable("the disk is full");
    if (failure === "broken") throw new StorageBroken("a sync failed");
    for (const change of changes) this.apply(change);
    this.commits++;
  }

  maintain(): void {}

  close(): void {
    this.commit();
    this.isClean = true;
  }

  private apply(change: Change): void {
    switch (change.kind) {
      case "define": {
        const present = this.kept.get(change.id);
        this.kept.set(change.id, {
          name: change.name,
          definition: change.definition,
          account: present?.account,
          segmentEnd: present?.segmentEnd,
        });
        break;
      }
      case "remove":
        this.kept.delete(change.id);
        break;
      case "reserve":
        this.reserve(change.reservation);
        break;
    }
  }

  private reserve({ id, account, segment, replaces }: Reservation): void {
    const present = this.kept.get(id)!;
    const before = replaces ? undefined : present.segmentEnd;
    const segmentEnd = segment === undefined ? before : segment.last + 1n;
    this.kept.set(id, { ...present, account, segmentEnd });
  }
}
