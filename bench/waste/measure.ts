/**
 * The measurements in simulated time: the waste of lives of each length, the waste of 99 clean
 * stops and a crash together, how often steady traffic commits, and how many of its GETs wait.
 */

import { strict as assert } from "node:assert";
import type { StrategyName } from "../../src/dispenser/strategy.ts";
import { median } from "../support/figures.ts";
import type { Arrivals } from "./arrivals.ts";
import { Life } from "./life.ts";

/** The strategies that promise a bound of waste. */
export const measuredStrategies = [
  "pre-base",
  "pre-checkpoint",
  "pre_close",
  "elegant_close",
] as const satisfies readonly StrategyName[];
export const preModes = ["pre-base", "pre-checkpoint", "pre_close"] as const;

export type Measured = (typeof measuredStrategies)[number];

/** The contract's bounds, at a crash and a clean close: wasted <= bound * (handed out + wasted). */
export const bounds: Record<Measured, { readonly crash: number; readonly close: number }> = {
  "pre-base": { crash: 0.5, close: 0.5 },
  "pre-checkpoint": { crash: 0.05, close: 0.05 },
  pre_close: { crash: 0.05, close: 0 },
  elegant_close: { crash: 0, close: 0 },
};

/** The last part of a life, in which the crash falls. */
const END = 0.1;
/** How many evenly spread instants of that part the server is killed at and recovered from. */
const CRASHES = 21;

export interface Waste {
  /** The wasted share of all numbers handed out and wasted, at the worst instant near the end. */
  readonly crashWorst: number;
  /** The median of that share over the evenly spread instants. */
  readonly crashMedian: number;
  readonly close: number;
}

const share = (wasted: number, handedOut: number) =>
  wasted === 0 ? 0 : wasted / (handedOut + wasted);

/** The waste of one life of `numbers` numbers. Throws if a bound is broken at any instant. */
export function measureLife(strategy: Measured, arrivals: Arrivals, numbers: number): Waste {
  const life = new Life(strategy, arrivals);
  const bound = bounds[strategy];
  const endBegins = Math.max(1, numbers - Math.floor(numbers * END));
  const shares: number[] = [];
  let worst = 0;
  const instant = () => {
    const { handedOut, wastedByCrash } = life;
    if (wastedByCrash > 0) checkBound(wastedByCrash, handedOut, bound.crash);
    if (handedOut < endBegins) return;
    const found = share(wastedByCrash, handedOut);
    const isDue = handedOut >= endBegins + (shares.length * (numbers - endBegins)) / (CRASHES - 1);
    if (!isDue && found <= worst) return;
    assert.equal(life.wastedByRecovery(), wastedByCrash, "recovery found another reservation");
    worst = Math.max(worst, found);
    if (isDue) shares.push(found);
  };
  while (life.handedOut < numbers) life.turn(numbers - life.handedOut, instant);
  const wasted = life.wastedByClose();
  checkBound(wasted, life.handedOut, bound.close);
  return { crashWorst: worst, crashMedian: median(shares), close: share(wasted, life.handedOut) };
}

export class BoundBroken extends Error {
  override readonly name = "BoundBroken";
}

/** Checks a bound as 1 in n (0.05 is 1 in 20), so that rounding cannot break it. */
function checkBound(wasted: number, handedOut: number, bound: number): void {
  const allowed = bound === 0 ? 0 : (handedOut + wasted) / Math.round(1 / bound);
  if (wasted > allowed) throw new BoundBroken(`${wasted} wasted of ${handedOut} handed out`);
}

/** The share of all numbers that pre_close wastes over `stops` clean stops and then a crash. */
export function measureMixed(makeArrivals: () => Arrivals, numbers: number, stops: number): number {
  let life = new Life("pre_close", makeArrivals());
  let worst = 0;
  const instant = () => {
    if (life.handedOut >= numbers * (1 - END)) worst = Math.max(worst, life.wastedByCrash);
  };
  for (let stopped = 0; ; stopped++) {
    worst = 0;
    while (life.handedOut < numbers) life.turn(numbers - life.handedOut, instant);
    if (stopped === stops) break;
    life = new Life("pre_close", makeArrivals(), life.close());
  }
  const handedOut = (stops + 1) * numbers;
  return share(life.startedAt - stops * numbers + worst, handedOut);
}

export interface Steady {
  /** How many commits the busiest second had, after the line's first ten. */
  readonly commitsPerSecond: number;
  /** The share of GETs that waited for a commit, from the line's 1,000th number on. */
  readonly held: number;
}

export const STEADY_FROM_MS = 10_000;
export const STEADY_FROM_NUMBER = 1000;
/** The least time of traffic that is measured after the first ten seconds. */
const STEADY_SECONDS = 3;

/** Measures steady traffic of at least this many numbers after the 1,000th. */
export function measureSteady(
  strategy: Measured,
  arrivals: Arrivals,
  perSecond: number,
  numbers: number,
): Steady {
  const life = new Life(strategy, arrivals);
  const untilMs = STEADY_FROM_MS + STEADY_SECONDS * 1000;
  const count = Math.max(STEADY_FROM_NUMBER + numbers, Math.ceil((untilMs / 1000) * perSecond));
  let heldBefore = 0;
  let [secondBeganMs, commitsBefore, commitsMost] = [0, 0, 0];
  while (life.handedOut < count) {
    life.turn(count, () => {});
    if (life.handedOut <= STEADY_FROM_NUMBER) heldBefore = life.held;
    if (life.nowMs < secondBeganMs + 1000) continue;
    if (secondBeganMs >= STEADY_FROM_MS) {
      commitsMost = Math.max(commitsMost, life.commits - commitsBefore);
    }
    commitsBefore = life.commits;
    secondBeganMs = life.nowMs;
  }
  const held = (life.held - heldBefore) / (life.handedOut - STEADY_FROM_NUMBER);
  return { commitsPerSecond: commitsMost, held };
}
