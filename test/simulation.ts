/**
 * A simulated server: engine, strategies and a store in memory, driven by a seed through takes,
 * definitions, failing commits, crashes and clean closes, and a checker that holds the law: no
 * number acknowledged twice, order kept, waste within the bound, INFO consistent.
 *
 * The checker knows only what clients know: a reply that waits for a commit counts when that
 * commit succeeded, is an error when it failed, and is under way when the server died.
 */

import { type StrategyName, strategies, strategyNames } from "../src/dispenser/strategy.ts";
import { Engine } from "../src/engine.ts";
import { Refusal } from "../src/refusal.ts";
import { MemoryStore } from "./support/memory-store.ts";

/** A generator of numbers below 1 that a seed repeats (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What the checker knows of one dispenser. */
interface Witness {
  readonly name: string;
  readonly isLine: boolean;
  readonly starting: bigint;
  readonly step: bigint;
  /** The largest number acknowledged while the line was durable; -1 for none. */
  last: bigint;
  /** The largest number acknowledged in this life, whatever the strategy. */
  lastInLife: bigint;
  /** Numbers acknowledged in this life. */
  handedOut: bigint;
  /** The position with which this life began. */
  begin: bigint;
  /** The generated count with which this life began; undefined where it began in memory. */
  generatedAtBegin: bigint | undefined;
  /** Positions that ADVANCE and failed MGETs skipped in this life. */
  excused: bigint;
  /** The loosest bound in force in this life: handed-out numbers for one wasted. */
  handedOutPerWasted: number;
}

/** A number of a reply that waits for the commit. */
interface Held {
  readonly witness: Witness;
  readonly number: bigint;
  readonly strategy: StrategyName;
  /** Whether its order was checked when it was taken, not when it is acknowledged. */
  readonly isOrdered: boolean;
}

/** Which commit of the first life fails, from 1 on, and how many from there. */
export interface Failing {
  readonly nth: number;
  readonly lasting: number;
}

class Simulation {
  private readonly random: () => number;
  private store = new MemoryStore();
  private engine: Engine;
  private nowMs = 0;
  /** The names as clients see them now, and as they were when the commit under way began. */
  private witnesses = new Map<string, Witness>();
  private settled = new Map<string, Witness>();
  private held: Held[] = [];
  /** How to take back what the checker noted, if the commit under way fails. */
  private undo: (() => void)[] = [];
  /** Whose number is wasted if the commit under way fails. */
  private atStake: Witness[] = [];
  private readonly into = Buffer.alloc(20);

  constructor(seed: number, failing: Failing) {
    this.random = randomFrom(seed);
    const { nth, lasting } = failing;
    this.store.failures = [
      ...Array(nth - 1).fill(undefined),
      ...Array(lasting).fill("unavailable"),
    ];
    this.engine = this.begin();
  }

  run(steps: number): void {
    for (let step = 0; step < steps; step++) this.step();
  }

  private begin(): Engine {
    return new Engine(this.store, { now: () => this.nowMs, savesCounts: true, onStaged: () => {} });
  }

  private below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  private pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }

  private step(): void {
    const dice = this.below(100);
    this.nowMs += this.pick([0, 0.1, 1, 20, 5000]);
    if (dice < 52) this.takeSome();
    else if (dice < 56) this.takeEach();
    else if (dice < 76) this.turn();
    else if (dice < 82) this.define();
    else if (dice < 86) this.switchStrategy();
    else if (dice < 88) this.remove();
    else if (dice < 91) this.advance();
    else if (dice < 94) this.engine.stageCounts();
    else if (dice < 97) this.store.failures = [undefined, "unavailable", "unavailable"];
    else this.restart(dice < 98);
  }

  private define(): void {
    const name = `line${this.below(5)}`;
    if (this.witnesses.has(name)) return;
    const strategy = this.pick(strategyNames);
    const starting = this.pick([0n, 7n, 2n ** 53n - 3n, 2n ** 63n - 40n, 2n ** 63n - 1n]);
    const step = this.pick([1n, 1n, 3n, 1000n, 2n ** 61n]);
    const isLine = this.below(6) > 0;
    const shape = isLine
      ? { type: "3", starting: `${starting}`, step: `${step}` }
      : { type: "1", length: "18" };
    const fields = new Map(Object.entries({ ...shape, auto_disk: strategy }));
    if (this.engine.define(name, fields) instanceof Refusal)
      throw new Error("a definition refused");
    this.witnesses.set(name, {
      name,
      isLine,
      starting,
      step,
      last: -1n,
      lastInLife: -1n,
      handedOut: 0n,
      begin: 0n,
      generatedAtBegin: 0n,
      excused: 0n,
      handedOutPerWasted: strategies[strategy].handedOutPerAhead,
    });
  }

  private witness(): Witness | undefined {
    return this.witnesses.size === 0 ? undefined : this.pick([...this.witnesses.values()]);
  }

  private dispenser(witness: Witness) {
    const dispenser = this.engine.find(witness.name);
    if (dispenser === undefined) throw new Error(`${witness.name} is gone`);
    return dispenser;
  }

  private switchStrategy(): void {
    const witness = this.witness();
    if (witness === undefined) return;
    const strategy = this.pick(strategyNames);
    const before = this.dispenser(witness).current;
    this.engine.define(witness.name, new Map([["auto_disk", strategy]]));
    if (this.dispenser(witness).current !== before)
      this.fail(witness, "a switch moved the position");
    const { handedOutPerAhead } = strategies[strategy];
    witness.handedOutPerWasted = Math.min(witness.handedOutPerWasted, handedOutPerAhead);
  }

  private remove(): void {
    const witness = this.witness();
    if (witness === undefined) return;
    this.engine.remove(witness.name);
    this.witnesses.delete(witness.name);
  }

  private advance(): void {
    const witness = this.witness();
    if (witness === undefined) return;
    const dispenser = this.dispenser(witness);
    const before = dispenser.position;
    const skip = BigInt(this.pick([0, 1, 50, 100_000]));
    const number = numberAt(witness, before + skip);
    if (this.engine.advance(dispenser, number) !== undefined) return;
    const skipped = dispenser.position - before;
    witness.excused += skipped;
    this.undo.push(() => {
      witness.excused -= skipped;
    });
  }

  private takeSome(): void {
    const witness = this.witness();
    if (witness === undefined) return;
    const count = this.pick([1, 1, 2, 7, 60, 300]);
    for (let index = 0; index < count; index++) {
      const taken = this.take(witness);
      if (taken !== undefined) this.reply([taken], this.dependsOn(witness) !== 0);
    }
  }

  /** MGET of lines that have a number each: one reply, which waits for the last of them. */
  private takeEach(): void {
    const names = [this.witness(), this.witness(), this.witness()];
    const wanted = [...new Set(names)].filter((witness) => witness !== undefined);
    if (wanted.some((witness) => this.dispenser(witness).digits === 0)) return;
    const taken = wanted.map((witness) => {
      const held = this.take(witness)!;
      const isCovered = this.dependsOn(witness) === 0;
      // It is spent whether or not the reply comes: its place in the order is now.
      if (isCovered) this.checkOrder(held);
      return { held: { ...held, isOrdered: isCovered }, isCovered };
    });
    const waits = taken.some(({ isCovered }) => !isCovered);
    for (const { held, isCovered } of taken) {
      if (!waits || !isCovered) continue;
      this.engine.stakeOnCommit(this.dispenser(held.witness));
      this.atStake.push(held.witness);
    }
    this.reply(
      taken.map(({ held }) => held),
      waits,
    );
  }

  private dependsOn(witness: Witness): number {
    return this.engine.dependsOn(witness.name, this.dispenser(witness));
  }

  private take(witness: Witness): Held | undefined {
    const dispenser = this.dispenser(witness);
    const { digits } = dispenser;
    if (digits === 0) {
      if (numberAt(witness, dispenser.position) < 2n ** 63n)
        this.fail(witness, "exhausted too early");
      return undefined;
    }
    this.engine.take(dispenser, this.into, 0);
    const number = BigInt(this.into.toString("latin1", 0, digits));
    return { witness, number, strategy: dispenser.definition.strategy, isOrdered: false };
  }

  /** Releases the numbers of a reply at once, or holds them for the commit. */
  private reply(numbers: readonly Held[], waits: boolean): void {
    if (waits) this.held.push(...numbers);
    else for (const number of numbers) this.acknowledge(number);
  }

  private acknowledge(held: Held): void {
    held.witness.handedOut++;
    if (!held.isOrdered) this.checkOrder(held);
  }

  private checkOrder({ witness, number, strategy }: Held): void {
    if (!witness.isLine) return;
    if (number <= witness.lastInLife) this.fail(witness, `${number} after ${witness.lastInLife}`);
    if (number <= witness.last) this.fail(witness, `${number} repeats a durable ${witness.last}`);
    if ((number - witness.starting) % witness.step !== 0n)
      this.fail(witness, `${number} is off the line`);
    witness.lastInLife = number;
    if (strategy !== "memory") witness.last = number;
  }

  private turn(): void {
    if (this.engine.commit() === undefined) this.succeeded();
    else this.failed();
    this.check();
  }

  private succeeded(): void {
    for (const held of this.held) this.acknowledge(held);
    this.settle();
  }

  private failed(): void {
    for (const undo of this.undo.reverse()) undo();
    for (const witness of this.atStake) witness.excused++;
    this.witnesses = new Map(this.settled);
    this.settle();
  }

  private settle(): void {
    this.settled = new Map(this.witnesses);
    this.held = [];
    this.undo = [];
    this.atStake = [];
  }

  private restart(isClean: boolean): void {
    let underWay: readonly Held[] = [];
    if (isClean) {
      this.store.failures = [];
      this.turn();
      this.engine.close();
    } else {
      underWay = this.held;
      // Either the commit came through and its replies did not, or neither did.
      const isCommitted = this.below(2) === 0 && this.engine.commit() === undefined;
      if (!isCommitted) {
        for (const undo of this.undo.reverse()) undo();
        this.witnesses = new Map(this.settled);
      }
      this.settle();
    }
    this.store = this.store.reopen();
    this.engine = this.begin();
    // As main.ts does it: what the crash cost is written with the first commit.
    if (this.store.crashed) this.engine.skippedByCrash();
    if (this.engine.size !== this.witnesses.size) throw new Error("other dispensers than before");
    for (const witness of this.witnesses.values()) this.checkRestart(witness, isClean, underWay);
  }

  private checkRestart(witness: Witness, isClean: boolean, underWay: readonly Held[]): void {
    const dispenser = this.dispenser(witness);
    const strategy = dispenser.definition.strategy;
    const { position } = dispenser;
    if (witness.isLine) {
      const next = numberAt(witness, position);
      if (next <= witness.last)
        this.fail(witness, `restarts at ${next}, ${witness.last} was durable`);
      if (strategy !== "memory") this.checkWaste(witness, position, isClean, strategy, underWay);
      witness.lastInLife = strategy === "memory" ? next - 1n : witness.last;
    }
    const startsOver = witness.isLine && strategy === "memory";
    Object.assign(witness, {
      handedOut: 0n,
      begin: position,
      generatedAtBegin: startsOver ? undefined : dispenser.counts.generated,
      excused: 0n,
      handedOutPerWasted: strategies[strategy].handedOutPerAhead,
    });
  }

  private checkWaste(
    witness: Witness,
    position: bigint,
    isClean: boolean,
    strategy: StrategyName,
    underWay: readonly Held[],
  ): void {
    const next = numberAt(witness, position);
    const uncounted = underWay.filter(
      (held) => held.witness === witness && held.number < next,
    ).length;
    const { begin, excused, handedOut } = witness;
    const wasted = position - begin - excused - handedOut - BigInt(uncounted);
    const perWasted = witness.handedOutPerWasted;
    const isExact = isClean && (strategy === "pre_close" || strategy === "elegant_close");
    const allowed = isExact || !Number.isFinite(perWasted) ? 0n : handedOut / BigInt(perWasted);
    if (wasted > allowed) this.fail(witness, `${wasted} wasted of ${handedOut} handed out`);
  }

  /** INFO of every dispenser, with nothing under way. */
  private check(): void {
    for (const witness of this.witnesses.values()) {
      const dispenser = this.dispenser(witness);
      const { generated, wasted } = dispenser.counts;
      if (generated < 0n || wasted < 0n) this.fail(witness, "counts below 0");
      const { generatedAtBegin, handedOut } = witness;
      if (generatedAtBegin === undefined) continue;
      if (generated !== generatedAtBegin + handedOut) {
        this.fail(witness, `generated ${generated}, not ${generatedAtBegin} + ${handedOut}`);
      }
      const isCurrent = BigInt(dispenser.current) === numberAt(witness, generated + wasted);
      if (witness.isLine && !isCurrent) {
        this.fail(witness, `current ${dispenser.current} is not of ${generated} + ${wasted}`);
      }
    }
  }

  private fail(witness: Witness, what: string): never {
    throw new Error(`${witness.name}: ${what}`);
  }
}

function numberAt(witness: Witness, position: bigint): bigint {
  return witness.starting + witness.step * position;
}

/** Runs one simulation; throws an Error that names the seed where the law is broken. */
export function simulate(seed: number, steps = 400, failing = { nth: 1, lasting: 0 }): void {
  try {
    new Simulation(seed, failing).run(steps);
  } catch (error) {
    throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
  }
}
