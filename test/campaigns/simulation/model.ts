/**
 * What the dispensers should be: their checkers by name, as the requests processed so far made
 * them, and as they are if the commit under way fails. Builds the requests that keep it so.
 */

import { type StrategyName, strategyNames } from "../../../src/dispenser/strategy.ts";
import type { Engine } from "../../../src/engine/engine.ts";
import type { Prng } from "../../../testkit/prng.ts";
import { type Reply, ReplyError } from "../../../testkit/resp.ts";
import { type AskedOf, Broken, Checker, fieldsOf, type Shape } from "./checker.ts";
import type { Asked, SimulatedClient } from "./client.ts";

const NOT_FOUND = "ERR dispenser not found";
const EXHAUSTED = "ERR number range exhausted";
const LINES = 5;

/** A line that DEL took, of which numbers may be in use. */
interface Deleted {
  readonly shape: Shape;
  /** Where it stood; undefined for a line in memory: where it became so, which the model does not know. */
  readonly position: bigint | undefined;
  /** What lies below is spent for good. */
  readonly spentBelow: bigint;
}

/** What there is, by name. */
interface State {
  readonly checkers: Map<string, Checker>;
  /** Deleted lines that are kept. */
  readonly deleted: Map<string, readonly Deleted[]>;
  /** Durable numbers that clients received and that must not come again: Checker.inUse. */
  readonly inUse: Map<string, Set<bigint>>;
}

const copyOf = ({ checkers, deleted, inUse }: State): State => ({
  checkers: new Map(checkers),
  deleted: new Map(deleted),
  inUse: new Map(inUse),
});

/** Sends a request made of words; what it changes in the model is applied when this returns. */
type Send = (words: readonly string[], more: Partial<Asked>) => void;

export class Model {
  /** As the requests processed so far left it. */
  private state: State = { checkers: new Map(), deleted: new Map(), inUse: new Map() };
  /** As it is where the commit under way fails. */
  private settled = copyOf(this.state);
  private undo: (() => void)[] = [];
  /** Names that the commit under way changes: nothing about them is answered before it is over. */
  private readonly changed = new Set<string>();
  private commits = 0;
  private readonly prng: Prng;
  private engine!: Engine;

  constructor(prng: Prng) {
    this.prng = prng;
  }

  /** A new life has begun, on this engine. */
  began(engine: Engine): void {
    this.engine = engine;
  }

  /** By name. */
  get witnesses(): ReadonlyMap<string, Checker> {
    return this.state.checkers;
  }

  /** The commit under way has succeeded, or the crash came after it. */
  committed(): void {
    this.settled = copyOf(this.state);
    this.over();
  }

  /** It failed, or the crash came before it. */
  rolledBack(): void {
    for (const undo of this.undo.reverse()) undo();
    this.state = copyOf(this.settled);
    this.over();
  }

  private over(): void {
    this.undo = [];
    this.changed.clear();
    this.commits++;
  }

  dispenserOf(checker: Checker) {
    const dispenser = this.engine.find(checker.name);
    if (dispenser === undefined) throw new Broken(`${checker.name} is gone`);
    return dispenser;
  }

  private strategyOf(checker: Checker): StrategyName {
    return this.dispenserOf(checker).definition.strategy;
  }

  private someName(): string {
    return `line${this.prng.below(LINES)}`;
  }

  private someChecker(): Checker | undefined {
    return this.state.checkers.get(this.someName());
  }

  /** A request of one kind or another. */
  request(client: SimulatedClient, sendAny: Send): void {
    const send: Send = (words, more) => {
      const { commits } = this;
      const waits = words.slice(1).some((name) => this.changed.has(name));
      const answered = (reply: Reply) => {
        // An MGET is refused for one of its names, which need not be one that changes.
        const isOfOne = words[0] === "MGET" && reply instanceof ReplyError;
        if (waits && !isOfOne && this.commits === commits)
          throw new Broken(`${words.join(" ")}: answered before the commit it depends on`);
        more.answered?.(reply);
      };
      sendAny(words, { ...more, answered });
    };
    const prng = this.prng.below(100);
    if (prng < 60) this.take(client, send);
    else if (prng < 66) this.takeEach(client, send);
    else if (prng < 76) this.define(send);
    else if (prng < 81) this.switch(send);
    else if (prng < 83) this.grow(send);
    else if (prng < 87) this.remove(send);
    else if (prng < 91) this.advance(send);
    else this.inform(send);
  }

  private take(client: SimulatedClient, send: Send): void {
    const name = this.someName();
    const checker = this.state.checkers.get(name);
    if (checker === undefined) return send(["GET", name], { answered: expects(NOT_FOUND) });
    const asked = this.askedOf(checker);
    const answered = (reply: Reply) => {
      if (typeof reply !== "string") return expects(EXHAUSTED)(reply);
      this.received(client, checker, checker.acknowledge(reply, asked));
    };
    send(["GET", name], { takes: [checker], answered });
    const { nextBytes, position } = this.dispenserOf(checker);
    if (nextBytes === 0 && checker.numberAt(position) <= checker.limit)
      checker.fail(`exhausted at position ${position}`);
  }

  private askedOf(checker: Checker): AskedOf {
    const { largest: floor, shape } = checker;
    const strategy = this.strategyOf(checker);
    const inUse = strategy === "memory" ? new Set(checker.inUse) : checker.inUse;
    return { strategy, floor, length: shape.length, inUse };
  }

  /** On one connection numbers ascend. */
  private received(client: SimulatedClient, checker: Checker, number: bigint): void {
    if (!checker.hasPositions) return;
    const last = client.lastOf.get(checker);
    if (last !== undefined && number <= last) checker.fail(`${number} after ${last}`);
    client.lastOf.set(checker, number);
  }

  private takeEach(client: SimulatedClient, send: Send): void {
    const names = Array.from({ length: 1 + this.prng.below(4) }, () => this.someName());
    const checkers = names.map((name) => this.state.checkers.get(name));
    if (checkers.some((checker) => checker === undefined))
      return send(["MGET", ...names], { answered: expects(NOT_FOUND, EXHAUSTED) });
    const takes = checkers.filter((checker) => checker !== undefined);
    const asked = takes.map((checker) => this.askedOf(checker));
    const answered = (reply: Reply) => {
      if (!Array.isArray(reply)) return expects(EXHAUSTED)(reply);
      for (const [index, checker] of takes.entries()) {
        const number = checker.acknowledge(String(reply[index]), asked[index]!);
        this.received(client, checker, number);
      }
    };
    // What it took of lines whose reservation stands is wasted.
    const failed = () => {
      for (const [index, checker] of takes.entries())
        if (asked[index]!.strategy !== "elegant_close") checker.excused++;
    };
    send(["MGET", ...names], { takes, answered, failed });
  }

  private define(send: Send): void {
    const name = this.someName();
    if (this.state.checkers.has(name)) return;
    const deleted = this.state.deleted.get(name) ?? [];
    const isSame = deleted.length > 0 && this.prng.once(2);
    const shape = isSame ? this.prng.pick(deleted).shape : this.someShape();
    const { type } = shape;
    const strategy = this.prng.pick(
      strategyNames.filter((name) => type !== "4" || name !== "memory"),
    );
    const reuse = this.prng.once(8);
    const fields: Record<string, string> = { ...fieldsOf(shape), auto_disk: strategy };
    // A deleted line goes on without anybody giving its key.
    if (type === "4" && isSame && !reuse && this.prng.once(2)) delete fields.key;
    if (reuse) fields.reuse = "yes";
    let reply: (reply: Reply) => void = expects(`ERR '${name}' was deleted`);
    const answered = (found: Reply) => reply(found);
    send(["HSET", name, ...Object.entries(fields).flat()], { answered });
    const isNew = this.engine.has(name);
    const kept = reuse ? [] : deleted;
    const same =
      strategy === "memory" ? undefined : kept.find((line) => isSameShape(line.shape, shape));
    if (!isNew) return this.checkRefused(name, shape, same, kept);
    this.changed.add(name);
    if (reuse) this.state.deleted.delete(name);
    const inUse = (reuse ? undefined : this.state.inUse.get(name)) ?? new Set<bigint>();
    this.state.inUse.set(name, inUse);
    const checker = new Checker(name, shape, strategy, inUse);
    this.state.checkers.set(name, checker);
    reply = isNumber;
    if (checker.hasPositions) reply = this.begins(checker, same);
  }

  /** A line of this name was let in: it is new, or goes on. Answers what its reply has to be. */
  private begins(checker: Checker, same: Deleted | undefined): (reply: Reply) => void {
    const { name, inUse } = checker;
    const { position, counts } = this.dispenserOf(checker);
    for (const number of inUse)
      if (checker.has(number, position)) checker.fail(`let in though ${number} is in use`);
    if (same === undefined) {
      if (position !== 0n) checker.fail(`is new, and begins at position ${position}`);
      return isNumber;
    }
    if (position < same.spentBelow || (same.position ?? position) !== position)
      checker.fail(`goes on at position ${position}, and was deleted at ${same.position}`);
    checker.goesOn(position, counts.generated);
    const others = this.state.deleted.get(name)!.filter((line) => line !== same);
    this.state.deleted.set(name, others);
    return (reply) => {
      isNumber(reply);
      checker.spend(position);
    };
  }

  /** A line was refused: one that was deleted, and is another one, has numbers from where it would begin on. */
  private checkRefused(
    name: string,
    shape: Shape,
    same: Deleted | undefined,
    deleted: readonly Deleted[],
  ): void {
    const first = shape.starting + shape.step * (same?.position ?? 0n);
    const mayMeet = deleted.some(
      (line) =>
        line !== same &&
        (line.position === undefined ||
          [line.shape.type, shape.type].includes("4") ||
          lastOf(line) >= first),
    );
    if (shape.type === "1" || !mayMeet) throw new Broken(`${name}: refused for nothing`);
  }

  private someShape(): Shape {
    const type = this.prng.pick(["1", "2", "2", "3", "3", "3", "4"] as const);
    const format = this.prng.pick(["", "", "A-{n:3}{luhn}/7"] as const);
    if (type === "4") {
      return { type, length: this.prng.pick([4, 12]), starting: 0n, step: 1n, format };
    }
    const length = type === "1" ? 18 : this.prng.pick([1, 2, 3, 18]);
    const step = this.prng.pick([1n, 1n, 3n, 1000n, 2n ** 61n]);
    const starting =
      type === "2"
        ? 10n ** BigInt(length) - this.prng.pick([1n, 2n, 8n])
        : this.prng.pick([0n, 7n, 2n ** 53n - 3n, 2n ** 63n - 40n, 2n ** 63n - 1n]);
    return type === "3"
      ? { type, length: 0, starting, step, format }
      : { type, length, starting, step: type === "1" ? 1n : step, format };
  }

  private switch(send: Send): void {
    const checker = this.someChecker();
    if (checker === undefined) return;
    const strategy = this.prng.pick(strategyNames);
    const dispenser = this.dispenserOf(checker);
    const before = dispenser.definition.strategy;
    const { current, position, counts } = dispenser;
    const { countedFrom } = checker;
    const reuse = this.prng.once(2);
    const isInUse = checker.hasPositions && counts.generated > 0n;
    const isCode = checker.shape.type === "4";
    const isRefused =
      strategy === "memory" && before !== "memory" && (isCode || (isInUse && !reuse));
    const answered = (reply: Reply) => {
      if (isRefused && isCode) return expects("ERR invalid auto_disk 'memory'")(reply);
      if (isRefused) return expects("ERR cannot change 'auto_disk' of ")(reply);
      isNumber(reply);
      if (strategy !== before) checker.spend(position);
    };
    const changes = strategy !== before && !isRefused;
    if (changes) this.changed.add(checker.name);
    const words = ["HSET", checker.name, "auto_disk", strategy];
    send(reuse ? [...words, "reuse", "yes"] : words, { answered });
    if (this.dispenserOf(checker).current !== current) checker.fail("a switch moved the position");
    if (!changes) return;
    checker.switched(strategy);
    checker.countedFrom = 0n;
    this.undo.push(() => {
      checker.countedFrom = countedFrom;
    });
  }

  private grow(send: Send): void {
    const checker = this.someChecker();
    if (checker?.shape.type !== "2") return;
    const { shape } = checker;
    const length = Math.min(18, shape.length + this.prng.pick([-1, 0, 1, 1, 5]));
    const { position } = this.dispenserOf(checker);
    // One that grew is answered after its commit; what is refused, at once.
    let reply: (reply: Reply) => void = isNumber;
    if (length !== shape.length) reply = expects("ERR cannot change 'length' of ", "ERR invalid ");
    const answered = (found: Reply) => reply(found);
    send(["HSET", checker.name, "length", String(length)], { answered });
    const now = this.dispenserOf(checker);
    if (now.position !== position) checker.fail("growing moved it");
    if (length > shape.length && Number(now.definition.values.length) < length) {
      const deleted = this.state.deleted.get(checker.name) ?? [];
      const first = checker.numberAt(position);
      const mayMeet = deleted.some((line) => line.position === undefined || lastOf(line) >= first);
      if (!mayMeet) checker.fail("may not grow, for nothing");
    }
    if (Number(now.definition.values.length) === shape.length) return;
    reply = isNumber;
    this.changed.add(checker.name);
    checker.shape = { ...shape, length };
    this.undo.push(() => {
      checker.shape = shape;
    });
    for (const number of checker.inUse)
      if (checker.has(number, position)) checker.fail(`grows into ${number}, in use`);
  }

  private remove(send: Send): void {
    const name = this.someName();
    const checker = this.state.checkers.get(name);
    if (checker !== undefined) {
      this.changed.add(name);
      this.keep(checker);
      this.state.checkers.delete(name);
    }
    send(["DEL", name], {
      answered: (reply) => {
        if (reply !== Number(checker !== undefined))
          throw new Broken(`DEL ${name}: ${String(reply)}`);
      },
    });
  }

  /** What is kept of a line that DEL takes. */
  private keep({ name, shape, hasPositions, spentBelow }: Checker): void {
    const { position, definition } = this.engine.find(name)!;
    const isMemory = definition.strategy === "memory";
    if (!hasPositions || (!isMemory && position === 0n)) return;
    const line = { shape, position: isMemory ? undefined : position, spentBelow };
    const before = this.state.deleted.get(name) ?? [];
    this.state.deleted.set(name, [...before, line]);
  }

  private advance(send: Send): void {
    const checker = this.someChecker();
    if (checker === undefined || !checker.hasPositions) return;
    let skipped = 0n;
    const before = this.dispenserOf(checker).position;
    const skip = BigInt(this.prng.pick([0, 1, 50, 100_000]));
    const answered = (reply: Reply) => {
      if (typeof reply !== "string") return expects(EXHAUSTED)(reply);
      const next = checker.next(reply);
      const position = next === undefined ? before + skipped : checker.positionOf(next);
      if (skipped > 0n) checker.spend(position);
    };
    const number = checker.numberAt(before + skip);
    const most = 2n ** 63n - 1n;
    if (skip > 0n && number <= checker.limit) this.changed.add(checker.name);
    const isCode = checker.shape.type === "4";
    // A line of codes goes on behind one: there is none in front of the first, nor behind the last.
    if (isCode && (number === 0n || number > checker.limit + 1n)) return;
    const plain = number < most ? number : most;
    const target = isCode || this.prng.once(2) ? checker.textFor(plain) : String(plain);
    send(["ADVANCE", checker.name, target, "FORCE"], { answered });
    skipped = this.dispenserOf(checker).position - before;
    checker.excused += skipped;
    this.undo.push(() => {
      checker.excused -= skipped;
    });
  }

  private inform(send: Send): void {
    const name = this.someName();
    const checker = this.state.checkers.get(name);
    if (checker === undefined) return send(["INFO", name], { answered: expects(NOT_FOUND) });
    const { countedFrom } = checker;
    const answered = (reply: Reply) => {
      const lines = String(reply).trim().split("\r\n");
      const fields = Object.fromEntries(lines.map((line) => line.split(":") as [string, string]));
      checker.checkInfo(fields, countedFrom);
    };
    send(["INFO", name], { answered });
  }

  /** With no request under way, counts are what clients received. */
  checkQuiet(): void {
    for (const checker of this.state.checkers.values())
      checker.checkGenerated(this.dispenserOf(checker).counts.generated);
  }
}

/** The last number of a deleted line that may be in use. */
function lastOf({ shape, position = 0n }: Deleted): bigint {
  return shape.starting + shape.step * (position - 1n);
}

function isSameShape(left: Shape, right: Shape): boolean {
  return (
    left.type === right.type &&
    left.length === right.length &&
    left.starting === right.starting &&
    left.step === right.step &&
    left.format === right.format
  );
}

function expects(...errors: string[]): (reply: Reply) => void {
  return (reply) => {
    const isOne = errors.some((error) => (reply as ReplyError).message?.startsWith(error));
    if (!(reply instanceof ReplyError && isOne))
      throw new Broken(`expected ${errors.join(" or ")}, not ${String(reply)}`);
  };
}

function isNumber(reply: Reply): void {
  if (typeof reply !== "number") throw new Broken(`expected a number, not ${String(reply)}`);
}
