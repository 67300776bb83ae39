/**
 * A simulated cluster, driven by a seed: real nodes over a modelled store, with a network that delays,
 * loses and cuts, disks that fail, processes that die, sleep and are stopped, folders that are copied and
 * restored, and a store that goes back in time. What clients receive is held against the invariants.
 */

import { advanceHistory, forgetNode } from "../../../src/cluster/admin/operations.ts";
import type { FolderFingerprint } from "../../../src/cluster/node/state.ts";
import type { Clock } from "../../../src/cluster/stores/monotonic.ts";
import {
  CLUSTER,
  nodeKey,
  readCluster,
  readLine,
  readName,
  readNode,
  readUsage,
} from "../../../src/cluster/stores/records.ts";
import { strategyNames } from "../../../src/dispenser/strategy.ts";
import { Prng } from "../../../testkit/prng.ts";
import { type Reply, ReplyError } from "../../../testkit/resp.ts";
import { Received, Repeated } from "../../support/numbers.ts";
import { silent } from "../../support/server.ts";
import type { SimulatedDisk } from "../../support/simulated-disk.ts";
import {
  BEGIN_MS,
  HOUR_MS,
  hourAt,
  isHourly,
  type LineName,
  type Read,
  readNumber,
  SPAN,
  shapeOf,
  textBehind,
  writtenLines,
} from "./lines.ts";
import { Link, ModelStore, type Past, type Trace } from "./model-store.ts";
import { SimNode, type World } from "./sim-node.ts";

const NODES = 3;
const RESTLESS = "restless";
const durable = strategyNames.filter((strategy) => strategy !== "memory");

const MAY_HAPPEN =
  /^ERR (store|storage) unavailable: |^ERR dispenser not found: '|^ERR cannot change 'auto_disk' .* to memory|^ERR 'restless' was deleted at /;

interface Sleeper {
  readonly link: Link;
  readonly atMs: number;
  readonly wake: () => void;
}

/** What a disk had on it at one time. */
interface DiskCopy {
  readonly node: SimNode;
  readonly life: number;
  readonly place: FolderFingerprint;
  readonly disk: SimulatedDisk;
}

type Event =
  | "ask"
  | "store answers"
  | "all is heard"
  | "turn ends"
  | "time passes"
  | "network cut"
  | "pause"
  | "crash"
  | "stop"
  | "restore"
  | "restore in place"
  | "depart"
  | "snapshot"
  | "copy"
  | "store goes back"
  | "promotion"
  | "advance"
  | "clocks move";

/** How often what happens, to each other. */
type Weights = Readonly<Record<Event, number>>;

const everything: Weights = {
  ask: 60,
  "store answers": 50,
  "all is heard": 0,
  "turn ends": 40,
  "time passes": 35,
  "network cut": 3,
  pause: 3,
  crash: 2,
  stop: 1,
  restore: 1,
  "restore in place": 1,
  depart: 1,
  snapshot: 1,
  copy: 1,
  "store goes back": 0.3,
  promotion: 0.2,
  advance: 0.5,
  "clocks move": 4,
};

/** The store goes back again and again, while nodes come, go and start anew. */
const goingBack: Weights = {
  ...everything,
  "store answers": 10,
  "all is heard": 40,
  "network cut": 1,
  pause: 1,
  crash: 2,
  stop: 1,
  depart: 1,
  copy: 0,
  "restore in place": 0,
  restore: 0.3,
  snapshot: 3,
  "store goes back": 2,
  advance: 0.7,
};

/** What a history is about. */
interface Story {
  readonly weights: Weights;
  /** Lines that are taken from. */
  readonly lines: readonly LineName[];
  /** How many numbers a request is for. */
  readonly counts: readonly number[];
  /** Whether the store is heard as soon as something is asked. */
  readonly isHeard: boolean;
}

const stories = {
  everything: {
    weights: everything,
    lines: [...strategyNames, ...writtenLines],
    counts: [1, 1, 3, 30, 120],
    isHeard: false,
  },
  "going back": {
    weights: goingBack,
    lines: ["elegant_close", "pre-base", "hourly"],
    counts: [1, 30, 120, 120],
    isHeard: true,
  },
} satisfies Record<string, Story>;

export type Subject = keyof typeof stories;

export const subjects = Object.keys(stories) as Subject[];

export const isSubject = (text: string): text is Subject => Object.hasOwn(stories, text);

type Floors = Map<string, number>;

/** No more numbers than this are handed out in an hour. */
const HOUR_SPAN = 2 ** 36;

/** Under which key the largest number of a line on a node is known. */
function placeOf(name: string, node: SimNode): { at: string; hasPeriods: boolean } {
  const hasPeriods = isHourly(name);
  return { at: `${node.cluster.node} ${hasPeriods ? name : `${name}#0`}`, hasPeriods };
}

class ClusterSimulation {
  private readonly prng: Prng;
  private nowMs = 0;
  /** Hours pass without anything else: timers of the program do not hear of them. */
  private passedMs = 0;
  /** The latest time that a clock has shown. */
  private latestMs = BEGIN_MS;
  private sleepers: Sleeper[] = [];
  private readonly model: ModelStore;
  private readonly nodes: SimNode[];
  private readonly received = new Map<string, Received>();
  /** The largest number of a line that a node handed out, by both. */
  private readonly largest = new Map<string, number>();
  private names = 0;
  private incarnation = 0;
  private failure: unknown;
  private wentBack = false;
  private timesBack = 0;
  /**
   * The store went back without a trace, and this node alone knows what it forgot: nothing happens to it before
   * it has said so. Where nobody is left who knows, nothing can be known.
   */
  /** The only node left that knows that the store went back. */
  private informed: SimNode | undefined;
  /** How much a line may miss of what the store forgot; until an operator says so. */
  private margin: bigint | undefined;
  /** How far lines were leased in what it forgot since then. */
  private readonly reached = new Map<string, bigint>();
  private readonly copies: DiskCopy[] = [];
  private digest = 0;
  private readonly story: Story;
  private readonly weights: [Event, number][];
  private readonly weight: number;

  constructor(seed: number, subject: Subject) {
    this.prng = new Prng(seed);
    this.model = new ModelStore(() => this.nowMs, this.prng.once(4));
    this.story = stories[subject];
    this.weights = Object.entries(this.story.weights) as [Event, number][];
    this.weight = this.weights.reduce((sum, [, weight]) => sum + weight, 0);
    const world: World = {
      dice: this.prng,
      model: this.model,
      clockFor: (link, skewMs) => this.clockFor(link, skewMs),
      unique: () => `u${++this.names}`,
      log: silent,
    };
    this.nodes = Array.from({ length: NODES }, (_, index) => new SimNode(world, `n${index}`));
  }

  /** `skewMs`: how far the node's wall clock is ahead of the right time. */
  private clockFor(link: Link, skewMs: () => number = () => 0): Clock {
    return {
      now: () => this.nowMs,
      wallMs: () => this.wallMs + skewMs(),
      bootMs: () => this.nowMs + this.passedMs,
      random: () => this.prng.next(),
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
    for (const name of this.story.lines) {
      await this.define(name, shapeOf(name));
    }
    await this.define(RESTLESS, { type: "3", auto_disk: "elegant_close" });
    for (let step = 0; step < steps; step++) await this.step();
    await this.end();
    return this.digest;
  }

  private async step(): Promise<void> {
    const { prng } = this;
    let left = prng.next() * this.weight;
    for (const [name, weight] of this.weights) {
      left -= weight;
      if (left >= 0) continue;
      await this.happen(name);
      break;
    }
    await this.settle();
    for (const node of this.nodes) this.check(node);
    if (this.failure !== undefined) throw this.failure;
  }

  private async happen(event: Event): Promise<void> {
    const { prng, model } = this;
    const node = prng.pick(this.nodes);
    switch (event) {
      case "ask":
        this.ask(node);
        return this.story.isHeard ? await this.hear(node, 4) : undefined;
      case "store answers":
        for (let turn = prng.below(4); turn >= 0; turn--) model.step(prng);
        return;
      case "all is heard":
        return this.hear(node, 1 + prng.below(4));
      case "turn ends":
        return this.endTurn(node);
      case "time passes":
        await this.hearInformed();
        return this.passTime(prng.pick([0.1, 1, 10, 100, 700]));
      case "network cut":
        return this.cut(node);
      case "pause":
        return this.pause(node);
      case "crash":
        return this.crash(node);
      case "stop":
        return await this.stop(node);
      case "restore":
        return this.restore(node);
      case "restore in place":
        return this.restoreInPlace(node);
      case "depart":
        return await this.depart(node);
      case "snapshot":
        return model.snapshot();
      case "copy":
        this.copies.push(this.copyOf(node));
        return;
      case "store goes back":
        return this.goBack();
      case "promotion":
        return this.margin === undefined ? this.promote() : undefined;
      case "advance":
        return this.margin === undefined ? undefined : await this.advanceStore();
      case "clocks move":
        return this.moveClocks(node);
    }
  }

  /** The right time. */
  private get wallMs(): number {
    return BEGIN_MS + this.nowMs + this.passedMs;
  }

  /** Time passes for all, or the clock of one node is set. */
  private moveClocks(node: SimNode): void {
    const { prng } = this;
    if (prng.once(2)) this.passedMs += prng.pick([0.1, 0.5, 1, 1]) * HOUR_MS;
    else node.skewMs = prng.pick([0, 0, 0, -2, -0.5, 0.7, 25]) * HOUR_MS;
    this.noteClocks();
    for (const each of this.nodes) if (each.isServing) each.engine.dated.checkClock();
  }

  private noteClocks(): void {
    const aheadMs = Math.max(0, ...this.nodes.map(({ skewMs }) => skewMs));
    this.latestMs = Math.max(this.latestMs, this.wallMs + aheadMs);
  }

  /** A node and the store hear each other at once, so often. */
  private async hear(node: SimNode, times: number): Promise<void> {
    for (let heard = 0; heard < times && !node.link.isCut && !node.isPaused; heard++) {
      this.model.serve(node.link);
      await this.settle();
      if (node.ended === undefined) node.endTurn(node !== this.informed);
    }
  }

  /** Lets all that can go on without time or the store go on. */
  private async settle(): Promise<void> {
    await new Promise<void>((resolve) => void setImmediate(resolve));
  }

  private passTime(milliseconds: number): void {
    this.nowMs += milliseconds;
    this.noteClocks();
    this.model.passTime();
    const isDue = ({ link, atMs }: Sleeper) =>
      atMs <= this.nowMs && !this.nodes.some((node) => node.isPaused && node.link === link);
    const due = this.sleepers.filter(isDue);
    this.sleepers = this.sleepers.filter((sleeper) => !isDue(sleeper) && !sleeper.link.isDead);
    for (const { link, wake } of due) if (!link.isDead) wake();
  }

  private ask(node: SimNode): void {
    if (!node.isServing || node.isPaused) return;
    const { prng } = this;
    const name = prng.pick([...this.story.lines, RESTLESS]);
    const count = prng.pick(this.story.counts);
    if (prng.once(12)) return this.askOther(node);
    if (prng.once(6)) {
      node.ask(this.taking(node, ["MGET", name, RESTLESS, name], [name, RESTLESS, name]), 1);
    } else node.ask(this.taking(node, ["GET", name], [name]), count);
  }

  /** A request for numbers, and what its replies have to be. */
  private taking(node: SimNode, words: readonly string[], names: readonly string[]) {
    const floors = new Map(this.largest);
    const answered = (reply: Reply) => {
      this.note(reply);
      if (reply instanceof ReplyError) return this.allow(words, reply);
      for (const [index, text] of (Array.isArray(reply) ? reply : [reply]).entries()) {
        const name = names[index]!;
        this.take(node, name, readNumber(name, String(text)), floors);
      }
    };
    return { words, answered };
  }

  private take(node: SimNode, name: string, { part, number, hour }: Read, floors: Floors): void {
    const line = `${name}#${part}`;
    // Periods come in their order; which name before or after DEL a number is of, in any.
    // A store that forgot a DEL has the line again, which a node that heard of it knows no longer.
    const seen = name === RESTLESS ? `${line} ${this.timesBack}` : line;
    const at = `${node.cluster.node} ${hour === undefined ? seen : name}`;
    const place = (hour ?? 0) * HOUR_SPAN + number;
    const floor = floors.get(at) ?? -1;
    if (!(place > floor)) this.fail(new Repeated(`${at}: ${place} after ${floor}`));
    if (hour !== undefined && hour > hourAt(this.latestMs))
      this.fail(new Error(`${at}: hour ${hour}, and no clock was past ${hourAt(this.latestMs)}`));
    floors.set(at, place);
    this.largest.set(at, Math.max(place, this.largest.get(at) ?? -1));
    const received = this.received.get(line) ?? new Received(line);
    this.received.set(line, received);
    try {
      received.add(number);
    } catch (error) {
      this.fail(error);
    }
  }

  private askOther(node: SimNode): void {
    const { prng } = this;
    const answered = (reply: Reply) => {
      this.note(reply);
      if (reply instanceof ReplyError) this.allow(["other"], reply);
    };
    const say = (...words: string[]) => node.ask({ words, answered }, 1);
    const line = prng.pick(this.story.lines);
    switch (prng.below(5)) {
      case 0:
        return say("DEL", RESTLESS);
      case 1:
        // The line before goes on, or another one begins.
        if (prng.once(2)) this.incarnation++;
        return say("HSET", RESTLESS, "type", "3", "starting", String(SPAN * this.incarnation));
      case 2:
        // Not in memory: defined anew after DEL such a line starts over, as it may.
        return say("HSET", RESTLESS, "auto_disk", prng.pick(durable));
      case 3:
        return say("INFO", line);
      default:
        return this.advance(node, line);
    }
  }

  /** ADVANCE a little past what was handed out: later numbers of this node lie there. */
  private advance(node: SimNode, name: string): void {
    const { at, hasPeriods } = placeOf(name, node);
    const place = this.largest.get(at) ?? 0;
    const number = (place % HOUR_SPAN) + this.prng.below(300);
    const target = textBehind(name, number);
    if (target === undefined) return;
    const answered = (reply: Reply) => {
      this.note(reply);
      if (reply instanceof ReplyError) return this.allow(["ADVANCE"], reply);
      // By then it may have been in another period.
      if (!hasPeriods) this.largest.set(at, Math.max(number - 1, this.largest.get(at) ?? -1));
    };
    node.ask({ words: ["ADVANCE", name, target], answered }, 1);
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
    if (node.ended === undefined && !node.isPaused) node.endTurn(node !== this.informed);
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
    if (node === this.informed) return;
    node.isPaused = !node.isPaused;
    node.link.isCut = node.isPaused;
  }

  private cut(node: SimNode): void {
    if (node !== this.informed) node.link.isCut = this.prng.once(2);
  }

  private crash(node: SimNode): void {
    if (node !== this.informed) this.kill(node);
  }

  private async stop(node: SimNode): Promise<void> {
    if (node === this.informed) return;
    if (!node.isServing || node.isPaused) return;
    await node.stop(() => this.settle(), !node.link.isCut && this.prng.once(2));
    node.start();
  }

  /** The folder is replaced by a copy of another moment, or of another node's, at another place. */
  private restore(node: SimNode): void {
    if (node === this.informed) return;
    const copied = this.prng.pick(this.nodes).copyDisk();
    for (let later = this.prng.below(5); later > 0; later--) this.endTurn(node);
    node.die();
    node.isPaused = false;
    node.disk = copied;
    node.folderFingerprint = node.newPlace();
    node.start();
  }

  private copyOf(node: SimNode): DiskCopy {
    return { node, life: node.life, place: node.folderFingerprint, disk: node.copyDisk() };
  }

  /** The disk of a machine is set back to a copy, without a trace but a start since. */
  private restoreInPlace(node: SimNode): void {
    if (node === this.informed) return;
    const copy = this.copies.find(
      ({ node: of, life, place }) =>
        of === node && place === node.folderFingerprint && life < node.lifeEntered,
    );
    if (copy === undefined) return;
    node.die();
    node.isPaused = false;
    node.disk = copy.disk.copy();
    node.isSetBack = true;
    node.start();
  }

  /** A node is stopped and leaves, or is lost; another takes its place. */
  private async depart(node: SimNode): Promise<void> {
    if (node === this.informed) return;
    if (this.prng.once(3)) {
      const lost = node.lifeEntered === node.life ? node.cluster.node : undefined;
      node.lose();
      if (lost !== undefined && !this.prng.once(3)) await this.forget(lost);
      return node.start();
    }
    if (!node.isServing || node.isPaused) return;
    await node.stop(() => this.settle(), this.prng.once(2));
    await node.leave(async (link) => {
      this.model.serve(link);
      await this.settle();
      this.passTime(10);
    });
    node.start();
  }

  /** The store forgets what was written since a moment: an operator will find out how much may be missing. */
  private goBack(): void {
    const { model, prng } = this;
    if (model.past.length === 0) return;
    const past = prng.pick(model.past);
    const trace = prng.pick(model.traces);
    // A disk and a store that are both set back to one moment: nothing is left that could know.
    if (this.nodes.some(({ isSetBack }) => isSetBack)) return;
    if (!this.canBeKnown(past, trace)) return;
    for (const [key, next] of this.nexts()) {
      const reached = this.reached.get(key) ?? 0n;
      this.reached.set(key, next > reached ? next : reached);
    }
    model.goBack(past, trace, prng.pick([0, 1, 30]));
    this.copies.length = 0;
    // What was defined and deleted in what it forgot nobody knows: users have to give other numbers.
    this.incarnation++;
    this.wentBack = true;
    this.timesBack++;
    const after = this.nexts();
    let margin = 0n;
    for (const [key, reached] of this.reached) {
      const lost = reached - (after.get(key) ?? 0n);
      if (lost > margin) margin = lost;
    }
    this.margin = margin;
  }

  /** Whether somebody is left who can know that the store went back; remembers it, where only one does. */
  private canBeKnown({ rows }: Past, trace: Trace): boolean {
    if (trace === "restored") return true;
    const forgotten = this.nodes.filter(({ cluster }) => {
      if (cluster.isOutside) return false;
      const key = nodeKey(cluster.node);
      const [now, then] = [this.model.rows.get(key), rows.get(key)];
      if (cluster.isSuspicious) return true;
      return now !== undefined && readNode(now)!.nonce !== readNode(then)?.nonce;
    });
    // One that is a member then cannot confirm; whoever is none then has to be there to say it.
    const isMember = (node: SimNode) =>
      readNode(rows.get(nodeKey(node.cluster.node))) !== undefined;
    if (trace === "timeline" && forgotten.some(isMember)) return true;
    const isWell = (node: SimNode) => node.isServing && !node.isPaused && !node.link.isCut;
    this.informed = forgotten.find(isWell);
    return this.informed !== undefined;
  }

  /** Whoever knows is heard before the others stop waiting for it. */
  private async hearInformed(): Promise<void> {
    const { informed, model } = this;
    if (informed === undefined) return;
    await this.hear(informed, 5);
    if (readCluster(model.rows.get(CLUSTER))?.mark !== undefined) this.informed = undefined;
  }

  /** A replica that has everything takes over: nodes may have to be told by an operator that it has. */
  private promote(): void {
    this.model.promote();
    this.margin ??= 0n;
  }

  /** The operator writes a node off; the store may not know it any more. */
  private forget(node: string): Promise<void> {
    return this.operate((link) => forgetNode(link, node).catch(() => {}));
  }

  private async operate(work: (link: Link) => Promise<unknown>): Promise<void> {
    const link = new Link(this.model);
    let isDone = false;
    void work(link).then(() => {
      isDone = true;
    });
    for (let tries = 0; !isDone && tries < 1000; tries++) {
      this.model.serve(link);
      await this.settle();
    }
    if (!isDone) throw new Error("the operator's command did not end");
  }

  /** The operator takes the store for good. */
  private async advanceStore(): Promise<void> {
    // An epoch is later than one that the store forgot, as no operator is that quick.
    // The operator's clock is not behind that of a node.
    this.latestMs++;
    await this.operate((link) => advanceHistory(link, this.margin!, this.latestMs));
    this.margin = undefined;
    this.reached.clear();
    this.informed = undefined;
  }

  private nexts(): Map<string, bigint> {
    const lines = [...this.model.rows].filter(([key]) => key.startsWith("line/"));
    const counters = lines.flatMap(([key, row]) => {
      const { next, periods = [] } = readLine(row)!;
      const ofPeriods = periods.map((each) => [`${key}#${each.period}`, each.next] as const);
      return [[key, next] as const, ...ofPeriods];
    });
    return new Map(counters);
  }

  private async define(name: string, fields: Readonly<Record<string, string>>): Promise<void> {
    let reply: Reply = null;
    const words = ["HSET", name, ...Object.entries(fields).flat()];
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
      for (const name of this.story.lines) {
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
    for (const strategy of this.story.lines) {
      const { line } = readName(rows.get(`name/${strategy}`))!;
      const figures = [...rows].flatMap(([key, row]) =>
        key.startsWith(`figure/${line}/`) ? [readUsage(row)!] : [],
      );
      for (const { leased, lost, generated, held } of figures) {
        const wasted = leased - lost - generated - held;
        const isSound = [leased, lost, generated, held, wasted].every((figure) => figure >= 0n);
        if (!isSound) throw new Error(`${strategy}: ${leased} ${lost} ${generated} ${held}`);
      }
    }
  }
}

/** Runs one history and answers a digest of it. Throws an Error that names the seed. */
export async function simulateCluster(
  seed: number,
  subject: Subject = "everything",
  steps = 400,
): Promise<number> {
  try {
    return await new ClusterSimulation(seed, subject).run(steps);
  } catch (error) {
    const { message, stack } = error as Error;
    const what = error instanceof Repeated ? message : `${message}\n${stack}`;
    throw new Error(`seed ${seed}: ${what}`, { cause: error });
  }
}
