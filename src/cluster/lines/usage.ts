/** How nodes used their lines: how many numbers they leased, generated, hold and wasted. */

import { inBatches } from "../../base/batches.ts";
import { largest } from "../../base/bigint.ts";
import { Leased } from "../../dispenser/allocation.ts";
import type { Dispenser } from "../../dispenser/dispenser.ts";
import { strategies } from "../../dispenser/strategy.ts";
import type { Engine } from "../../engine/engine.ts";
import type { FencedStore } from "../stores/fenced.ts";
import type { MonotonicStore } from "../stores/monotonic.ts";
import {
  encodeUsage,
  NODE_PREFIX,
  readNode,
  readUsage,
  type UsageRecord,
  usageKey,
  usagePrefix,
} from "../stores/records.ts";
import { LINES_AT_ONCE } from "../stores/store.ts";

/**
 * How often a node reports lines of which numbers were taken. A lease reports its line as well: one
 * that is leased so often needs no report of its own.
 */
export const REPORT_MS = 2000;
/** The most lines in one report: etcd allows 128 operations in a transaction. */
const REPORTED_AT_ONCE = 120;

/** The usage of a line by all nodes, as far as they reported it. */
export interface ClusterUsage {
  readonly nodes: number;
  readonly leased: bigint;
  readonly generated: bigint;
  readonly wasted: bigint;
}

/** The sum of several usages. */
export function sumOf(figures: readonly UsageRecord[]): UsageRecord {
  const sum = (of: (figure: UsageRecord) => bigint) =>
    figures.reduce((total, figure) => total + of(figure), 0n);
  return {
    // A record may have been written after the store forgot what was leased before it.
    leased: sum(({ leased, generated, held }) => largest(leased, generated + held)),
    lost: sum(({ lost }) => lost),
    generated: sum(({ generated }) => generated),
    held: sum(({ held }) => held),
  };
}

/** The usage by one node, and by all as that node knows it. */
export class Usage {
  private readonly node: string;
  /** Numbers that lines generated before this life, as the store said when it was first asked. */
  private readonly bases = new WeakMap<Dispenser, bigint>();
  /** Lines of which numbers were taken since their last report, the one that waits longest first. */
  private readonly taken = new Set<Dispenser>();
  private readonly leasedAtMs = new WeakMap<Dispenser, number>();
  private readonly now: () => number;

  /** `now`: a clock that only goes forwards, in milliseconds. */
  constructor(node: string, now: () => number) {
    this.node = node;
    this.now = now;
  }

  /** Numbers of a dispenser were taken. */
  noteTaken(dispenser: Dispenser): void {
    if (dispenser.hasPositions) this.taken.add(dispenser);
  }

  /** A line was leased, and its usage reported with that. */
  noteLeased(dispenser: Dispenser): void {
    this.leasedAtMs.set(dispenser, this.now());
  }

  /** The usage of a line by this node, including a lease of `more` numbers under way. */
  ofNode(dispenser: Dispenser, before: UsageRecord | undefined, more = 0n): UsageRecord {
    const { allocation, position } = dispenser;
    const size = allocation instanceof Leased ? allocation.total : 0n;
    // A line in memory counts anew in each life.
    const isInMemory = strategies[dispenser.definition.strategy].keeps === "definition";
    let base = this.bases.get(dispenser);
    if (base === undefined) {
      // It may have reported numbers of a lease that it lost in a crash.
      const most = position - BigInt(dispenser.generatedInLife);
      base = before?.generated ?? 0n;
      if (base > most) base = most;
      this.bases.set(dispenser, base);
    }
    const generated = isInMemory
      ? base + BigInt(dispenser.generatedInLife)
      : dispenser.counts.generated;
    const held = size - position;
    // A store that was emptied, or put back, forgot leases that the node has.
    const leased = largest(before?.leased ?? 0n, largest(size, generated + held));
    return { leased: leased + more, lost: leased - size, generated, held: held + more };
  }

  /**
   * The usage of a line by all nodes: by others as they last reported it, by this one as it is now.
   */
  async ofAll(history: MonotonicStore, dispenser: Dispenser): Promise<ClusterUsage> {
    const { id } = dispenser;
    const [figures, nodes] = await Promise.all([
      history.list(usagePrefix(id)),
      history.list(NODE_PREFIX),
    ]);
    const all = new Map([...figures.rows].map(([key, row]) => [key, readUsage(row)!]));
    const own = usageKey(id, this.node);
    if (dispenser.hasPositions) all.set(own, this.ofNode(dispenser, all.get(own)));
    const { leased, generated, held } = sumOf([...all.values()]);
    return {
      nodes: [...nodes.rows.values()].filter((row) => readNode(row)!.state === "member").length,
      ...{ leased, generated },
      wasted: leased - generated - held,
    };
  }

  /** Reports the usage of all lines to the store. */
  async report(store: FencedStore, engine: Engine): Promise<void> {
    const used = [...engine.loaded()].filter(
      ({ hasPositions, allocation }) =>
        hasPositions && allocation instanceof Leased && allocation.total > 0n,
    );
    for (const some of inBatches(used, LINES_AT_ONCE)) await this.write(store, some);
  }

  /** Reports lines of which numbers were taken, as many as go into one transaction. */
  async reportTaken(store: FencedStore): Promise<void> {
    const some: Dispenser[] = [];
    for (const dispenser of this.taken) {
      if (some.length === REPORTED_AT_ONCE) break;
      const sinceMs = this.now() - (this.leasedAtMs.get(dispenser) ?? Number.NEGATIVE_INFINITY);
      if (dispenser.isRemoved) this.taken.delete(dispenser);
      else if (sinceMs >= REPORT_MS) some.push(dispenser);
    }
    if (some.length === 0) return;
    // Numbers that are taken from now on need another report.
    for (const dispenser of some) this.taken.delete(dispenser);
    try {
      await this.write(store, some);
    } catch (error) {
      for (const dispenser of some) this.taken.add(dispenser);
      throw error;
    }
  }

  /** Writes the usage of lines. The node's own row guards these rows: nobody else writes them. */
  private async write(store: FencedStore, some: readonly Dispenser[]): Promise<void> {
    const keys = some.map(({ id }) => usageKey(id, this.node));
    await store.transact(keys, (rows) => {
      const figures = some.map((dispenser, index): [string, string] => {
        const key = keys[index]!;
        return [key, encodeUsage(this.ofNode(dispenser, readUsage(rows.get(key))))];
      });
      const puts = new Map(figures.filter(([key, value]) => rows.get(key)?.value !== value));
      return { puts, keys: [], result: undefined };
    });
  }
}
