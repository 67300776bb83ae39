/**
 * What the dispensers should be: their witnesses by name, as the requests processed so far made
 * them, and as they are if the commit under way fails. Builds the requests that keep it so.
 */

import { type StrategyName, strategyNames } from "../../src/dispenser/strategy.ts";
import type { Engine } from "../../src/engine.ts";
import { type Reply, ReplyError } from "../support/resp.ts";
import type { Asked, SimulatedClient } from "./client.ts";
import type { Dice } from "./dice.ts";
import { Broken, type Shape, Witness } from "./witness.ts";

const NOT_FOUND = "ERR dispenser not found";
const EXHAUSTED = "ERR number range exhausted";
const LINES = 5;

/** Sends a request made of words; what it changes in the model is applied when this returns. */
type Send = (words: readonly string[], more: Partial<Asked>) => void;

export class Model {
  /** By name, as the requests processed so far left them. */
  witnesses = new Map<string, Witness>();
  private settled = new Map<string, Witness>();
  private undo: (() => void)[] = [];
  /** Names that the commit under way changes: nothing about them is answered before it is over. */
  private readonly changed = new Set<string>();
  private commits = 0;
  private readonly dice: Dice;
  private engine!: Engine;

  constructor(dice: Dice) {
    this.dice = dice;
  }

  /** A new life has begun, on this engine. */
  began(engine: Engine): void {
    this.engine = engine;
  }

  /** The commit under way has succeeded, or the crash came after it. */
  committed(): void {
    this.settled = new Map(this.witnesses);
    this.over();
  }

  /** It failed, or the crash came before it. */
  rolledBack(): void {
    for (const undo of this.undo.reverse()) undo();
    this.witnesses = new Map(this.settled);
    this.over();
  }

  private over(): void {
    this.undo = [];
    this.changed.clear();
    this.commits++;
  }

  dispenserOf(witness: Witness) {
    const dispenser = this.engine.find(witness.name);
    if (dispenser === undefined) throw new Broken(`${witness.name} is gone`);
    return dispenser;
  }

  private strategyOf(witness: Witness): StrategyName {
    return this.dispenserOf(witness).definition.strategy;
  }

  private someName(): string {
    return `line${this.dice.below(LINES)}`;
  }

  private someWitness(): Witness | undefined {
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
    else if (dice < 78) this.define(send);
    else if (dice < 84) this.switch(send);
    else if (dice < 87) this.remove(send);
    else if (dice < 91) this.advance(send);
    else this.inform(send);
  }

  private take(client: SimulatedClient, send: Send): void {
    const name = this.someName();
    const witness = this.witnesses.get(name);
    if (witness === undefined) return send(["GET", name], { answered: expects(NOT_FOUND) });
    const strategy = this.strategyOf(witness);
    const floor = witness.largest;
    const answered = (reply: Reply) => {
      if (typeof reply !== "string") return expects(EXHAUSTED)(reply);
      this.received(client, witness, witness.acknowledge(reply, strategy, floor));
    };
    send(["GET", name], { takes: [witness], answered });
    const { digits, position } = this.dispenserOf(witness);
    if (digits === 0 && witness.numberAt(position) <= witness.limit)
      witness.fail(`exhausted at position ${position}`);
  }

  /** On one connection numbers ascend. */
  private received(client: SimulatedClient, witness: Witness, number: bigint): void {
    if (!witness.isLine) return;
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
    const asked = takes.map((witness) => ({
      floor: witness.largest,
      of: this.strategyOf(witness),
    }));
    const answered = (reply: Reply) => {
      if (!Array.isArray(reply)) return expects(EXHAUSTED)(reply);
      for (const [index, witness] of takes.entries()) {
        const { of, floor } = asked[index]!;
        this.received(client, witness, witness.acknowledge(String(reply[index]), of, floor));
      }
    };
    // What it took of lines whose reservation stands is wasted.
    const failed = () => {
      for (const [index, witness] of takes.entries())
        if (asked[index]!.of !== "elegant_close") witness.excused++;
    };
    send(["MGET", ...names], { takes, answered, failed });
  }

  private define(send: Send): void {
    const name = this.someName();
    if (this.witnesses.has(name)) return;
    const shape = this.someShape();
    const strategy = this.dice.pick(strategyNames);
    const { type, length, starting, step } = shape;
    const fields: Record<string, string> = { type, auto_disk: strategy };
    if (type !== "3") fields.length = String(length);
    if (type !== "1") Object.assign(fields, { starting: `${starting}`, step: `${step}` });
    this.witnesses.set(name, new Witness(name, shape, strategy));
    this.changed.add(name);
    send(["HSET", name, ...Object.entries(fields).flat()], { answered: isNumber });
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
    const { current, position } = dispenser;
    const { countedFrom } = witness;
    const answered = (reply: Reply) => {
      isNumber(reply);
      if (strategy !== before) witness.spend(position);
    };
    if (strategy !== before) this.changed.add(witness.name);
    send(["HSET", witness.name, "auto_disk", strategy], { answered });
    if (strategy === before) return;
    if (this.dispenserOf(witness).current !== current) witness.fail("a switch moved the position");
    witness.switched(strategy);
    witness.countedFrom = 0n;
    this.undo.push(() => {
      witness.countedFrom = countedFrom;
    });
  }

  private remove(send: Send): void {
    const name = this.someName();
    const there = this.witnesses.delete(name);
    if (there) this.changed.add(name);
    send(["DEL", name], {
      answered: (reply) => {
        if (reply !== Number(there)) throw new Broken(`DEL ${name}: ${String(reply)}`);
      },
    });
  }

  private advance(send: Send): void {
    const witness = this.someWitness();
    if (witness === undefined || !witness.isLine) return;
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
    send(["ADVANCE", witness.name, String(number < most ? number : most)], { answered });
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
