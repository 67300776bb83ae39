/** The dispensers by name, and in the order in which they were made. */

import type { Dispenser } from "./dispenser/dispenser.ts";

export class Names {
  private readonly byName = new Map<string, Dispenser>();
  /** In the order of ids; undefined when names changed since it was made. */
  private sorted: readonly Dispenser[] | undefined;
  /** The name last found, as mostly the next one is the same: and the same string, even. */
  private lastName = "";
  private lastFound: Dispenser | undefined;

  get size(): number {
    return this.byName.size;
  }

  find(name: string): Dispenser | undefined {
    if (name === this.lastName) return this.lastFound;
    const found = this.byName.get(name);
    this.lastName = name;
    this.lastFound = found;
    return found;
  }

  /** Gives a name a dispenser, or takes its dispenser away. */
  put(name: string, dispenser: Dispenser | undefined): void {
    if (dispenser === undefined) this.byName.delete(name);
    else this.byName.set(name, dispenser);
    this.forget();
  }

  /** In any order, without the cost of sorting. */
  values(): Iterable<Dispenser> {
    return this.byName.values();
  }

  /** In the order they were made in, which is that of their ids. */
  all(): readonly Dispenser[] {
    this.sorted ??= [...this.byName.values()].sort((a, b) => a.id - b.id);
    return this.sorted;
  }

  clear(): void {
    this.byName.clear();
    this.forget();
  }

  /** What was worked out from the names holds no more. */
  private forget(): void {
    this.sorted = undefined;
    this.lastName = "";
    this.lastFound = undefined;
  }
}
