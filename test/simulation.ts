/**
 * A simulated server: engine, strategies and a store in memory, driven by a seed through takes,
 * definitions, failing commits, crashes and clean closes, and a checker that holds the law: no
 * number acknowledged twice, order kept, waste within the bound, INFO consistent.
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
  readonly starting: bigint;
  readonly step: bigint;
  strategy: StrategyName;
  /** The largest number acknowledged while the line was durable; -1 for none. */
  last: bigint;
  /** The largest number acknowledged in this life, whatever the strategy. */
  lastInLife: bigint;
  /** Numbers acknowledged in this life. */
  handedOut: bigint;
  /** Where this life began. */
  begin: bigint;
  /** The generated count with which this life began; undefined where it began in memory. */
  generatedAtBegin: bigint | undefined;
  /** Positions that ADVANCE skipped in this life. */
  advanced: bigint;
  /** The loosest bound in force in this life: handed-out numbers for one wasted. */
  handedOutPerWasted: number;
}

/** A reply that waits for the commit. */
interface Held {
  readonly witness: Witness;
  readonly acknowledge: () => void;
}

class Simulation {
  private readonly random: () => number;
  private store = new MemoryStore();
  private engine: Engine;
  private nowMs = 0;
  private readonly witnesses = new Map<string, Witness>();
  private held: Held[] = [];
  private readonly into = Buffer.alloc(20);

  constructor(seed: number) {
    this.random = randomFrom(seed);
    this.engine = this.begin();
  }

  run(steps: number): void {
    for (let step = 0; step < steps; step++) this.step();
  }

  private begin(): Engine {
    return new Engine(this.store, { now: () => this.nowMs, onStaged: () => {} });
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
    if (dice < 60) this.takeSome();
    else if (dice < 82) this.turn();
    else if (dice < 86) this.define();
    else if (dice < 89) this.switchStrategy();
    else if (dice < 90) this.remove();
    else if (dice < 92) this.advance();
    else if (dice < 94) this.engine.stageCounts();
    else if (dice < 96) this.store.failures = [undefined, "unavailable"];
    else this.restart(dice < 98);
  }

  private define(): void {
    const name = `line${this.below(5)}`;
    if (this.witnesses.has(name)) return;
    const strategy = this.pick(strategyNames);
    const starting = this.pick([0n, 7n, 2n ** 53n - 3n, 2n ** 63n - 40n, 2n ** 63n - 1n]);
    const step = this.pick([1n, 1n, 3n, 1000n, 2n ** 61n]);
    const fields = { type: "3", starting: `${starting}`, step: `${step}`, auto_disk: strategy };
    const failed = this.engine.define(name, new Map(Object.entries(fields)));
    if (failed instanceof Refusal) throw new Error(failed.message);
    const witness: Witness = {
      name,
      starting,
      step,
      strategy,
      last: -1n,
      lastInLife: -1n,
      handedOut: 0n,
      begin: 0n,
      generatedAtBegin: 0n,
      advanced: 0n,
      handedOutPerWasted: strategies[strategy].handedOutPerAhead,
    };
    // Held until the commit: what fails leaves no witness.
    this.held.push({ witness, acknowledge: () => void this.witnesses.set(name, witness) });
    this.turn();
  }

  private witness(): Witness | undefined {
    return this.witnesses.size === 0 ? undefined : this.pick([...this.witnesses.values()]);
  }

  private switchStrategy(): void {
    const witness = this.witness();
    if (witness === undefined) return;
    const strategy = this.pick(strategyNames);
    const before = this.figures(witness.name);
    this.engine.define(witness.name, new Map([["auto_disk", strategy]]));
    const after = this.figures(witness.name);
    if (before.current !== after.current) this.fail(witness, "a switch moved the position");
    this.reply(witness, () => {
      witness.strategy = strategy;
      const { handedOutPerAhead } = strategies[strategy];
      witness.handedOutPerWasted = Math.min(witness.handedOutPerWasted, handedOutPerAhead);
    });
  }

  private remove(): void {
    const witness = this.witness();
    if (witness === undefined) return;
    this.engine.remove(witness.name);
    this.reply(witness, () => void this.witnesses.delete(witness.name));
    // What is held of the old line must settle before its name means a new one.
    this.turn();
  }

  private advance(): void {
    const witness = this.witness();
    const dispenser = witness && this.engine.find(witness.name);
    if (witness === undefined || dispenser === undefined) return;
    const before = dispenser.position;
    const skip = BigInt(this.pick([0, 1, 50, 100_000]));
    const number = witness.starting + witness.step * (before + skip);
    if (this.engine.advance(dispenser, number) !== undefined) return;
    const after = dispenser.position;
    this.reply(witness, () => {
      witness.advanced += after - before;
    });
  }

  private takeSome(): void {
    const witness = this.witness();
    if (witness === undefined) return;
    const count = this.pick([1, 1, 2, 7, 60, 400]);
    for (let index = 0; index < count; index++) this.take(witness);
  }

  private take(witness: Witness): void {
    const dispenser = this.engine.find(witness.name);
    if (dispenser === undefined) return;
    const { digits } = dispenser;
    if (digits === 0) {
      if (numberOf(witness, dispenser.position) < 2n ** 63n)
        this.fail(witness, "exhausted too early");
      return;
    }
    this.engine.take(dispenser, this.into, 0);
    const number = BigInt(this.into.toString("latin1", 0, digits));
    const strategy = dispenser.definition.strategy;
    this.reply(witness, () => this.acknowledge(witness, strategy, number));
  }

  private acknowledge(witness: Witness, strategy: StrategyName, number: bigint): void {
    if (number <= witness.lastInLife) this.fail(witness, `${number} after ${witness.lastInLife}`);
    if (number <= witness.last) this.fail(witness, `${number} repeats a durable ${witness.last}`);
    if ((number - witness.starting) % witness.step !== 0n)
      this.fail(witness, `${number} is off the line`);
    witness.lastInLife = number;
    if (strategy !== "memory") witness.last = number;
    witness.handedOut++;
  }

  /** Releases a reply at once, or holds it for the commit it depends on. */
  private reply(witness: Witness, acknowledge: () => void): void {
    const dispenser = this.engine.find(witness.name);
    if (this.engine.dependsOn(witness.name, dispenser) === 0) acknowledge();
    else this.held.push({ witness, acknowledge });
  }

  private turn(): void {
    const failure = this.engine.commit();
    const { held } = this;
    this.held = [];
    if (failure === undefined) for (const { acknowledge } of held) acknowledge();
    for (const [name, { generatedAtBegin, handedOut }] of this.witnesses) {
      this.checkFigures(name);
      const counted = this.engine.find(name)?.counts.generated;
      if (generatedAtBegin === undefined || counted === undefined) continue;
      if (counted !== generatedAtBegin + handedOut) {
        throw new Error(`${name}: generated ${counted}, not ${generatedAtBegin} + ${handedOut}`);
      }
    }
  }

  private restart(isClean: boolean): void {
    if (isClean) {
      this.store.failures = [];
      this.turn();
      this.engine.close();
    } else if (this.below(2) === 0) {
      // The commit came through and the replies did not.
      this.engine.commit();
    }
    this.held = [];
    this.store = this.store.reopen();
    this.engine = this.begin();
    for (const witness of this.witnesses.values()) this.checkRestart(witness, isClean);
  }

  private checkRestart(witness: Witness, isClean: boolean): void {
    const dispenser = this.engine.find(witness.name);
    if (dispenser === undefined) {
      // Its DEL was committed and not acknowledged.
      this.witnesses.delete(witness.name);
      return;
    }
    const strategy = dispenser.definition.strategy;
    const next = numberOf(witness, dispenser.position);
    if (next <= witness.last)
      this.fail(witness, `restarts at ${next}, ${witness.last} was durable`);
    const wasted = dispenser.position - witness.begin - witness.advanced - witness.handedOut;
    const isExact = strategy === witness.strategy && this.isExact(strategy, isClean);
    // Replies under way at a crash are neither handed out nor wasted: only a clean end is exact.
    if (isExact && wasted !== 0n) this.fail(witness, `${wasted} wasted by a clean close`);
    const bound = witness.handedOutPerWasted;
    const allowed = Number.isFinite(bound) ? witness.handedOut / BigInt(bound) : 0n;
    if (isClean && strategy !== "memory" && wasted > allowed) {
      this.fail(witness, `${wasted} wasted of ${witness.handedOut} handed out`);
    }
    this.checkFigures(witness.name);
    const { handedOutPerAhead } = strategies[strategy];
    Object.assign(witness, {
      strategy,
      lastInLife: strategy === "memory" ? next - 1n : witness.last,
      handedOut: 0n,
      begin: dispenser.position,
      generatedAtBegin: strategy === "memory" ? undefined : dispenser.counts.generated,
      advanced: 0n,
      handedOutPerWasted: handedOutPerAhead,
    });
  }

  private isExact(strategy: StrategyName, isClean: boolean): boolean {
    return isClean && (strategy === "pre_close" || strategy === "elegant_close");
  }

  private figures(name: string) {
    const dispenser = this.engine.find(name)!;
    return { current: BigInt(dispenser.current), ...dispenser.counts, dispenser };
  }

  private checkFigures(name: string): void {
    if (this.engine.find(name) === undefined) return;
    const { current, generated, wasted, dispenser } = this.figures(name);
    const { starting, step, strategy } = dispenser.definition;
    if (generated < 0n || wasted < 0n) throw new Error(`${name}: counts below 0`);
    if (strategy === "memory") return;
    if (current !== starting + step * (generated + wasted)) {
      throw new Error(`${name}: current ${current} is not the counts ${generated} + ${wasted}`);
    }
  }

  private fail(witness: Witness, what: string): never {
    throw new Error(`${witness.name} (${witness.strategy}): ${what}`);
  }
}

function numberOf(witness: Witness, position: bigint): bigint {
  return witness.starting + witness.step * position;
}

/** Runs one simulation; throws an Error that names the seed where the law is broken. */
export function simulate(seed: number, steps = 400): void {
  try {
    new Simulation(seed).run(steps);
  } catch (error) {
    throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
  }
}
