/**
 * A cluster under load while its nodes, its store and the network between them fail. Numbers are
 * taken of a line of each strategy, of codes, of formatted numbers and of hourly ones on all nodes at
 * once; what clients received is held against the invariants, and what the store says in the end
 * against the waste that is allowed.
 */

import { advanceHistory } from "../../../src/cluster/admin/operations.ts";
import { openLeaseStore } from "../../../src/cluster/stores/open.ts";
import { readLine, readName, readUsage } from "../../../src/cluster/stores/records.ts";
import type { Definition } from "../../../src/dispenser/definition.ts";
import { define } from "../../../src/dispenser/fields.ts";
import { type StrategyName, strategies, strategyNames } from "../../../src/dispenser/strategy.ts";
import { NO_PERIOD } from "../../../src/dispenser/types/type.ts";
import { Prng } from "../../../testkit/prng.ts";
import { type Reply, ReplyError, TestClient } from "../../../testkit/resp.ts";
import { until } from "../../../testkit/until.ts";
import type { Cut } from "../../support/fragile-link.ts";
import { NodeOrder, Received } from "../../support/numbers.ts";
import { FleetNode, type RealStore } from "./fleet.ts";

const NODES = 3;
const CLIENTS_PER_LINE = 2;
/** So many nodes are lost for good. */
const LOST_MAX = 2;
/** A node answers within this, whatever happens to the store: a number, or an error. */
const ANSWER_MS_MAX = 8000;
/** No line hands out so many in what a store forgets here. */
const FORGOTTEN_MAX = 100_000_000n;

export interface ChaosOptions {
  readonly store: RealStore;
  readonly seed: number;
  readonly seconds: number;
  /** How long a node is stopped with SIGSTOP. */
  readonly pauseMs: number;
  /** Every so many seconds an old dump or snapshot of the store is put back; never where it is 0. */
  readonly putBackEverySeconds: number;
  readonly say: (line: string) => void;
}

interface Line {
  readonly name: string;
  readonly strategy: StrategyName;
  readonly fields: Readonly<Record<string, string>>;
  /** The position of a text; NaN of one that is none of the line. */
  readonly positionOf: (text: string) => number;
  readonly received: Received;
}

/** The key is given, so that an observer can tell which position a code has. */
const codes = {
  type: "4",
  length: "12",
  alphabet: "safe",
  key: "c4d1f0a2937e5b6880fbd2c31e4a7965",
};
const formatted = { type: "2", length: "9", format: "N-{n:3}{damm}" };

const hourly = { type: "2", length: "9", format: "{yyyy}{MM}{dd}{HH}-{n}", period: "hour" };
/** No more numbers than these are handed out in an hour. */
const HOUR_SPAN = 100_000_000;

/** The lines, with their strategies and fields. */
export const kinds: readonly (readonly [name: string, StrategyName, Line["fields"]])[] = [
  ...strategyNames.map((strategy) => [strategy, strategy, { type: "3" }] as const),
  ["codes", "pre_close", codes],
  ["durable-codes", "elegant_close", codes],
  ["formatted", "pre-checkpoint", formatted],
  ["hourly", "pre_close", hourly],
  ["durable-hourly", "elegant_close", hourly],
];

function positionsOf(fields: Line["fields"]): Line["positionOf"] {
  if (fields.type === "3") return Number;
  const { series, format } = define(new Map(Object.entries(fields))) as Definition;
  const first = format?.periods?.at(Date.now()) ?? NO_PERIOD;
  return (text) => {
    // An hour may end meanwhile.
    const period = format?.periodIn(text, first + 1) ?? NO_PERIOD;
    const position = Number(series.positionOf(text, period) ?? Number.NaN);
    return (period - first) * HOUR_SPAN + position;
  };
}

class Member {
  node: FleetNode;
  readonly orders: ReadonlyMap<Line, NodeOrder>;
  /** Something is being done to it. */
  isBusy = false;

  constructor(name: string, store: RealStore, lines: readonly Line[]) {
    this.node = new FleetNode(store);
    this.orders = new Map(lines.map((line) => [line, new NodeOrder(line.received, name)]));
  }
}

/** What happened, and how often. */
export type Events = Record<string, number>;

export class Chaos {
  readonly events: Events = {};
  private readonly options: ChaosOptions;
  private readonly prng: Prng;
  private readonly lines: Line[];
  private readonly members: Member[];
  private isOver = false;
  private failure: unknown;
  private isStoreBusy = false;
  /** Nodes that will not come back. */
  private readonly lost: FleetNode[] = [];
  /** Requests answered by an error, as the store was away. */
  private refused = 0;

  constructor(options: ChaosOptions) {
    this.options = options;
    this.prng = new Prng(options.seed);
    this.lines = kinds.map(([name, strategy, fields]) => ({
      ...{ name, strategy, fields, positionOf: positionsOf(fields) },
      received: new Received(name),
    }));
    this.members = Array.from(
      { length: NODES },
      (_, index) => new Member(`node ${index + 1}`, options.store, this.lines),
    );
  }

  /** Answers how many numbers were received. Throws where an invariant is broken. */
  async run(): Promise<number> {
    const { store, seconds } = this.options;
    await store.start();
    try {
      await Promise.all(this.members.map(({ node }) => node.start()));
      await this.define();
      const load = this.members.flatMap((member) =>
        this.lines.flatMap((line) =>
          Array.from({ length: CLIENTS_PER_LINE }, () => this.guarded(this.take(member, line))),
        ),
      );
      const troubles = this.guarded(this.trouble());
      const returns = this.guarded(this.putBackAgainAndAgain());
      await Bun.sleep(seconds * 1000);
      this.isOver = true;
      await Promise.all([troubles, returns, ...load]);
      if (this.failure !== undefined) throw this.failure;
      await this.end();
      // Nobody knows what was leased in what a store forgot.
      if (this.events["store put back"] === undefined) await this.checkWaste();
      return this.lines.reduce((sum, { received }) => sum + received.count, 0);
    } finally {
      this.isOver = true;
      for (const node of [...this.lost, ...this.members.map((member) => member.node)]) {
        if (node.server !== undefined) await node.end("SIGKILL");
        for (const link of node.links) link.stop();
      }
      await store.stop();
    }
  }

  private async guarded(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.failure ??= error;
      this.isOver = true;
    }
  }

  private async define(): Promise<void> {
    const client = await TestClient.connect(this.members[0]!.node.server!.port);
    for (const { name, strategy, fields } of this.lines) {
      const words = Object.entries({ ...fields, auto_disk: strategy }).flat();
      await client.command("HSET", name, ...words);
    }
    client.close();
  }

  /** Takes numbers of a line on a node, over all its lives. */
  private async take(member: Member, line: Line): Promise<void> {
    const order = member.orders.get(line)!;
    while (!this.isOver) {
      const client = await this.connected(member);
      try {
        if (client !== undefined) await this.takeFrom(client, line, order);
        client?.close();
      } catch (error) {
        // Between its end and our hearing of it nothing can be sent.
        if (!/closed|sends too much/i.test((error as Error).message)) throw error;
      }
    }
  }

  /** A client of the node, once it is up; undefined where the chaos ends before. */
  private async connected(member: Member): Promise<TestClient | undefined> {
    let client: TestClient | undefined;
    await until(async () => {
      const { server } = member.node;
      if (server === undefined) return this.isOver;
      client = await TestClient.connect(server.port).catch(() => undefined);
      return client !== undefined || this.isOver;
    });
    return client;
  }

  private async takeFrom(client: TestClient, line: Line, order: NodeOrder): Promise<void> {
    let last = -1;
    while (!this.isOver) {
      const floor = Math.max(order.largest, last);
      const count = this.prng.pick([1, 1, 5, 40, 150]);
      const replies = await client.pipeline(
        Array.from({ length: count }, () => ["GET", line.name]),
      );
      let isRefused = false;
      for (const reply of replies) {
        if (typeof reply === "string") {
          const number = line.positionOf(reply);
          if (Number.isNaN(number)) throw new Error(`${line.name}: ${reply} is none of the line`);
          order.add(number, Math.max(floor, last));
          last = number;
        } else if (reply instanceof ReplyError && reply.message === "connection closed") {
          return;
        } else if (reply instanceof ReplyError && /^ERR store unavailable/.test(reply.message)) {
          isRefused = true;
          this.refused++;
        } else throw new Error(`${line.name}: not a number: ${String(reply)}`);
      }
      if (isRefused) await Bun.sleep(5);
    }
  }

  private async trouble(): Promise<void> {
    const under: Promise<void>[] = [];
    while (!this.isOver) {
      await Bun.sleep(100 + this.prng.below(500));
      under.push(this.guarded(this.strike()));
    }
    await Promise.all(under);
  }

  private async strike(): Promise<void> {
    const { prng } = this;
    if (prng.once(8) && !this.isStoreBusy) return this.crashStore();
    const member = prng.pick(this.members);
    if (member.isBusy) return;
    member.isBusy = true;
    try {
      const blow = prng.pick([
        () => this.restart(member, "SIGKILL"),
        () => this.restart(member, "SIGKILL"),
        () => this.restart(member, "SIGTERM"),
        () => this.pause(member),
        () => this.replace(member),
        () => this.cut(member, "closed"),
        () => this.cut(member, "silent"),
        () => this.cut(member, "answers lost"),
      ]);
      await blow();
    } finally {
      member.isBusy = false;
    }
  }

  private count(event: string): void {
    this.events[event] = (this.events[event] ?? 0) + 1;
  }

  private async crashStore(): Promise<void> {
    this.isStoreBusy = true;
    this.count("store crashed");
    await this.options.store.crash(this.prng.below(2000));
    this.isStoreBusy = false;
  }

  private async putBackAgainAndAgain(): Promise<void> {
    const { putBackEverySeconds: every, seconds } = this.options;
    if (every === 0) return;
    for (let round = 1; round * every < seconds && !this.isOver; round++) {
      await Bun.sleep((every * 1000) / 2);
      if (!this.isOver) await this.putBack();
      await Bun.sleep((every * 1000) / 2);
    }
  }

  /**
   * Somebody puts a dump or a snapshot back, while nodes go on, are killed, restarted and added. They are left
   * to themselves for a while; then an operator takes the store for good.
   */
  private async putBack(): Promise<void> {
    const { store } = this.options;
    await until(() => !this.isStoreBusy);
    this.isStoreBusy = true;
    const putBack = await store.save();
    await Bun.sleep(1000 + this.prng.below(1500));
    this.count("store put back");
    await putBack();
    await Bun.sleep(2000 + this.prng.below(4000));
    const shared = openLeaseStore(store.url(store.ports));
    await advanceHistory(shared, FORGOTTEN_MAX, Date.now());
    await shared.close();
    this.isStoreBusy = false;
  }

  private async restart(member: Member, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    this.count(signal);
    const status = await member.node.end(signal);
    if (signal === "SIGTERM" && status !== 0) {
      throw new Error(`SIGTERM ended a node with ${status}:\n${member.node.log}`);
    }
    await Bun.sleep(this.prng.below(200));
    await member.node.start();
  }

  /** A machine is lost with its disk; another takes its place. What the node held is wasted. */
  private async replace(member: Member): Promise<void> {
    if (this.lost.length === LOST_MAX) return;
    this.count("lost for good");
    await member.node.end("SIGKILL");
    this.lost.push(member.node);
    member.node = new FleetNode(this.options.store);
    await member.node.start();
  }

  private async pause({ node }: Member): Promise<void> {
    this.count("SIGSTOP");
    process.kill(node.server!.pid, "SIGSTOP");
    await Bun.sleep(this.options.pauseMs);
    process.kill(node.server!.pid, "SIGCONT");
  }

  private async cut({ node }: Member, cut: Cut): Promise<void> {
    this.count(`network ${cut}`);
    for (const link of node.links) link.set(cut);
    await Bun.sleep(this.prng.below(3000));
    for (const link of node.links) link.set("none");
  }

  /** All is well again: each node hands out numbers of each line, and is stopped cleanly. */
  private async end(): Promise<void> {
    for (const { node, orders } of this.members) {
      const client = await TestClient.connect(node.server!.port);
      for (const [line, order] of orders) {
        const number = line.positionOf(await this.takeAfterAll(client, line.name));
        order.add(number, order.largest);
      }
      client.close();
      const status = await node.end("SIGTERM");
      if (status !== 0) throw new Error(`SIGTERM ended a node with ${status}:\n${node.log}`);
    }
  }

  private async takeAfterAll(client: TestClient, name: string): Promise<string> {
    const end = performance.now() + ANSWER_MS_MAX;
    let reply: Reply;
    await until(async () => {
      reply = await client.command("GET", name);
      if (performance.now() > end) throw new Error(`${name}: still ${String(reply)}`);
      return typeof reply === "string";
    }, 20);
    return String(reply!);
  }

  /** What of each line is neither held nor was handed out, but for leases that were not heard of. */
  private async checkWaste(): Promise<void> {
    const { store } = this.options;
    const shared = openLeaseStore(store.url(store.ports));
    const { rows } = await shared.list("");
    await shared.close();
    for (const { name, strategy, received } of this.lines) {
      const { line } = readName(rows.get(`name/${name}`))!;
      const counters = readLine(rows.get(`line/${line}`))!;
      const next = (counters.periods ?? []).reduce((sum, each) => sum + each.next, counters.next);
      const figures = [...rows].flatMap(([key, row]) =>
        key.startsWith(`figure/${line}/`) ? [readUsage(row)!] : [],
      );
      const sum = (of: (figure: (typeof figures)[number]) => bigint) =>
        figures.reduce((total, figure) => total + of(figure), 0n);
      const leased = sum((figure) => figure.leased);
      const lost = sum((figure) => figure.lost);
      const generated = sum((figure) => figure.generated);
      const wasted = leased - lost - generated - sum((figure) => figure.held);
      this.options.say(
        `  ${name}: ${received.count} received, ${leased} leased, ${lost} not heard of, ${wasted} wasted`,
      );
      if (leased !== next) throw new Error(`${name}: ${leased} leased, and ${next} gone`);
      const holders = figures.filter(({ held }) => held > 0n).length;
      if (holders > NODES + this.lost.length)
        throw new Error(`${name}: ${holders} nodes hold some`);
      const { acknowledgedPerAhead } = strategies[strategy];
      // What is left of leases where an hour ends is beside the bound.
      const hasEnded = (counters.periods?.length ?? 0) > 1;
      if (strategy === "memory" || hasEnded) continue;
      const bound = Math.floor(Number(generated) / acknowledgedPerAhead);
      if (Number(wasted) > bound) throw new Error(`${name}: ${wasted} wasted of ${generated}`);
    }
    this.events.refused = this.refused;
  }
}
