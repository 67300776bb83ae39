/** What was handed out of a line in one life of the server, and what that life may waste. */

import type { StrategyName } from "../../../src/dispenser/strategy.ts";
import { Broken } from "./broken.ts";

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

/** How a life ended, as far as this dispenser is concerned. */
export interface Ending {
  readonly isClean: boolean;
  /** Its numbers that may be under way: requests without a reply. */
  readonly underWay: bigint;
}

/** Where a life begins: at a position, after so many numbers; undefined where that is not comparable. */
interface Beginning {
  readonly position: bigint;
  readonly generated: bigint | undefined;
}

export class Life {
  /** Positions that ADVANCE skipped, or that went to nobody with a failed MGET. */
  excused = 0n;
  /** Numbers that went to clients which left before they came. */
  lost = 0n;
  /** Numbers that clients received. */
  handedOut = 0n;
  private readonly beginning: Beginning;
  /** Whether the strategy was switched. */
  private isMixed = false;
  /** The loosest bound in force. */
  private handedOutPerWasted: number;

  constructor(beginning: Beginning, strategy: StrategyName) {
    this.beginning = beginning;
    this.handedOutPerWasted = handedOutPerWasted[strategy];
  }

  switched(strategy: StrategyName): void {
    this.isMixed = true;
    this.handedOutPerWasted = Math.min(this.handedOutPerWasted, handedOutPerWasted[strategy]);
  }

  /** With no request under way, `generated` counts what clients received. Throws Broken. */
  checkGenerated(generated: bigint): void {
    if (this.beginning.generated === undefined || this.lost > 0n) return;
    const expected = this.beginning.generated + this.handedOut;
    if (generated !== expected)
      throw new Broken(`generated ${generated}, but clients have ${expected}`);
  }

  /** After a clean end `generated` is exact, and where `isExact` is after a crash, too. Throws Broken. */
  checkCountKept(generated: bigint, isExact: boolean, ending: Ending): void {
    const before = this.beginning.generated;
    if (before === undefined || this.isMixed) return;
    const least = before + (ending.isClean || isExact ? this.handedOut : 0n);
    const most = before + this.handedOut + this.lost + ending.underWay;
    if (generated < least || generated > most)
      throw new Broken(`generated ${generated} after the restart, not ${least} to ${most}`);
  }

  /** The next life begins at a position: no more was wasted than the strategy allows. Throws Broken. */
  checkWaste(position: bigint, strategy: StrategyName, ending: Ending): void {
    const { excused, handedOut, lost } = this;
    const wasted =
      position - this.beginning.position - excused - handedOut - lost - ending.underWay;
    const isExact = ending.isClean && (strategy === "pre_close" || strategy === "elegant_close");
    const allowed =
      isExact || !Number.isFinite(this.handedOutPerWasted)
        ? 0n
        : (handedOut + lost) / BigInt(this.handedOutPerWasted);
    if (wasted > allowed)
      throw new Broken(`${wasted} wasted of ${handedOut} handed out in ${strategy}`);
  }
}
