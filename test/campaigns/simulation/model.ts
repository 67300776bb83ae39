/**
 * What the dispensers should be: their witnesses by name, as the requests processed so far made
 * them, and as they are if the commit under way fails. Builds the requests that keep it so.
 */

import { type StrategyName, strategyNames } from "../../../src/dispenser/strategy.ts";
import type { Engine } from "../../../src/engine/engine.ts";
import type { Prng } from "../../../testkit/prng.ts";
import { type Reply, ReplyError } from "../../../testkit/resp.ts";
import { type AskedOf, Broken, Checker, type Shape } from "./checker.ts";
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
  readonly witnesses: Map<string, Checker>;
  /** Deleted lines that are kept. */
  readonly deleted: Map<string, readonly Deleted[]>;
  /** Durable numbers that clients received and that must not come again: Witness.inUse. */
  readonly inUse: Map<string, Set<bigint>>;
}

const copyOf = ({ witnesses, deleted, inUse }: State): State => ({
  witnesses: new Map(witnesses),
  deleted: new Map(deleted),
  inUse: new Map(inUse),
});

/** Sends a request made of words; what it changes in the model is applied when this returns. */
type Send = (words: readonly string[], more: Partial<Asked>) => void;

export class Model {
  /** As the requests processed so far left it. */
  private state: State = { witnesses: new Map(), deleted: new Map(), inUse: new Map() };
  /** As it is where the commit under way fails. */
  private settled = copyOf(this.state);
  private undo: (() => void)[] = [];
  /** Names that the commit under way changes: nothing about them is answered before it is over. */
  private readonly changed = new Set<string>();
  private commits = 0;
  private readonly dice: Prng;
  private engine!: Engine;

  constructor(dice: Prng) {
    this.dice = dice;
  }

  /** A new life has begun, on this engine. */
  began(engine: Engine): void {
    this.engine = engine;
  }

  /** By name. */
  get witnesses(): ReadonlyMap<string, Checker> {
    return this.state.witnesses;
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

  dispenserOf(witness: Checker) {
    const dispenser = this.engine.find(witness.name);
    if (dispenser === undefined) throw new Broken(`${witness.name} is gone`);
    return dispenser;
  }

  private strategyOf(witness: Checker): StrategyName {
    return this.dispenserOf(witness).definition.strategy;
  }

  private someName(): string {
    return `line${this.dice.below(LINES)}`;
  }

  private someWitness(): Checker | undefined {
    return this.witnesses.get(this.someName());
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
    const dice = this.dice.below(100);
    if (dice < 60) this.take(client, send);
    else if (dice < 66) this.takeEach(client, send);
    else if (dice < 76) this.define(send);
    else if (dice < 81) this.switch(send);
    else if (dice < 83) this.grow(send);
    else if (dice < 87) this.remove(send);
    else if (dice < 91) this.advance(send);
    else this.inform(send);
  }

  private take(client: SimulatedClient, send: Send): void {
    const name = this.someName();
    const witness = this.witnesses.get(name);
    if (witness === undefined) return send(["GET", name], { answered: expects(NOT_FOUND) });
    const asked = this.askedOf(witness);
    const answered = (reply: Reply) => {
      if (typeof reply !== "string") return expects(EXHAUSTED)(reply);
      this.received(client, witness, witness.acknowledge(reply, asked));
    };
    send(["GET", name], { takes: [witness], answered });
    const { nextBytes, position } = this.dispenserOf(witness);
    if (nextBytes === 0 && witness.numberAt(position) <= witness.limit)
      witness.fail(`exhausted at position ${position}`);
  }

  private askedOf(witness: Checker): AskedOf {
    const { largest: floor, shape } = witness;
    const strategy = this.strategyOf(witness);
    const inUse = strategy === "memory" ? new Set(witness.inUse) : witness.inUse;
    return { strategy, floor, length: shape.length, inUse };
  }

  /** On one connection numbers ascend. */
  private received(client: SimulatedClient, witness: Checker, number: bigint): void {
    if (!witness.hasPositions) return;
    const last = client.lastOf.get(witness);
    if (last !== undefined && number <= last) witness.fail(`${number} after ${last}`);
    client.lastOf.set(witness, number);
  }

  private takeEach(client: SimulatedClient, send: Send): void {
    const names = Array.from({ length: 1 + this.dice.below(4) }, () => this.someName());
    const witnesses = names.map((name) => this.witnesses.get(name));
    if (witnesses.some((witness) => witness === undefined))
      return send(["MGET", ...names], { answered: expects(NOT_FOUND, EXHAUSTED) });
    const takes = witnesses.filter((witness) => witness !== undefined);
    const asked = takes.map((witness) => this.askedOf(witness));
    const answered = (reply: Reply) => {
      if (!Array.isArray(reply)) return expects(EXHAUSTED)(reply);
      for (const [index, witness] of takes.entries()) {
        const number = witness.acknowledge(String(reply[index]), asked[index]!);
        this.received(client, witness, number);
      }
    };
    // What it took of lines whose reservation stands is wasted.
    const failed = () => {
      for (const [index, witness] of takes.entries())
        if (asked[index]!.strategy !== "elegant_close") witness.excused++;
    };
    send(["MGET", ...names], { takes, answered, failed });
  }

  private define(send: Send): void {
    const name = this.someName();
    if (this.witnesses.has(name)) return;
    const deleted = this.state.deleted.get(name) ?? [];
    const isSame = deleted.length > 0 && this.dice.once(2);
    const shape = isSame ? this.dice.pick(deleted).shape : this.someShape();
    const strategy = this.dice.pick(strategyNames);
    const reuse = this.dice.once(8);
    const { type, length, starting, step } = shape;
    const fields: Record<string, string> = { type, auto_disk: strategy };
    if (type !== "3") fields.length = String(length);
    if (type !== "1") Object.assign(fields, { starting: `${starting}`, step: `${step}` });
    if (reuse) fields.reuse = "yes";
    let reply: (reply: Reply) => void = expects(`ERR '${name}' was deleted at `);
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
    const witness = new Checker(name, shape, strategy, inUse);
    this.state.witnesses.set(name, witness);
    reply = isNumber;
    if (witness.hasPositions) reply = this.begins(witness, same);
  }

  /** A line of this name was let in: it is new, or goes on. Answers what its reply has to be. */
  private begins(witness: Checker, same: Deleted | undefined): (reply: Reply) => void {
    const { name, inUse } = witness;
    const { position, counts } = this.dispenserOf(witness);
    for (const number of inUse)
      if (witness.has(number, position)) witness.fail(`let in though ${number} is in use`);
    if (same === undefined) {
      if (position !== 0n) witness.fail(`is new, and begins at position ${position}`);
      return isNumber;
    }
    if (position < same.spentBelow || (same.position ?? position) !== position)
      witness.fail(`goes on at position ${position}, and was deleted at ${same.position}`);
    witness.goesOn(position, counts.generated);
    const others = this.state.deleted.get(name)!.filter((line) => line !== same);
    this.state.deleted.set(name, others);
    return (reply) => {
      isNumber(reply);
      witness.spend(position);
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
      (line) => line !== same && (line.position === undefined || lastOf(line) >= first),
    );
    if (shape.type === "1" || !mayMeet) throw new Broken(`${name}: refused for nothing`);
  }

  private someShape(): Shape {
    const type = this.dice.pick(["1", "2", "3", "3", "3"] as const);
    const length = type === "1" ? 18 : this.dice.pick([1, 2, 3, 18]);
    const step = this.dice.pick([1n, 1n, 3n, 1000n, 2n ** 61n]);
    const starting =
      type === "2"
        ? 10n ** BigInt(length) - this.dice.pick([1n, 2n, 8n])
        : this.dice.pick([0n, 7n, 2n ** 53n - 3n, 2n ** 63n - 40n, 2n ** 63n - 1n]);
    return type === "3"
      ? { type, length: 0, starting, step }
      : { type, length, starting, step: type === "1" ? 1n : step };
  }

  private switch(send: Send): void {
    const witness = this.someWitness();
    if (witness === undefined) return;
    const strategy = this.dice.pick(strategyNames);
    const dispenser = this.dispenserOf(witness);
    const before = dispenser.definition.strategy;
    const { current, position, counts } = dispenser;
    const { countedFrom } = witness;
    const reuse = this.dice.once(2);
    const isInUse = witness.hasPositions && counts.generated > 0n;
    const isRefused = strategy === "memory" && before !== "memory" && isInUse && !reuse;
    const answered = (reply: Reply) => {
      if (isRefused) return expects("ERR cannot change 'auto_disk' of ")(reply);
      isNumber(reply);
      if (strategy !== before) witness.spend(position);
    };
    const changes = strategy !== before && !isRefused;
    if (changes) this.changed.add(witness.name);
    const words = ["HSET", witness.name, "auto_disk", strategy];
    send(reuse ? [...words, "reuse", "yes"] : words, { answered });
    if (this.dispenserOf(witness).current !== current) witness.fail("a switch moved the position");
    if (!changes) return;
    witness.switched(strategy);
    witness.countedFrom = 0n;
    this.undo.push(() => {
      witness.countedFrom = countedFrom;
    });
  }

  private grow(send: Send): void {
    const witness = this.someWitness();
    if (witness?.shape.type !== "2") return;
    const { shape } = witness;
    const length = Math.min(18, shape.length + this.dice.pick([-1, 0, 1, 1, 5]));
    const { position } = this.dispenserOf(witness);
    // One that grew is answered after its commit; what is refused, at once.
    let reply: (reply: Reply) => void = isNumber;
    if (length !== shape.length) reply = expects("ERR cannot change 'length' of ", "ERR invalid ");
    const answered = (found: Reply) => reply(found);
    send(["HSET", witness.name, "length", String(length)], { answered });
    const now = this.dispenserOf(witness);
    if (now.position !== position) witness.fail("growing moved it");
    if (length > shape.length && Number(now.definition.values.length) < length) {
      const deleted = this.state.deleted.get(witness.name) ?? [];
      const first = witness.numberAt(position);
      const mayMeet = deleted.some((line) => line.position === undefined || lastOf(line) >= first);
      if (!mayMeet) witness.fail("may not grow, for nothing");
    }
    if (Number(now.definition.values.length) === shape.length) return;
    reply = isNumber;
    this.changed.add(witness.name);
    witness.shape = { ...shape, length };
    this.undo.push(() => {
      witness.shape = shape;
    });
    for (const number of witness.inUse)
      if (witness.has(number, position)) witness.fail(`grows into ${number}, in use`);
  }

  private remove(send: Send): void {
    const name = this.someName();
    const witness = this.witnesses.get(name);
    if (witness !== undefined) {
      this.changed.add(name);
      this.keep(witness);
      this.state.witnesses.delete(name);
    }
    send(["DEL", name], {
      answered: (reply) => {
        if (reply !== Number(witness !== undefined))
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
    const witness = this.someWitness();
    if (witness === undefined || !witness.hasPositions) return;
    let skipped = 0n;
    const before = this.dispenserOf(witness).position;
    const skip = BigInt(this.dice.pick([0, 1, 50, 100_000]));
    const answered = (reply: Reply) => {
      if (typeof reply !== "string") return expects(EXHAUSTED)(reply);
      if (skipped > 0n) witness.spend(witness.positionOf(BigInt(reply)));
    };
    const number = witness.numberAt(before + skip);
    const most = 2n ** 63n - 1n;
    if (skip > 0n && number <= witness.limit) this.changed.add(witness.name);
    const target = String(number < most ? number : most);
    send(["ADVANCE", witness.name, target, "FORCE"], { answered });
    skipped = this.dispenserOf(witness).position - before;
    witness.excused += skipped;
    this.undo.push(() => {
      witness.excused -= skipped;
    });
  }

  private inform(send: Send): void {
    const name = this.someName();
    const witness = this.witnesses.get(name);
    if (witness === undefined) return send(["INFO", name], { answered: expects(NOT_FOUND) });
    const { countedFrom } = witness;
    const answered = (reply: Reply) => {
      const lines = String(reply).trim().split("\r\n");
      const fields = Object.fromEntries(lines.map((line) => line.split(":") as [string, string]));
      witness.checkInfo(fields, countedFrom);
    };
    send(["INFO", name], { answered });
  }

  /** With no request under way, counts are what clients received. */
  checkQuiet(): void {
    for (const witness of this.witnesses.values())
      witness.checkGenerated(this.dispenserOf(witness).counts.generated);
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
    left.step === right.step
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
