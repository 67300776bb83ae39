/**
 * A simulated cluster, driven by a seed: real nodes over a modelled store, with a network that delays,
 * loses and cuts, disks that fail, processes that die, sleep and are stopped, folders that are copied and
 * restored, and a store that goes back in time. What clients receive is held against the law.
 */

import type { Clock } from "../../src/cluster/history.ts";
import type { Whereabouts } from "../../src/cluster/memory.ts";
import { advanceHistory } from "../../src/cluster/operations.ts";
import { readFigure, readLine, readName } from "../../src/cluster/records.ts";
import { strategyNames } from "../../src/dispenser/strategy.ts";
import { Dice } from "../simulation/dice.ts";
import { type Reply, ReplyError } from "../support/resp.ts";
import { silent } from "../support/server.ts";
import type { SimulatedDisk } from "../support/simulated-disk.ts";
import { Link, ModelStore } from "./model-store.ts";
import { Received, Repeated } from "./numbers.ts";
import { SimNode, type World } from "./sim-node.ts";

const NODES = 3;
/** A name that is deleted and made anew begins this much higher each time: its numbers say which it is. */
const SPAN = 1_000_000_000;
const RESTLESS = "restless";

const MAY_HAPPEN = /^ERR (store|storage) unavailable: |^ERR dispenser not found$/;

interface Sleeper {
  readonly link: Link;
  readonly atMs: number;
  readonly wake: () => void;
}

/** What a disk had on it at one time. */
interface DiskCopy {
  readonly node: SimNode;
  readonly life: number;
  readonly place: Whereabouts;
  readonly disk: SimulatedDisk;
}

class ClusterSimulation {
  private readonly dice: Dice;
  private nowMs = 0;
  private sleepers: Sleeper[] = [];
  private readonly model = new ModelStore(() => this.nowMs);
  private readonly nodes: SimNode[];
  private readonly received = new Map<string, Received>();
  /** The largest number of a line that a node handed out, by both. */
  private readonly largest = new Map<string, number>();
  private names = 0;
  private incarnation = 0;
  private failure: unknown;
  private wentBack = false;
  /** How much a line may miss of what the store forgot; until an operator says so. */
  private margin: bigint | undefined;
  private readonly copies: DiskCopy[] = [];
  private digest = 0;

  constructor(seed: number) {
    this.dice = new Dice(seed);
    const world: World = {
      dice: this.dice,
      model: this.model,
      clockFor: (link) => this.clockFor(link),
      unique: () => `u${++this.names}`,
      log: silent,
    };
    this.nodes = Array.from({ length: NODES }, (_, index) => new SimNode(world, `n${index}`));
  }

  private clockFor(link: Link): Clock {
    return {
      now: () => this.nowMs,
      random: () => this.dice.next(),
      sleep: (milliseconds) =>
        new Promise((wake) => {
          this.sleepers.push({ link, atMs: this.nowMs + milliseconds, wake });
        }),
    };
  }

  /** Answers a digest of all replies. */
  async run(steps: number): Promise<number> {
    for (const node of this.nodes) node.start();
    await this.settleUntil(() => this.nodes.every(({ isServing }) => isServing));
    for (const strategy of strategyNames) await this.define(strategy, strategy);
    await this.define(RESTLESS, "elegant_close");
    for (let step = 0; step < steps; step++) await this.step();
    await this.end();
    return this.digest;
  }

  private async step(): Promise<void> {
    const { dice, model } = this;
    const choice = dice.below(200);
    if (choice < 60) this.ask(dice.pick(this.nodes));
    else if (choice < 110) for (let turn = dice.below(4); turn >= 0; turn--) model.step(dice);
    else if (choice < 150) this.endTurn(dice.pick(this.nodes));
    else if (choice < 185) this.passTime(dice.pick([0.1, 1, 10, 100, 700]));
    else if (choice < 188) dice.pick(this.nodes).link.isCut = dice.once(2);
    else if (choice < 191) this.pause(dice.pick(this.nodes));
    else if (choice < 193) this.kill(dice.pick(this.nodes));
    else if (choice < 194) await this.stop(dice.pick(this.nodes));
    else if (choice < 195) this.restore(dice.pick(this.nodes));
    else if (choice < 196) this.restoreInPlace(dice.pick(this.nodes));
    else if (choice < 197) await this.leave(dice.pick(this.nodes));
    else if (choice < 198) model.snapshot();
    else if (choice < 199) this.copies.push(this.copyOf(dice.pick(this.nodes)));
    else if (this.margin !== undefined) await this.advanceStore();
    else if (dice.once(3)) this.goBack();
    await this.settle();
    for (const node of this.nodes) this.check(node);
    if (this.failure !== undefined) throw this.failure;
  }

  /** Lets all that can go on without time or the store go on. */
  private async settle(): Promise<void> {
    await new Promise<void>((resolve) => void setImmediate(resolve));
  }

  private passTime(milliseconds: number): void {
    this.nowMs += milliseconds;
    this.model.passTime();
    const isDue = ({ link, atMs }: Sleeper) =>
      atMs <= this.nowMs && !this.nodes.some((node) => node.isPaused && node.link === link);
    const due = this.sleepers.filter(isDue);
    this.sleepers = this.sleepers.filter((sleeper) => !isDue(sleeper) && !sleeper.link.isDead);
    for (const { link, wake } of due) if (!link.isDead) wake();
  }

  private ask(node: SimNode): void {
    if (!node.isServing || node.isPaused) return;
    const { dice } = this;
    const name = dice.pick([...strategyNames, RESTLESS]);
    const count = dice.pick([1, 1, 3, 30, 120]);
    if (dice.once(12)) return this.askOther(node);
    if (dice.once(6)) {
      node.ask(this.taking(node, ["MGET", name, RESTLESS, name], [name, RESTLESS, name]), 1);
    } else node.ask(this.taking(node, ["GET", name], [name]), count);
  }

  /** A request for numbers, and what its replies have to be. */
  private taking(node: SimNode, words: readonly string[], names: readonly string[]) {
    const floors = new Map(this.largest);
    const answered = (reply: Reply) => {
      this.note(reply);
      if (reply instanceof ReplyError) return this.allow(words, reply);
      const numbers = (Array.isArray(reply) ? reply : [reply]).map(Number);
      for (const [index, number] of numbers.entries())
        this.take(node, names[index]!, number, floors);
    };
    return { words, answered };
  }

  private take(node: SimNode, name: string, number: number, floors: Map<string, number>): void {
    const line = `${name}#${Math.floor(number / SPAN)}`;
    const at = `${node.cluster.node} ${line}`;
    const floor = floors.get(at) ?? -1;
    if (number <= floor) this.fail(new Repeated(`${at}: ${number} after ${floor}`));
    floors.set(at, number);
    this.largest.set(at, Math.max(number, this.largest.get(at) ?? -1));
    const received = this.received.get(line) ?? new Received(line);
    this.received.set(line, received);
    try {
      received.add(number % SPAN);
    } catch (error) {
      this.fail(error);
    }
  }

  private askOther(node: SimNode): void {
    const { dice } = this;
    const answered = (reply: Reply) => {
      this.note(reply);
      if (reply instanceof ReplyError) this.allow(["other"], reply);
    };
    const say = (...words: string[]) => node.ask({ words, answered }, 1);
    const line = dice.pick(strategyNames);
    switch (dice.below(5)) {
      case 0:
        return say("DEL", RESTLESS);
      case 1:
        return say("HSET", RESTLESS, "type", "3", "starting", String(SPAN * ++this.incarnation));
      case 2:
        return say("HSET", RESTLESS, "auto_disk", dice.pick(strategyNames));
      case 3:
        return say("INFO", line);
      default:
        return this.advance(node, line);
    }
  }

  /** ADVANCE a little past what was handed out: later numbers of this node lie there. */
  private advance(node: SimNode, name: string): void {
    const at = `${node.cluster.node} ${name}#0`;
    const number = (this.largest.get(at) ?? 0) + this.dice.below(300);
    const answered = (reply: Reply) => {
      this.note(reply);
      if (reply instanceof ReplyError) return this.allow(["ADVANCE"], reply);
      this.largest.set(at, Math.max(number - 1, this.largest.get(at) ?? -1));
    };
    node.ask({ words: ["ADVANCE", name, String(number)], answered }, 1);
  }

  private allow(words: readonly string[], { message }: ReplyError): void {
    const isChange = /^ERR cannot change '(starting|type)'|^ERR type field is required/.test(
      message,
    );
    if (!MAY_HAPPEN.test(message) && !isChange)
      this.fail(new Error(`${words.join(" ")}: ${message}`));
  }

  private fail(error: unknown): void {
    this.failure ??= error;
  }

  private note(reply: Reply): void {
    this.digest = Bun.hash.crc32(String(reply), this.digest);
  }

  private endTurn(node: SimNode): void {
    if (node.ended === undefined && !node.isPaused) node.endTurn(true);
  }

  /** A life that ended by a fault of the disk is followed by the next; by anything else it is a failure. */
  private check(node: SimNode): void {
    if (node.ended === undefined) return;
    if (!node.endedByDisk) throw node.ended;
    this.kill(node);
  }

  private kill(node: SimNode): void {
    node.die();
    node.isPaused = false;
    node.start();
  }

  private pause(node: SimNode): void {
    node.isPaused = !node.isPaused;
    node.link.isCut = node.isPaused;
  }

  private async stop(node: SimNode): Promise<void> {
    if (!node.isServing || node.isPaused) return;
    await node.stop(() => this.settle(), !node.link.isCut && this.dice.once(2));
    node.start();
  }

  /** The folder is replaced by a copy of another moment, or of another node's, at another place. */
  private restore(node: SimNode): void {
    const copied = this.dice.pick(this.nodes).copyDisk();
    for (let later = this.dice.below(5); later > 0; later--) this.endTurn(node);
    node.die();
    node.isPaused = false;
    node.disk = copied;
    node.whereabouts = node.newPlace();
    node.start();
  }

  private copyOf(node: SimNode): DiskCopy {
    return { node, life: node.life, place: node.whereabouts, disk: node.copyDisk() };
  }

  /** The disk of a machine is set back to a copy, without a trace but a start since. */
  private restoreInPlace(node: SimNode): void {
    const copy = this.copies.find(
      ({ node: of, life, place }) =>
        of === node && place === node.whereabouts && life < node.lifeEntered,
    );
    if (copy === undefined) return;
    node.die();
    node.isPaused = false;
    node.disk = copy.disk.copy();
    node.isSetBack = true;
    node.start();
  }

  /** A node is stopped and leaves; another takes its place. */
  private async leave(node: SimNode): Promise<void> {
    if (!node.isServing || node.isPaused) return;
    await node.stop(() => this.settle(), this.dice.once(2));
    await node.leave(async (link) => {
      this.model.serve(link);
      await this.settle();
      this.passTime(10);
    });
    node.start();
  }

  /** A replica that lags takes over: an operator will find out how much may be missing. */
  private goBack(): void {
    const { model } = this;
    const before = this.nexts();
    // A disk and a store that are both set back to one moment: nothing is left that could know.
    if (this.nodes.some(({ isSetBack }) => isSetBack) || !model.goBack(this.dice)) return;
    this.copies.length = 0;
    this.wentBack = true;
    const after = this.nexts();
    let margin = 0n;
    for (const [key, next] of before) {
      const lost = next - (after.get(key) ?? 0n);
      if (lost > margin) margin = lost;
    }
    this.margin = margin;
  }

  /** The operator takes the store for good. */
  private async advanceStore(): Promise<void> {
    const link = new Link(this.model);
    let isDone = false;
    void advanceHistory(link, this.margin!, this.nowMs).then(() => {
      isDone = true;
    });
    for (let tries = 0; !isDone && tries < 1000; tries++) {
      this.model.serve(link);
      await this.settle();
    }
    if (!isDone) throw new Error("advance did not end");
    this.margin = undefined;
  }

  private nexts(): Map<string, bigint> {
    const lines = [...this.model.rows].filter(([key]) => key.startsWith("line/"));
    return new Map(lines.map(([key, row]) => [key, readLine(row)!.next]));
  }

  private async define(name: string, strategy: string): Promise<void> {
    let reply: Reply = null;
    const words = ["HSET", name, "type", "3", "auto_disk", strategy];
    const answered = (given: Reply) => {
      reply = given;
    };
    this.nodes[0]!.ask({ words, answered }, 1);
    await this.settleUntil(() => reply !== null);
  }

  /** Everything goes well until this is so. */
  private async settleUntil(isDone: () => boolean): Promise<void> {
    for (let tries = 0; tries < 5000; tries++) {
      await this.settle();
      for (const node of this.nodes) {
        node.faults.none();
        this.model.serve(node.link);
        await this.settle();
        this.check(node);
        if (node.ended === undefined) node.endTurn(false);
      }
      this.passTime(50);
      if (this.failure !== undefined) throw this.failure;
      if (isDone()) return;
    }
    const states = this.nodes.map(
      ({ name, isServing, cluster }) =>
        `${name} ${isServing ? "serves" : "waits"} ${cluster.trouble}`,
    );
    throw new Error(`it does not get well: ${states.join("; ")}`);
  }

  /** All is well again: every node hands out numbers of every line, and is stopped. */
  private async end(): Promise<void> {
    for (const node of this.nodes) {
      node.isPaused = false;
      node.link.isCut = false;
    }
    if (this.margin !== undefined) await this.advanceStore();
    await this.settleUntil(() => this.nodes.every(({ isServing }) => isServing));
    let last = "";
    for (const node of this.nodes) {
      for (const name of strategyNames) {
        let isTaken = false;
        for (let tries = 0; !isTaken; tries++) {
          if (tries > 100) throw new Error(`${node.name} hands out nothing of ${name}: ${last}`);
          let isAnswered = false;
          const { words, answered } = this.taking(node, ["GET", name], [name]);
          const note = (reply: Reply) => {
            answered(reply);
            isAnswered = true;
            last = String(reply);
            isTaken = !(reply instanceof ReplyError);
          };
          node.ask({ words, answered: note }, 1);
          await this.settleUntil(() => isAnswered);
        }
      }
    }
    for (const node of this.nodes) await node.stop(() => this.settle(), true);
    if (this.failure !== undefined) throw this.failure;
    if (!this.wentBack) this.checkFigures();
  }

  private checkFigures(): void {
    const { rows } = this.model;
    for (const strategy of strategyNames) {
      const { line } = readName(rows.get(`name/${strategy}`))!;
      const figures = [...rows].flatMap(([key, row]) =>
        key.startsWith(`figure/${line}/`) ? [readFigure(row)!] : [],
      );
      for (const { leased, burnt, generated, held } of figures) {
        const wasted = leased - burnt - generated - held;
        const isSound = [leased, burnt, generated, held, wasted].every((figure) => figure >= 0n);
        if (!isSound) throw new Error(`${strategy}: ${leased} ${burnt} ${generated} ${held}`);
      }
    }
  }
}

/** Runs one history and answers a digest of it. Throws an Error that names the seed. */
export async function simulateCluster(seed: number, steps = 400): Promise<number> {
  try {
    return await new ClusterSimulation(seed).run(steps);
  } catch (error) {
    const { message, stack } = error as Error;
    const what = error instanceof Repeated ? message : `${message}\n${stack}`;
    throw new Error(`seed ${seed}: ${what}`, { cause: error });
  }
}
