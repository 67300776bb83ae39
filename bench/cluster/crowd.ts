/**
 * Measures the load on a lease store from many nodes and many lines, in simulated time. The nodes
 * run their real engines, leases and transactions, on a store in memory that answers with a delay.
 */

import type { Cluster } from "../../src/cluster/cluster.ts";
import type { Clock } from "../../src/cluster/stores/monotonic.ts";
import type {
  LeaseStore,
  Row,
  Snapshot,
  StoreVersion,
  Write,
} from "../../src/cluster/stores/store.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { Config } from "../../src/config/settings.ts";
import type { Dispenser } from "../../src/dispenser/dispenser.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { Service } from "../../src/service.ts";
import { silent } from "../../test/support/server.ts";
import { noTimers, Turns } from "../../testkit/turns.ts";
import { LifeStore } from "../waste/store.ts";

const TICK_MS = 20;
const WARM_UP_SECONDS = 20;
/** How long a transaction of the store takes. */
const ANSWER_MS = 2;

export interface CrowdOptions {
  readonly nodes: number;
  readonly lines: number;
  /** Requests per second of a node's busiest line; the r-th busiest has an r-th of it (Zipf). */
  readonly busiest: number;
  readonly seconds: number;
}

export interface CrowdResult {
  readonly numbers: number;
  readonly requestsPerSecond: number;
  readonly writesPerSecond: number;
  readonly readsPerSecond: number;
  readonly lostRaces: number;
  readonly leasesPerSecond: number;
  /** The part of all numbers that were not available at once when they were asked for. */
  readonly waited: number;
}

/** A store of rows in memory that answers each call with a delay. */
class CountingStore {
  writes = 0;
  reads = 0;
  lostRaces = 0;
  leases = 0;
  private revision = 0n;
  private readonly rows = new Map<string, Row>();
  private readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  private get version(): StoreVersion {
    const { revision } = this;
    return { identity: "memory", timeline: "", term: "", revision, isRestored: false };
  }

  open(): LeaseStore {
    const later = async <T>(work: () => T): Promise<T> => {
      await this.clock.sleep(ANSWER_MS);
      return work();
    };
    return {
      title: "memory",
      read: (keys) =>
        later((): Snapshot => {
          this.reads++;
          const found = keys.flatMap((key) => {
            const row = this.rows.get(key);
            return row === undefined ? [] : [[key, row] as const];
          });
          return { version: this.version, rows: new Map(found) };
        }),
      list: (prefix, after = 0n) =>
        later((): Snapshot => {
          this.reads++;
          const found = [...this.rows].filter(
            ([key, row]) => key.startsWith(prefix) && row.revision > after,
          );
          return { version: this.version, rows: new Map(found) };
        }),
      write: (write) => later(() => this.write(write)),
      watch: () => {},
      close: async () => {},
    };
  }

  private write({ guards, puts }: Write): StoreVersion | undefined {
    for (const [key, revision] of guards) {
      if ((this.rows.get(key)?.revision ?? 0n) === revision) continue;
      this.lostRaces++;
      return undefined;
    }
    this.writes++;
    this.revision++;
    for (const [key, value] of puts) {
      if (key.startsWith("line/")) this.leases++;
      this.rows.set(key, { value, revision: this.revision });
    }
    return this.version;
  }
}

/** Simulated time, in which sleepers wake in order. */
class SimulatedTime {
  nowMs = 0;
  private sleepers: { readonly atMs: number; readonly wake: () => void }[] = [];
  readonly clock: Clock = {
    now: () => this.nowMs,
    wallMs: () => 0,
    bootMs: () => 0,
    random: Math.random,
    sleep: (milliseconds) =>
      new Promise((wake) => this.sleepers.push({ atMs: this.nowMs + milliseconds, wake })),
  };

  async advance(milliseconds: number): Promise<void> {
    const endMs = this.nowMs + milliseconds;
    for (; this.nowMs < endMs; this.nowMs++) {
      const due = this.sleepers.filter(({ atMs }) => atMs <= this.nowMs);
      if (due.length === 0) continue;
      this.sleepers = this.sleepers.filter(({ atMs }) => atMs > this.nowMs);
      for (const { wake } of due) wake();
      // Work that a sleeper resumes runs before the next one wakes.
      await new Promise<void>((resolve) => void setImmediate(resolve));
    }
  }
}

/** The settings of a node, which does not listen; its numbers are counted here. */
const config: Config = {
  ...loadConfig(new Map([["config", "/dev/null"]]), {}),
  addr: [],
  store: "memory",
  autoSave: false,
};

class CrowdNode {
  readonly engine: Engine;
  readonly cluster: Cluster;
  readonly lines: Dispenser[] = [];
  /** How many requests of each line wait for numbers. */
  readonly waiting: number[] = [];
  waited = 0;
  numbers = 0;
  private readonly into = new Uint8Array(32);
  private readonly turns = new Turns();
  private readonly service: Service<LifeStore>;

  constructor(leaseStore: LeaseStore, clock: Clock, id: number) {
    const identityOf = () => ({
      unique: () => crypto.randomUUID(),
      host: String(id),
      folderFingerprint: { inode: String(id), born: "", machine: "" },
    });
    this.service = Service.open(config, {
      clock,
      log: silent,
      schedule: this.turns.schedule,
      every: noTimers,
      openStore: () => new LifeStore(),
      nodes: { leaseStore, identityOf },
      onShutdown: () => {},
      onFatal: (error) => {
        throw error;
      },
    });
    this.engine = this.service.engine;
    this.cluster = this.service.cluster!;
  }

  async start(): Promise<void> {
    await this.service.start();
  }

  /** Makes `count` requests of a line. */
  take(line: number, count: number): void {
    const dispenser = this.lines[line]!;
    let left = count + (this.waiting[line] ?? 0);
    while (left > 0 && dispenser.nextBytes > 0) {
      this.engine.take(dispenser, this.into, 0);
      this.numbers++;
      left--;
    }
    this.waiting[line] = left;
    if (left === 0) return;
    this.waited += Math.min(left, count);
    if (!this.cluster.leasing.isExhausted(dispenser))
      this.cluster.catalog.want(dispenser, left).catch(() => {});
  }

  endTurn(): void {
    this.turns.end();
  }
}

/** Opens the nodes of a cluster, each of which knows all lines. */
async function openNodes(
  time: SimulatedTime,
  store: CountingStore,
  { nodes: count, lines }: CrowdOptions,
): Promise<CrowdNode[]> {
  const nodes = Array.from({ length: count }, (_, id) => {
    return new CrowdNode(store.open(), time.clock, id);
  });
  const whole = async (work: Promise<unknown>) => {
    let isDone = false;
    void work.then(() => {
      isDone = true;
    });
    while (!isDone) await time.advance(1);
  };
  const fields = new Map([
    ["type", "3"],
    ["auto_disk", "pre_close"],
  ]);
  await whole(nodes[0]!.start());
  for (let line = 0; line < lines; line++) {
    await whole(nodes[0]!.cluster.catalog.define(`n${line}`, fields));
    nodes[0]!.endTurn();
  }
  await whole(Promise.all(nodes.slice(1).map((node) => node.start())));
  for (const node of nodes) {
    node.endTurn();
    for (let line = 0; line < lines; line++) node.lines.push(node.engine.find(`n${line}`)!);
  }
  return nodes;
}

export async function simulateCrowd(options: CrowdOptions): Promise<CrowdResult> {
  const { lines, busiest, seconds } = options;
  const time = new SimulatedTime();
  const store = new CountingStore(time.clock);
  const nodes = await openNodes(time, store, options);

  /** Runs work for each node in one tick, each at an instant of its own. */
  const eachInTurn = async (work: (node: CrowdNode, index: number) => void) => {
    for (let ms = 0; ms < TICK_MS; ms++) {
      for (let index = ms; index < nodes.length; index += TICK_MS) {
        work(nodes[index]!, index);
        nodes[index]!.endTurn();
      }
      await time.advance(1);
    }
  };
  const due = nodes.map(() => new Float64Array(lines).map(() => Math.random()));
  const run = async (forSeconds: number) => {
    for (let tick = 0; tick < (forSeconds * 1000) / TICK_MS; tick++) {
      await eachInTurn((node, index) => {
        const owed = due[index]!;
        for (let line = 0; line < lines; line++) {
          owed[line]! += (busiest / (line + 1)) * (TICK_MS / 1000);
          const count = Math.floor(owed[line]!);
          if (count === 0 && !node.waiting[line]) continue;
          owed[line]! -= count;
          node.take(line, count);
        }
      });
    }
  };
  // Each node first takes from each line, in an order of its own, and so gets its first leases.
  const orders = nodes.map(() => shuffled(lines));
  const warmUpTicks = (WARM_UP_SECONDS * 1000) / TICK_MS;
  for (let tick = 0; tick < warmUpTicks; tick++) {
    const [from, to] = [tick, tick + 1].map((at) => Math.floor((at * lines) / warmUpTicks));
    await eachInTurn((node, index) => {
      for (const line of orders[index]!.slice(from, to)) node.take(line, 1);
    });
  }
  // Leases of busy lines are small at first, so this part is not measured.
  await run(seconds / 2);
  const before = { ...pick(store), numbers: sum(nodes, "numbers"), waited: sum(nodes, "waited") };
  await run(seconds);
  const after = { ...pick(store), numbers: sum(nodes, "numbers"), waited: sum(nodes, "waited") };
  const numbers = after.numbers - before.numbers;
  return {
    numbers,
    requestsPerSecond: numbers / seconds,
    writesPerSecond: (after.writes - before.writes) / seconds,
    readsPerSecond: (after.reads - before.reads) / seconds,
    lostRaces: (after.lostRaces - before.lostRaces) / seconds,
    leasesPerSecond: (after.leases - before.leases) / seconds,
    waited: (after.waited - before.waited) / numbers,
  };
}

function shuffled(count: number): number[] {
  const order = Array.from({ length: count }, (_, index) => index);
  for (let at = count - 1; at > 0; at--) {
    const other = Math.floor(Math.random() * (at + 1));
    [order[at], order[other]] = [order[other]!, order[at]!];
  }
  return order;
}

function pick({ writes, reads, lostRaces, leases }: CountingStore) {
  return { writes, reads, lostRaces, leases };
}

function sum(nodes: readonly CrowdNode[], what: "numbers" | "waited"): number {
  return nodes.reduce((total, node) => total + node[what], 0);
}
