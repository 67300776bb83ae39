/**
 * The five strategies of `auto_disk` as data over one mechanism: what stands on disk, how far
 * ahead of the numbers handed out a reservation may reach, what the clean close saves.
 */

export const strategyNames = [
  "memory",
  "pre-base",
  "pre-checkpoint",
  "elegant_close",
  "pre_close",
] as const;

export type StrategyName = (typeof strategyNames)[number];

/** The strategy that a text names, in any case and with either dash. */
export function strategyOf(text: string): StrategyName | undefined {
  const plain = text.toLowerCase().replaceAll("-", "_");
  return strategyNames.find((name) => name.replaceAll("-", "_") === plain);
}

/** What of a line stands on disk beside its definition. */
export type Keeps =
  /** Nothing while the server runs: the position row stays where the line became `memory`. */
  | "definition"
  /** Rows of segments; the end of the last one is the reservation. */
  | "segments"
  /** Rows of segments, and inside them a checkpoint, which is the reservation. */
  | "checkpoint"
  /** The position itself. */
  | "position";

export interface Strategy {
  readonly keeps: Keeps;
  /**
   * How many numbers handed out in this life pay for one that may lie reserved ahead and be
   * wasted; Infinity where none may. A bound b on waste / (handed out + waste) is
   * waste <= handed out * b / (1 - b), so 50 % is 1 and 5 % is 19.
   */
  readonly acknowledgedPerAhead: number;
  /** Whether the clean close lowers the reservation to the exact position. */
  readonly exactAtClose: boolean;
}

export const strategies: Record<StrategyName, Strategy> = {
  memory: {
    keeps: "definition",
    acknowledgedPerAhead: Number.POSITIVE_INFINITY,
    exactAtClose: false,
  },
  "pre-base": {
    keeps: "segments",
    acknowledgedPerAhead: 1,
    exactAtClose: false,
  },
  "pre-checkpoint": {
    keeps: "checkpoint",
    acknowledgedPerAhead: 19,
    exactAtClose: false,
  },
  elegant_close: {
    keeps: "position",
    acknowledgedPerAhead: Number.POSITIVE_INFINITY,
    exactAtClose: false,
  },
  pre_close: {
    keeps: "checkpoint",
    acknowledgedPerAhead: 19,
    exactAtClose: true,
  },
};

export const defaultStrategy: StrategyName = "elegant_close";

/** A reservation reaches about what this much time of the recent rate will use. */
const HORIZON_MS = 50;
/**
 * Or what the time of so many commits will use, where a sync is slow: the next run is reserved when half is used, so
 * that commits for one line take a tenth of the time, during which all wait.
 */
const HORIZON_COMMITS = 20;
/** One commit that took very long says little about the next. */
const HORIZON_MS_MAX = 1000;
/**
 * Shorter spans between two reservations say nothing about the rate: requests that came together,
 * and took two turns, are no thousands a second.
 */
const SPAN_MIN_MS = 10;
/**
 * However slow a line is, ten requests or so come together now and then, and may take two turns: one
 * that has handed out hundreds keeps three times that ahead, so that what is left when it reserves
 * next, about half, covers the next ten. It keeps one for each so many handed out.
 */
const LEAST_AHEAD_MAX = 32;
const HANDED_OUT_PER_LEAST_AHEAD = 32;
/** A checkpoint strategy's segment holds about this many checkpoints. */
const CHECKPOINTS_PER_SEGMENT = 10;

/**
 * How many numbers to reserve ahead: about what the next tens of milliseconds will use, as many
 * as were used since the last reservation (they may come together again), and one always, but
 * never more than the waste bound allows.
 *
 * `handedOut` counts this life; `used` were taken in the `spanMs` since the last reservation. A commit took `commitMs`
 * of late.
 */
export function reserveAhead(
  strategy: Strategy,
  handedOut: number,
  used: number,
  spanMs: number,
  commitMs = 0,
): number {
  const budget = Math.floor(handedOut / strategy.acknowledgedPerAhead);
  const least = Math.floor(Math.min(LEAST_AHEAD_MAX, handedOut / HANDED_OUT_PER_LEAST_AHEAD));
  const slowMs = Math.min(HORIZON_COMMITS * commitMs, HORIZON_MS_MAX);
  const horizonMs = Math.max(HORIZON_MS, slowMs);
  const byRate = Math.ceil((used * horizonMs) / Math.max(spanMs, SPAN_MIN_MS));
  return Math.min(budget, Math.max(1, least, used, byRate));
}

/** How far past its reservation a new segment reaches, when the reservation reaches `ahead`. */
export function segmentBeyond(strategy: Strategy, ahead: number): number {
  return strategy.keeps === "checkpoint" ? Math.max(1, ahead) * (CHECKPOINTS_PER_SEGMENT - 1) : 0;
}
