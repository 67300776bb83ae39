/**
 * What the dispensers should be: their checkers by name, as the requests processed so far made
 * them, and as they are if the commit under way fails. Chooses the requests that are sent.
 */

import type { StrategyName } from "../../../src/dispenser/strategy.ts";
import type { Engine } from "../../../src/engine/engine.ts";
import type { Prng } from "../../../testkit/prng.ts";
import { type Reply, ReplyError } from "../../../testkit/resp.ts";
import { Broken } from "./broken.ts";
import type { AskedOf, Checker } from "./checker.ts";
import type { Asked, SimulatedClient } from "./client.ts";
import type { SimulatedClock } from "./clock.ts";
import { define, grow, remove, switchStrategy } from "./definitions.ts";
import { advance, goBack } from "./moves.ts";
import { inform, peek, verify } from "./questions.ts";
import type { Standing } from "./spent.ts";
import { copyOf, emptyState, type State } from "./state.ts";
import { take, takeEach } from "./taking.ts";

const NAMES = Array.from({ length: 5 }, (_, index) => `line${index}`);

/** Sends a request made of words; what it changes in the model is applied when this returns. */
export type Send = (words: readonly string[], more: Partial<Asked>) => void;

/** A kind of request: sends one, or none where the line that it is about does not fit. */
type Kind = (model: Model, send: Send, client: SimulatedClient) => void;

/** How many of a hundred requests are of each kind. */
const kinds: readonly (readonly [number, Kind])[] = [
  [57, take],
  [6, takeEach],
  [10, define],
  [5, switchStrategy],
  [2, grow],
  [4, remove],
  [4, advance],
  [3, goBack],
  [3, peek],
  [3, verify],
  [3, inform],
];
const drawn: readonly Kind[] = kinds.flatMap(([count, kind]) => Array<Kind>(count).fill(kind));

export class Model {
  /** As the requests processed so far left it. */
  state: State = emptyState();
  readonly prng: Prng;
  readonly clock: SimulatedClock;
  engine!: Engine;
  /** As it is where the commit under way fails. */
  private settled = copyOf(this.state);
  private undo: (() => void)[] = [];
  /** Names that the commit under way changes: nothing about them is answered before it is over. */
  private readonly changed = new Set<string>();
  private commits = 0;

  constructor(prng: Prng, clock: SimulatedClock) {
    this.prng = prng;
    this.clock = clock;
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

  /** The commit under way changes a name. Where it fails, `undo` takes that back in a checker. */
  changes(name: string, undo: () => void = () => {}): void {
    this.changed.add(name);
    this.changesBack(undo);
  }

  /** Where the commit under way fails, `undo` takes back what it changed in a checker. */
  changesBack(undo: () => void): void {
    this.undo.push(undo);
  }

  dispenserOf(checker: Checker) {
    const dispenser = this.engine.find(checker.name);
    if (dispenser === undefined) throw new Broken(`${checker.name} is gone`);
    return dispenser;
  }

  /** Where a line stands now. */
  standingOf(checker: Checker): Standing {
    const dispenser = this.dispenserOf(checker);
    const { position, run } = dispenser;
    if (!checker.hasPeriods) return { position };
    const passedIn = (period: number) => this.engine.periods.passedIn(dispenser, period);
    if (run === undefined) return { position, passedIn };
    const { period, knownFrom, start } = run;
    return { position, passedIn, run: { period, knownFrom, passed: position - start } };
  }

  /** Where it stands as soon as a number is asked for, in another period where that has begun. */
  upcoming(checker: Checker): { readonly k: bigint; readonly period: number } {
    const dispenser = this.dispenserOf(checker);
    const { allocation } = this.engine.upcoming(dispenser);
    return { k: dispenser.position - allocation.start, period: allocation.period };
  }

  strategyOf(checker: Checker): StrategyName {
    return this.dispenserOf(checker).definition.strategy;
  }

  /** A number of a line is asked for now. */
  ask(checker: Checker): AskedOf {
    return checker.ask(this.strategyOf(checker), this.clock.moment);
  }

  someName(): string {
    return this.prng.pick(NAMES);
  }

  /** A name that nobody has defined, if there is one. */
  someFreeName(): string | undefined {
    return this.oneOf(NAMES.filter((name) => !this.state.checkers.has(name)));
  }

  someChecker(): Checker | undefined {
    return this.state.checkers.get(this.someName());
  }

  /** One of the lines for which a request is, if there is one. */
  someThat(fits: (checker: Checker) => boolean): Checker | undefined {
    return this.oneOf([...this.state.checkers.values()].filter(fits));
  }

  private oneOf<T>(some: readonly T[]): T | undefined {
    return some.length === 0 ? undefined : this.prng.pick(some);
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
    this.prng.pick(drawn)(this, send, client);
  }

  /** With no request under way, counts are what clients received. */
  checkQuiet(): void {
    for (const checker of this.state.checkers.values())
      checker.checkGenerated(this.dispenserOf(checker).counts.generated);
  }
}
