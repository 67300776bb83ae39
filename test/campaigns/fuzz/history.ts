/**
 * Histories of inputs from a seed: one server with some lives, some thousand inputs, and what its
 * clients received held against what they have to. A failure is repeated by the seed of its history
 * and the number of inputs up to it.
 */

import { LocalCatalog } from "../../../src/engine/local-catalog.ts";
import { Prng } from "../../../testkit/prng.ts";
import type { Exchange } from "./conversation.ts";
import { Generator } from "./generate.ts";
import { Invariants } from "./invariants.ts";
import { Broken } from "./replies.ts";
import { checkRound, Round } from "./round.ts";
import { FuzzedServer } from "./server.ts";

/** So many inputs a history has. */
export const HISTORY_INPUTS = 4000;
/** So many rounds a life has, about. */
const LIFE_ROUNDS = 700;
/** A round that takes longer is slow, if it does so again. */
const ROUND_MS_MAX = 50;
/** The clock goes on so much at each look, in a round where time passes. */
const TICK_MS = 0.4;

class History {
  private readonly prng: Prng;
  private readonly generator: Generator;
  private readonly server: FuzzedServer;
  private readonly invariants = new Invariants();
  inputs = 0;
  /** The first input that took too long. */
  slow: { readonly after: number; readonly ms: number } | undefined;

  constructor(seed: number) {
    this.prng = new Prng(seed);
    this.generator = new Generator(this.prng);
    this.server = new FuzzedServer(seed);
    this.keepLines();
  }

  /** One round; a promise where it takes until later. */
  round(inputsMax: number): void | Promise<void> {
    const { prng, server } = this;
    const count = Math.min(inputsMax, prng.pick([1, 1, 2, 3]));
    const inputs = Array.from({ length: count }, () => this.generator.next());
    if (prng.once(10)) server.tickMs = TICK_MS;
    if (prng.once(100)) server.store.failures = ["unavailable"];
    const began = performance.now();
    const said = new Round(server, prng, inputs, this.inputs + 1).run();
    this.inputs += count;
    if (said instanceof Promise) return said.then((exchanges) => this.judge(exchanges));
    this.note(performance.now() - began);
    this.judge(said);
  }

  private note(ms: number): void {
    if (ms > ROUND_MS_MAX) this.slow ??= { after: this.inputs, ms };
  }

  private judge(exchanges: readonly Exchange[]): void {
    const { server, invariants, prng } = this;
    checkRound(server, invariants, exchanges);
    server.store.failures = [];
    server.tidy();
    if (prng.once(LIFE_ROUNDS)) this.restart();
    this.keepLines();
  }

  private restart(): void {
    const { server, invariants, prng } = this;
    server.restart(prng.once(2));
    for (const line of invariants.lines) {
      const strategy = server.engine.find(line.name)?.definition.strategy;
      if (strategy === "memory" || strategy === undefined) line.isDisturbed = true;
    }
  }

  /** Makes the lines that the invariants are checked on and that are gone, or may be others now, anew. */
  private keepLines(): void {
    const { server, invariants } = this;
    const { engine } = server;
    let isStaged = false;
    for (const line of invariants.lines) {
      if (!line.isDisturbed) continue;
      engine.limits = { ...server.config, dispensersMax: Number.POSITIVE_INFINITY };
      new LocalCatalog(engine).remove([line.name]);
      new LocalCatalog(engine).define(line.name, line.fields, true);
      line.isDisturbed = false;
      line.last = undefined;
      isStaged = true;
    }
    engine.limits = server.config;
    if (isStaged) server.endTurn();
  }
}

/**
 * Runs one history of so many inputs. Throws an Error that names the seed and the number of inputs
 * where something is wrong. Answers where an input took long, for a look whether it does again.
 */
async function tell(seed: number, inputs: number): Promise<History> {
  const history = new History(seed);
  try {
    while (history.inputs < inputs) {
      const later = history.round(inputs - history.inputs);
      if (later !== undefined) await later;
    }
    return history;
  } catch (error) {
    const { message, stack } = error as Error;
    const what = error instanceof Broken ? message : `${message}\n${stack}`;
    throw new Error(`seed ${seed}, input ${history.inputs}: ${what}`, { cause: error });
  }
}

/** As many histories from a seed on as so many inputs take; `told` is called after each. */
export async function fuzz(
  firstSeed: number,
  inputs: number,
  told: (inputs: number) => void = () => {},
): Promise<void> {
  let left = inputs;
  for (let seed = firstSeed; left > 0; seed++) {
    const count = Math.min(left, HISTORY_INPUTS);
    const { slow } = await tell(seed, count);
    if (slow !== undefined) {
      const again = await tell(seed, slow.after);
      if (again.slow?.after === slow.after) {
        const ms = again.slow.ms.toFixed(0);
        throw new Error(`seed ${seed}, input ${slow.after}: took ${ms} ms, twice`);
      }
    }
    left -= count;
    told(count);
  }
}
