/**
 * What an observer of all clients knows of one dispenser, and the invariants it holds it to. It knows
 * the definition, every number that a client received, and when a life began and ended.
 */

import type { Definition } from "../../../src/dispenser/definition.ts";
import { define } from "../../../src/dispenser/fields.ts";
import type { StrategyName } from "../../../src/dispenser/strategy.ts";
import type { NumberSeries } from "../../../src/dispenser/types/type.ts";
import { NO_PERIOD } from "../../../src/dispenser/types/type.ts";

/**
 * How many numbers handed out pay for one that a crash may waste: the bounds of the contract, written
 * out here, so that a slip in the program's own table is seen.
 */
const handedOutPerWasted: Readonly<Record<StrategyName, number>> = {
  memory: Number.POSITIVE_INFINITY,
  "pre-base": 1,
  "pre-checkpoint": 19,
  elegant_close: Number.POSITIVE_INFINITY,
  pre_close: 19,
};

/** Formats of lines, and how an observer reads them: written out here, without the program's own. */
export const formats = {
  "": {
    textOf: (number: string) => number,
    numberIn: (text: string) => text as string | undefined,
  },
  "A-{n:3}{luhn}/7": {
    textOf: (number: string) => {
      const grouped = number.match(/.{1,3}/g)!.join("-");
      return `A-${grouped}${luhn(number)}/7`;
    },
    numberIn: (text: string) => {
      const [, grouped, check] = /^A-((?:[0-9]{3}-)*[0-9]{1,3})([0-9])\/7$/.exec(text) ?? [];
      const number = grouped?.replaceAll("-", "");
      return number !== undefined && luhn(number) === check ? number : undefined;
    },
  },
} as const;

/** The fields of HSET that define a line of this shape, without a strategy. */
export function fieldsOf({ type, length, starting, step, format }: Shape): Record<string, string> {
  return {
    type,
    ...(type !== "3" && { length: `${length}` }),
    ...((type === "2" || type === "3") && { starting: `${starting}`, step: `${step}` }),
    ...(type === "4" && { key: KEY }),
    ...(format !== "" && { format }),
  };
}

/** The digit with which the sum of all is a multiple of ten, where every other one counts twice. */
function luhn(digits: string): string {
  let sum = 0;
  for (const [index, digit] of [...digits].reverse().entries()) {
    const value = Number(digit) * (index % 2 === 0 ? 2 : 1);
    sum += value > 9 ? value - 9 : value;
  }
  return String((10 - (sum % 10)) % 10);
}

/** The key of all codes: so an observer can tell which one a code is. */
const KEY = "5b8e2f71c09d4a36e1f7083bd2a49c65";
const series = new Map<number, NumberSeries>();

function codesOf(length: number): NumberSeries {
  const fields = { type: "4", length: String(length), key: KEY };
  const found =
    series.get(length) ?? (define(new Map(Object.entries(fields))) as Definition).series;
  series.set(length, found);
  return found;
}

/** An invariant is broken. */
export class Broken extends Error {
  override readonly name = "Broken";
}

/** Of codes the number is the position: starting is 0, and step 1. */
export interface Shape {
  readonly type: "1" | "2" | "3" | "4";
  readonly length: number;
  readonly starting: bigint;
  readonly step: bigint;
  /** The text around each number. */
  readonly format: keyof typeof formats;
}

/** What a line was when a number of it was asked for. */
export interface AskedOf {
  readonly strategy: StrategyName;
  /** The largest number that anyone had. */
  readonly floor: bigint;
  readonly length: number;
  /**
   * The numbers that the answer may not repeat. A line in memory may hand out what a durable line that
   * takes its name hands out after it: for one in memory they are those in use when it was asked.
   */
  readonly inUse: ReadonlySet<bigint>;
}

/** How a life ended, as far as this dispenser is concerned. */
export interface Ending {
  readonly isClean: boolean;
  /** Its numbers that may be under way: requests without a reply. */
  readonly underWay: bigint;
}

export class Checker {
  readonly name: string;
  /** Its length may grow. */
  shape: Shape;
  /**
   * The durable numbers of all lines of this name, those that were deleted among them: none comes again before
   * somebody says reuse yes.
   */
  readonly inUse: Set<bigint>;
  /** Every position below this one is never handed out again, whatever happens. */
  spentBelow = 0n;
  /** The largest number a client received that may not be reached again in this life. */
  largest = -1n;
  /** Positions that ADVANCE skipped in this life, or that went to nobody with a failed MGET. */
  excused = 0n;
  /** Numbers of this life that went to clients which left before they came. */
  lost = 0n;
  /** Where INFO's counts begin: 0, or for a line in memory where this life began. */
  countedFrom = 0n;
  private readonly receivedInLife = new Set<bigint>();
  private handedOut = 0n;
  /** Whether the strategy was switched in this life. */
  private isMixed = false;
  private begin = 0n;
  /** What `generated` was when this life began; undefined where it is not comparable. */
  private generatedAtBegin: bigint | undefined = 0n;
  /** The loosest bound in force in this life. */
  private handedOutPerWasted: number;

  constructor(name: string, shape: Shape, strategy: StrategyName, inUse: Set<bigint>) {
    this.name = name;
    this.shape = shape;
    this.inUse = inUse;
    this.handedOutPerWasted = handedOutPerWasted[strategy];
  }

  get hasPositions(): boolean {
    return this.shape.type !== "1";
  }

  numberAt(position: bigint): bigint {
    return this.shape.starting + this.shape.step * position;
  }

  positionOf(number: bigint): bigint {
    return (number - this.shape.starting) / this.shape.step;
  }

  /** Whether a number is on the line, at a position or behind it. */
  has(number: bigint, position: bigint): boolean {
    const isOn = (number - this.shape.starting) % this.shape.step === 0n;
    return this.hasPositions && isOn && number >= this.numberAt(position) && number <= this.limit;
  }

  /** It was deleted, and goes on. */
  goesOn(position: bigint, generated: bigint): void {
    this.begin = position;
    this.largest = this.numberAt(position) - 1n;
    this.generatedAtBegin = generated;
  }

  /** The largest number that may be on the line. */
  get limit(): bigint {
    if (this.shape.type === "4") return codesOf(this.shape.length).positions - 1n;
    return this.shape.type === "2" ? 10n ** BigInt(this.shape.length) - 1n : 2n ** 63n - 1n;
  }

  switched(strategy: StrategyName): void {
    this.isMixed = true;
    this.handedOutPerWasted = Math.min(this.handedOutPerWasted, handedOutPerWasted[strategy]);
  }

  /** A client received a number, asked for when `floor` was the largest that anyone had. */
  acknowledge(text: string, { strategy, floor, length, inUse }: AskedOf): bigint {
    this.handedOut++;
    const digits = formats[this.shape.format].numberIn(text);
    if (digits === undefined) this.fail(`'${text}' is not in the format`);
    const number = this.numberIn(digits);
    this.checkForm(digits, number, length);
    if (!this.hasPositions) return number;
    if (this.receivedInLife.has(number) || inUse.has(number)) this.fail(`${number} a second time`);
    if (number <= floor) this.fail(`${number}, asked for after ${floor} had come`);
    if ((number - this.shape.starting) % this.shape.step !== 0n)
      this.fail(`${number} is off the line`);
    this.receivedInLife.add(number);
    if (number > this.largest) this.largest = number;
    if (strategy !== "memory") {
      this.inUse.add(number);
      this.spend(this.positionOf(number) + 1n);
    }
    return number;
  }

  /** The number that a text without its format is; of a code its position. */
  private numberIn(text: string): bigint {
    const { type, length } = this.shape;
    if (type !== "4") return BigInt(text);
    const position = codesOf(length).positionOf(text, NO_PERIOD);
    if (position === undefined) this.fail(`'${text}' is no code`);
    return position;
  }

  /** How GET writes a number, and ADVANCE takes it: of codes, the one in front of it. */
  textFor(number: bigint): string {
    const { type, length, format } = this.shape;
    if (type === "4") return formats[format].textOf(codesOf(length).numberAt(number - 1n));
    return formats[format].textOf(String(number).padStart(type === "2" ? length : 0, "0"));
  }

  /** The number that a reply tells as the next one; undefined of codes, which are not to be foretold. */
  next(text: string): bigint | undefined {
    if (this.shape.type === "4") {
      if (text !== "0") this.fail(`tells the code ${text}`);
      return undefined;
    }
    const digits = formats[this.shape.format].numberIn(text);
    if (digits === undefined) this.fail(`'${text}' is not in the format`);
    return BigInt(digits);
  }

  /** The number that INFO tells as `current`, which has no format; undefined of codes. */
  current(text: string): bigint | undefined {
    if (this.shape.type !== "4") return BigInt(text);
    if (text !== "0") this.fail(`tells the code ${text}`);
    return undefined;
  }

  private checkForm(text: string, number: bigint, length: number): void {
    const { type } = this.shape;
    if (type !== "3" && text.length !== length) this.fail(`'${text}' has not ${length} digits`);
    if (type === "3" && text !== String(number)) this.fail(`'${text}' is padded`);
    if (type === "1" && text.startsWith("0")) this.fail(`'${text}' begins with 0`);
    if (number > this.limit) this.fail(`${number} is past the end`);
  }

  /** What lies below a position is spent for good: a durable number, or an acknowledged command. */
  spend(below: bigint): void {
    if (below > this.spentBelow) this.spentBelow = below;
  }

  /** INFO was answered: its figures agree with each other. */
  checkInfo(fields: Readonly<Record<string, string>>, countedFrom: bigint): void {
    const position = countedFrom + BigInt(fields.generated!) + BigInt(fields.wasted!);
    if (BigInt(fields.generated!) < 0n || BigInt(fields.wasted!) < 0n) this.fail("counts below 0");
    const next = this.hasPositions ? this.current(fields.current!) : undefined;
    if (next !== undefined && next !== this.numberAt(position))
      this.fail(`current ${fields.current} is not that of position ${position}`);
  }

  /** With no request under way, `generated` counts what clients received. */
  checkGenerated(generated: bigint): void {
    if (this.generatedAtBegin === undefined || this.lost > 0n) return;
    const expected = this.generatedAtBegin + this.handedOut;
    if (generated !== expected) this.fail(`generated ${generated}, but clients have ${expected}`);
  }

  /** A new life begins, this line at `position`, after one that ended so. */
  restarted(position: bigint, generated: bigint, strategy: StrategyName, ending: Ending): void {
    if (this.hasPositions && position < this.spentBelow)
      this.fail(`restarts at position ${position}, but all below ${this.spentBelow} is spent`);
    if (this.hasPositions && strategy !== "memory") this.checkWaste(position, strategy, ending);
    this.checkCountKept(generated, strategy, ending);
    const startsOver = this.hasPositions && strategy === "memory";
    this.receivedInLife.clear();
    this.isMixed = false;
    this.handedOut = 0n;
    this.begin = position;
    this.largest = this.numberAt(position) - 1n;
    this.generatedAtBegin = startsOver ? undefined : generated;
    this.countedFrom = startsOver ? position : 0n;
    this.excused = 0n;
    this.lost = 0n;
    this.handedOutPerWasted = handedOutPerWasted[strategy];
  }

  /** After a clean end `generated` is exact, and of elegant_close after a crash, too. */
  private checkCountKept(generated: bigint, strategy: StrategyName, ending: Ending): void {
    const startsOver = this.hasPositions && strategy === "memory";
    if (this.generatedAtBegin === undefined || startsOver || this.isMixed) return;
    const isKnown = ending.isClean || (this.hasPositions && strategy === "elegant_close");
    const least = this.generatedAtBegin + (isKnown ? this.handedOut : 0n);
    const most = this.generatedAtBegin + this.handedOut + this.lost + ending.underWay;
    if (generated < least || generated > most)
      this.fail(`generated ${generated} after the restart, not ${least} to ${most}`);
  }

  private checkWaste(position: bigint, strategy: StrategyName, ending: Ending): void {
    const { begin, excused, handedOut, lost } = this;
    const wasted = position - begin - excused - handedOut - lost - ending.underWay;
    const isExact = ending.isClean && (strategy === "pre_close" || strategy === "elegant_close");
    const allowed =
      isExact || !Number.isFinite(this.handedOutPerWasted)
        ? 0n
        : (handedOut + lost) / BigInt(this.handedOutPerWasted);
    if (wasted > allowed) this.fail(`${wasted} wasted of ${handedOut} handed out in ${strategy}`);
  }

  fail(what: string): never {
    throw new Broken(`${this.name}: ${what}`);
  }
}
