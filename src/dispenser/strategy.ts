/**
 * The five strategies of `auto_disk`, as data for one mechanism: which rows a line has on disk, how
 * far a reservation may reach ahead of the numbers handed out, what the clean close saves.
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
  return byName.get(text) ?? byName.get(text.toLowerCase().replaceAll("-", "_"));
}

const byName: ReadonlyMap<string, StrategyName> = new Map(
  strategyNames.flatMap((name) => [
    [name, name] as const,
    [name.replaceAll("-", "_"), name] as const,
  ]),
);

/** Which rows a line has on disk beside its definition. */
export type Keeps =
  /** A position, written only when the restart point changes. */
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
   * How many numbers acknowledged in this life pay for one that lies reserved ahead, where a crash
   * would waste it; Infinity where none may lie there. A bound b on wasted / (acknowledged +
   * wasted) is wasted <= acknowledged * b / (1 - b), so 50 % is 1 and 5 % is 19.
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

/** A reservation lasts about so long at the recent rate. */
const HORIZON_MS = 50;
/**
 * Where a sync is slow, a reservation lasts as long as so many commits. The next one is made when
 * half is used, so a busy line commits for a tenth of the time, during which all clients wait.
 */
const HORIZON_COMMITS = 20;
/**
 * A reservation lasts no longer than this: one commit that took very long says little about the
 * next.
 */
const HORIZON_MS_MAX = 1000;
/**
 * A shorter span between two reservations counts as this long: requests that came together and took
 * two turns do not mean thousands a second.
 */
const SPAN_MIN_MS = 10;
/**
 * On a slow line ten requests or so come together now and then. A line that has handed out hundreds
 * keeps three times as many ahead, so that the half that is left when it reserves next covers the
 * next ten: one for each 32 numbers acknowledged, up to 32.
 */
const LEAST_AHEAD_MAX = 32;
const ACKNOWLEDGED_PER_LEAST_AHEAD = 32;
/** A checkpoint strategy's segment holds about this many checkpoints. */
const CHECKPOINTS_PER_SEGMENT = 10;

/**
 * How many numbers to reserve ahead: as many as the next tens of milliseconds will use at the
 * recent rate, at least as many as were used since the last reservation (they may come together
 * again), at least one, and never more than the waste bound allows.
 *
 * `acknowledged` counts this life; `used` numbers were taken in the `spanMs` since the last
 * reservation; the last commit took `commitMs`.
 */
export function reserveAhead(
  strategy: Strategy,
  acknowledged: number,
  used: number,
  spanMs: number,
  commitMs = 0,
): number {
  const budget = Math.floor(acknowledged / strategy.acknowledgedPerAhead);
  const least = Math.floor(Math.min(LEAST_AHEAD_MAX, acknowledged / ACKNOWLEDGED_PER_LEAST_AHEAD));
  const slowMs = Math.min(HORIZON_COMMITS * commitMs, HORIZON_MS_MAX);
  const horizonMs = Math.max(HORIZON_MS, slowMs);
  const byRate = Math.ceil((used * horizonMs) / Math.max(spanMs, SPAN_MIN_MS));
  return Math.min(budget, Math.max(1, least, used, byRate));
}

/** How far a new segment reaches past a reservation that reaches `ahead` numbers. */
export function segmentBeyond(strategy: Strategy, ahead: number): number {
  return strategy.keeps === "checkpoint" ? Math.max(1, ahead) * (CHECKPOINTS_PER_SEGMENT - 1) : 0;
}
