/**
 * How far the numbers of a line were leased: one counter for all of them, or one for each period. A
 * period without a counter has leased nothing, or only what `cluster advance` skipped of it.
 */

import { largest } from "../../base/bigint.ts";
import type { Definition } from "../../dispenser/definition.ts";
import type { PeriodCalendar } from "../../dispenser/format/period-calendar.ts";
import type { Counter, Counters, LineRecord, PeriodCounter } from "../stores/records.ts";

/** A line keeps the counters of so many periods, the latest: nobody leases of earlier ones. */
const PERIODS_KEPT = 3;

/** The counter of a period of a line, or of all of it; undefined for a period that is forgotten. */
export function counterOf(
  line: Counter & Counters,
  { hasPeriods, format }: Definition,
  period: number,
): Counter | undefined {
  if (!hasPeriods) return line;
  if (period < (line.since ?? 0)) return undefined;
  const { periods = [], margin } = line;
  const found = periods.find((each) => each.period === period);
  if (found !== undefined) return found;
  const mayBeUsed = margin !== undefined && period <= lastLeased(format!.periods!, margin.atMs);
  return { next: mayBeUsed ? margin.count : 0n, returned: [], floor: 0n };
}

/** Clocks of nodes may be ahead of the operator's by so much. */
const AHEAD_MS_MAX = 60_000;

/** The last period that nodes may have leased of at a Unix time: they lease of the next one early. */
function lastLeased(periods: PeriodCalendar, wallMs: number): number {
  return periods.at(wallMs + periods.period.leadMs + AHEAD_MS_MAX);
}

/** A line with another counter of a period, or of all of it. */
export function withCounter(
  line: LineRecord,
  { hasPeriods }: Definition,
  period: number,
  { next, returned, floor }: Counter,
): LineRecord {
  const counter = { next, returned, floor };
  if (!hasPeriods) return { ...line, ...counter };
  const { periods = [] } = line;
  const others = periods.filter((each) => each.period !== period);
  return { ...line, ...kept([...others, { period, ...counter }], line.since) };
}

/** The latest of these counters, and the period before which none is left. */
function kept(counters: readonly PeriodCounter[], since: number | undefined): Counters {
  const periods = counters.toSorted((one, other) => one.period - other.period);
  const latest = periods.slice(-PERIODS_KEPT);
  const first = latest.length < periods.length ? latest[0]!.period : 0;
  const from = Math.max(first, since ?? 0);
  return {
    periods: latest.filter(({ period }) => period >= from),
    ...(from > 0 && { since: from }),
  };
}

/** Below which position numbers may be in use; with periods, more than 0 where some may be. */
export function leasedOf(
  { next, periods = [], since, margin }: Counter & Counters,
  { hasPeriods }: Definition,
): bigint {
  if (!hasPeriods) return next;
  // Periods that are forgotten were in use.
  const forgotten = since === undefined ? 0n : 1n;
  return periods.reduce((sum, each) => sum + each.next, forgotten + (margin?.count ?? 0n));
}

/** The counters of a line that goes on at this one of a period, whatever it did before. */
export function countersFrom(period: number, next: bigint): Counters {
  return { periods: [{ period, next, returned: [], floor: 0n }], since: period };
}

/** Only the counters of a line with periods. */
export function countersIn({ periods, since, margin }: Counters): Counters {
  return {
    ...(periods !== undefined && { periods }),
    ...(since !== undefined && { since }),
    ...(margin !== undefined && { margin }),
  };
}

/** Of two lines that may be one, the further of each period. */
export function furthest(one: Counters, other: Counters): Counters {
  const periods = new Map((one.periods ?? []).map((each) => [each.period, each]));
  for (const each of other.periods ?? []) {
    const { period, next } = each;
    const known = periods.get(period)?.next ?? 0n;
    periods.set(period, { ...each, next: largest(known, next), returned: [] });
  }
  const sinces = [one.since, other.since].filter((since) => since !== undefined);
  const margins = [one.margin, other.margin].filter((margin) => margin !== undefined);
  const margin = margins.length === 0 ? undefined : margins.reduce(widest);
  return {
    ...kept([...periods.values()], sinces.length === 0 ? undefined : Math.max(...sinces)),
    ...(margin !== undefined && { margin }),
  };
}

function widest(one: NonNullable<Counters["margin"]>, other: NonNullable<Counters["margin"]>) {
  return { count: largest(one.count, other.count), atMs: Math.max(one.atMs, other.atMs) };
}

/** `cluster advance`: all numbers move ahead, also those of periods that had begun by then. */
export function movedAhead<Line extends Counter & Counters>(
  line: Line,
  margin: bigint,
  atMs: number,
): Line {
  const ahead = ({ next, floor }: Counter) => ({ next: next + margin, returned: [], floor });
  const periods = line.periods?.map((each) => ({ ...ahead(each), period: each.period }));
  return {
    ...line,
    ...ahead(line),
    ...(periods !== undefined && { periods }),
    margin: { count: (line.margin?.count ?? 0n) + margin, atMs },
  };
}
