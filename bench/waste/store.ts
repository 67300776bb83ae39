/**
 * A store in memory for lives of millions of commits. It keeps the part of each dispenser that
 * recovery needs, and never fails. Other tests run the real store with the real engine.
 */

import type { Change, Store, StoredDispenser } from "../../src/storage/store.ts";

export class LifeStore implements Store {
  crashed = false;
  commits = 0;
  private kept = new Map<number, StoredDispenser>();
  private staged: Change[] = [];
  private isClean = true;

  /** Opens the store as the next life finds it, after a crash or a clean close of this one. */
  reopen(): LifeStore {
    const next = new LifeStore();
    next.kept = new Map(this.kept);
    next.crashed = !this.isClean;
    return next;
  }

  get size(): number {
    return this.kept.size;
  }

  *load(): Iterable<readonly StoredDispenser[]> {
    this.isClean = false;
    yield [...this.kept.values()];
  }

  stage(change: Change): void {
    this.staged.push(change);
  }

  commit(): void {
    for (const change of this.staged) this.apply(change);
    this.staged = [];
    this.commits++;
  }

  /** Nothing is deleted here. */
  readonly ageS = 0;
  readonly deletedSize = 0;
  readonly oldestDeletedS = Number.POSITIVE_INFINITY;

  skippedOf(): bigint {
    return 0n;
  }

  passedIn(): bigint {
    return 0n;
  }

  deletedOf(): [] {
    return [];
  }

  listDeleted(): [] {
    return [];
  }

  /** A node alone has no node state. */
  readonly node = undefined;

  writeNode(): void {}

  maintain(): void {}

  backUp(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    this.commit();
    this.isClean = true;
  }

  private apply(change: Change): void {
    if (change.kind === "remove") {
      this.kept.delete(change.id);
    } else if (change.kind === "define") {
      const { id, name, definition } = change;
      const present = this.kept.get(id);
      const account = present?.account;
      this.kept.set(id, { id, name, definition, account, segmentEnd: present?.segmentEnd });
    } else if (change.kind === "reserve") {
      const { id, account, segment, replaces } = change.reservation;
      const present = this.kept.get(id)!;
      const before = replaces ? undefined : present.segmentEnd;
      const segmentEnd = segment === undefined ? before : segment.last + 1n;
      this.kept.set(id, { ...present, account, segmentEnd });
    }
  }
}
