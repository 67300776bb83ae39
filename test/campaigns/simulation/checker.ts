/**
 * What an observer of all clients knows of one dispenser, and the invariants it holds it to. It knows
 * the definition, every number that a client received, and when a life began and ended.
 */

import { smallest } from "../../../src/base/bigint.ts";
import type { StrategyName } from "../../../src/dispenser/strategy.ts";
import { Broken } from "./broken.ts";
import type { Moment } from "./clock.ts";
import { type Ending, Life } from "./life.ts";
import { Stretch, told } from "./order.ts";
import {
  calendarOf,
  isOn,
  limitOf,
  numberAt,
  numberIn,
  periodIn,
  positionOf,
  read,
  type Said,
  type Shape,
  textAround,
} from "./shapes.ts";
import { nextRank, Spent, type Standing } from "./spent.ts";

/** What a line was when a number of it was asked for. */
export interface AskedOf {
  readonly strategy: StrategyName;
  readonly shape: Shape;
  /** The largest rank that anyone had, and the stretch in which it was so. */
  readonly floor: bigint;
  readonly stretch: Stretch;
  /**
   * The numbers that the answer may not repeat. A line in memory may hand out what a durable line that
   * takes its name hands out after it: for one in memory they are those in use when it was asked.
   */
  readonly inUse: ReadonlySet<bigint>;
  /** What the clocks showed; it may be left out for a line without periods. */
  readonly moment: Moment | undefined;
}

export class Checker {
  readonly name: string;
  /** Its length may grow. */
  shape: Shape;
  /**
   * The durable numbers of all lines of this name, those that were deleted among them, by their ranks:
   * none comes again before somebody says reuse yes.
   */
  readonly inUse: Set<bigint>;
  readonly spent = new Spent();
  /** The order in which numbers come now. */
  stretch = new Stretch(-1n);
  /** A text that a client received in each period, which the line must know. */
  readonly received = new Map<number, string>();
  /** What happened in this life of the server. */
  life: Life;
  /** Where INFO's counts begin: 0, or for a line in memory where this life began. */
  countedFrom = 0n;
  private readonly receivedInLife = new Set<bigint>();
  constructor(name: string, shape: Shape, strategy: StrategyName, inUse: Set<bigint>) {
    this.name = name;
    this.shape = shape;
    this.inUse = inUse;
    this.life = new Life({ position: 0n, generated: 0n }, strategy);
    this.spent.mayBeForgotten = strategy === "memory";
  }

  get hasPositions(): boolean {
    return this.shape.type !== "1";
  }

  get hasPeriods(): boolean {
    return calendarOf(this.shape) !== undefined;
  }

  /** Whether a number is one that a line standing there hands out yet. */
  has(rank: bigint, standing: Standing): boolean {
    const [period, number] = [periodIn(rank), numberIn(rank)];
    if (!this.hasPositions || period > 0 !== this.hasPeriods || !isOn(this.shape, number))
      return false;
    if (!this.hasPeriods) return number >= numberAt(this.shape, standing.position);
    const { run, passedIn } = standing;
    if (run !== undefined && period < run.period) return false;
    return number >= numberAt(this.shape, passedIn?.(period) ?? 0n);
  }

  /** It was deleted, and goes on. */
  goesOn(standing: Standing, generated: bigint, strategy: StrategyName): void {
    this.life = new Life({ position: standing.position, generated }, strategy);
    this.stretch = new Stretch(nextRank(this.shape, standing) - 1n);
    this.spent.takeOver(this.hasPeriods ? this.inUse : []);
  }

  switched(strategy: StrategyName): void {
    this.life.switched(strategy);
    if (strategy === "memory") this.spent.mayBeForgotten = true;
  }

  /** A number is asked for now. */
  ask(strategy: StrategyName, moment?: Moment): AskedOf {
    const { shape, stretch } = this;
    const inUse = strategy === "memory" ? new Set(this.inUse) : this.inUse;
    return { strategy, shape, stretch, floor: stretch.largest, inUse, moment };
  }

  /** A client received a number. Answers its rank. */
  acknowledge(text: string, asked: AskedOf): bigint {
    this.life.handedOut++;
    const said = this.read(text, asked);
    const { rank, number, period } = said;
    this.checkForm(said, asked.shape);
    if (!this.hasPositions) return rank;
    if (this.receivedInLife.has(rank) || asked.inUse.has(rank))
      this.fail(`${told(rank)} a second time`);
    this.holding(() => asked.stretch.check(rank, asked.floor));
    if (!isOn(asked.shape, number)) this.fail(`${number} is off the line`);
    this.receivedInLife.add(rank);
    if (asked.stretch === this.stretch) this.stretch.came(rank);
    else this.stretch.cameLate(rank);
    if (asked.strategy !== "memory") this.keep(rank, said);
    this.received.set(period, text);
    return rank;
  }

  /** A durable number was received. */
  private keep(rank: bigint, { number, period }: Said): void {
    this.inUse.add(rank);
    if (this.hasPeriods) this.spent.number(period, number);
    else this.spent.upTo(positionOf(this.shape, number) + 1n);
  }

  /** What the text of a number says, which was asked for at a moment. */
  read(text: string, { shape, moment }: Pick<AskedOf, "shape" | "moment">): Said {
    const said = this.holding(() => read(shape, text));
    if (moment !== undefined) this.checkPeriod(text, said, shape, moment);
    return said;
  }

  /** The period of a number is one that has begun and, for all that the program knows, not ended. */
  private checkPeriod(text: string, { period, written }: Said, shape: Shape, moment: Moment): void {
    const calendar = calendarOf(shape);
    if (calendar === undefined) return;
    if (period > calendar.periodAt(moment.latestMs)) this.fail(`${text} before its period began`);
    if (!moment.isSeen) return;
    if (period < calendar.periodAt(moment.presentMs)) this.fail(`${text} after its period ended`);
    const right = textAround(shape, written, period, moment.wallMs);
    if (text !== right) this.fail(`${text} when it had to be ${right}`);
  }

  private checkForm({ written, number }: Said, shape: Shape): void {
    const { type, length } = shape;
    if (type !== "3" && written.length !== length)
      this.fail(`'${written}' has not ${length} digits`);
    if (type === "3" && written !== String(number)) this.fail(`'${written}' is padded`);
    if (type === "1" && written.startsWith("0")) this.fail(`'${written}' begins with 0`);
    if (number > limitOf(shape)) this.fail(`${number} is past the end`);
  }

  /** The number that a reply tells as the next one; undefined of codes, which are not to be foretold. */
  next(text: string, moment?: Moment): Said | undefined {
    const { shape } = this;
    if (shape.type !== "4") return this.read(text, { shape, moment });
    if (text !== "0") this.fail(`tells the code ${text}`);
    return undefined;
  }

  /** The number that INFO tells as `current`, which has no format; undefined of codes. */
  current(text: string): bigint | undefined {
    if (this.shape.type !== "4") return BigInt(text);
    if (text !== "0") this.fail(`tells the code ${text}`);
    return undefined;
  }

  /** INFO was answered: its figures agree with each other. */
  checkInfo(fields: Readonly<Record<string, string>>, countedFrom: bigint, asked?: AskedOf): void {
    const position = countedFrom + BigInt(fields.generated!) + BigInt(fields.wasted!);
    if (BigInt(fields.generated!) < 0n || BigInt(fields.wasted!) < 0n) this.fail("counts below 0");
    if (this.hasPeriods) return this.checkPeriodInfo(fields, position, asked!);
    const next = this.hasPositions ? this.current(fields.current!) : undefined;
    if (next !== undefined && next !== numberAt(this.shape, position))
      this.fail(`current ${fields.current} is not that of position ${position}`);
  }

  private checkPeriodInfo(
    fields: Readonly<Record<string, string>>,
    position: bigint,
    asked: AskedOf,
  ): void {
    const { shape } = asked;
    const current = this.current(fields.current!);
    const remaining = BigInt(fields.remaining!);
    if (current === undefined) return;
    const k = positionOf(shape, current);
    if (k > position && !this.spent.mayBeForgotten)
      this.fail(`INFO tells position ${k} of the period, and ${position} in all`);
    // Positions end at 2^63, those of all periods together.
    const end = smallest(positionOf(shape, limitOf(shape)) + 1n, 2n ** 63n - position + k);
    if (remaining !== (k > end ? 0n : end - k)) this.fail(`${remaining} remain from ${current} on`);
    if (remaining === 0n) return;
    const { number, period, rank } = this.read(fields.next!, asked);
    if (number !== current) this.fail(`next is ${fields.next}, and current ${current}`);
    if (calendarOf(shape)!.textOf(period) !== fields.present_period)
      this.fail(`next is ${fields.next} in ${fields.present_period}`);
    this.holding(() => asked.stretch.check(rank, asked.floor));
  }

  /** A reply said that there is no number, of a line that stands there. */
  checkExhausted(message: string, { shape, moment }: AskedOf, standing: Standing): void {
    const calendar = calendarOf(shape);
    const { run, position } = standing;
    const k = calendar === undefined ? position : (run?.passed ?? 0n);
    if (numberAt(shape, k) <= limitOf(shape)) this.fail(`exhausted at position ${k}`);
    if (calendar === undefined) return;
    const period = run!.period;
    const end = ` until ${calendar.endText(period)}:`;
    // While a jump is held nobody knows when the next one begins; behind 2^63 none does.
    const isOpen = moment?.presentMs !== moment?.wallMs || position >= 2n ** 63n;
    if (isOpen && !message.includes(" until ")) return;
    if (!message.includes(end)) this.fail(`'${message}' does not say${end}`);
    if (moment?.isSeen && period < calendar.periodAt(moment.presentMs))
      this.fail(`'${message}', when a new period had begun`);
  }

  /** With no request under way, `generated` counts what clients received. */
  checkGenerated(generated: bigint): void {
    this.holding(() => this.life.checkGenerated(generated));
  }

  /** A new life begins, this line standing there, after one that ended so. */
  restarted(standing: Standing, generated: bigint, strategy: StrategyName, ending: Ending): void {
    this.holding(() => this.checkEnd(standing, generated, strategy, ending));
    const { position } = standing;
    const startsOver = this.hasPositions && strategy === "memory";
    this.receivedInLife.clear();
    if (startsOver) this.received.clear();
    this.stretch = new Stretch(nextRank(this.shape, standing) - 1n, this.spent.inPeriods);
    this.countedFrom = startsOver ? position : 0n;
    this.life = new Life({ position, generated: startsOver ? undefined : generated }, strategy);
  }

  private checkEnd(
    standing: Standing,
    generated: bigint,
    strategy: StrategyName,
    ending: Ending,
  ): void {
    if (!this.hasPositions) return this.life.checkCountKept(generated, false, ending);
    this.spent.check(this.shape, standing);
    if (strategy === "memory") return;
    this.life.checkWaste(standing.position, strategy, ending);
    this.life.checkCountKept(generated, strategy === "elegant_close", ending);
  }

  /** Does what throws an Error where an invariant is broken, which then is one of this line. */
  private holding<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      return this.fail((error as Error).message);
    }
  }

  fail(what: string): never {
    throw new Broken(`${this.name}: ${what}`);
  }
}
