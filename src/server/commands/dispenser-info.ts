/** The text that INFO answers about one dispenser. */

import { largest, smallest } from "../../base/bigint.ts";
import {
  type Definition,
  foretoldPlain,
  periodEndText,
  shownFieldsOf,
} from "../../dispenser/definition.ts";
import type { Dispenser } from "../../dispenser/dispenser.ts";
import type { InfoFields } from "../../engine/catalog.ts";
import type { Upcoming } from "../../engine/engine.ts";

/** The fields that INFO shows for every type, as 0 if a type has none; other fields come last. */
const SHOWN_ALWAYS: readonly string[] = ["length", "starting", "step"];
const SHOWN_FIRST: readonly string[] = ["type", ...SHOWN_ALWAYS, "auto_disk"];

/**
 * Lines of field:value; those of `more` come last. What is told of numbers is told of those that are
 * upcoming.
 */
export function describe(dispenser: Dispenser, upcoming: Upcoming, more: InfoFields): string {
  const { definition, counts, position, name } = dispenser;
  const fields = shownFieldsOf(definition);
  const others = [...fields.keys()].filter((field) => !SHOWN_FIRST.includes(field));
  const lines = {
    name,
    type: definition.type.code,
    ...Object.fromEntries(SHOWN_ALWAYS.map((field) => [field, fields.get(field) ?? 0])),
    current: foretoldPlain(definition, upcoming.allocation.toLine(position)),
    auto_disk: definition.strategy,
    generated: counts.generated,
    wasted: counts.wasted,
    waste_rate: `${hundredths(counts.wasted, counts.generated + counts.wasted, "rounded")}%`,
    ...Object.fromEntries(others.map((field) => [field, fields.get(field)!])),
    ...rest(dispenser, upcoming),
    ...periodOf(definition, upcoming),
    ...more,
  };
  return Object.entries(lines)
    .map(([field, value]) => `${field}:${value}\r\n`)
    .join("");
}

/** The period that the next number is of, and its end. */
function periodOf(definition: Definition, { when }: Upcoming): InfoFields {
  const { periods } = definition.format ?? {};
  if (periods === undefined) return {};
  return {
    present_period: periods.text(when.period),
    period_ends: periodEndText(definition, when)!,
  };
}

/**
 * What is left of a dispenser's numbers, or of those of the period. A node that leases counts all of
 * the line from its own next number on, because it does not know what the others have handed out of
 * that.
 */
function rest({ definition, position }: Dispenser, { allocation, when }: Upcoming): InfoFields {
  const { series, type } = definition;
  if (!type.hasPositions) {
    return { next: "", last: "", remaining: 0, used_percent: "0.00", exhausted: 0 };
  }
  const { isLeased, start } = allocation;
  const local = isLeased ? series.positions : allocation.size(series.positions);
  const all = local - start;
  const used = isLeased ? allocation.toLine(position) : position - start;
  const remaining = largest(all - used, 0n);
  const end = isLeased ? all - 1n : allocation.toLine(local - 1n);
  const { isOrdered } = type;
  return {
    next: remaining > 0n && isOrdered ? series.numberAt(allocation.toLine(position), when) : "",
    last: all > 0n && isOrdered ? series.numberAt(end, when) : "",
    remaining,
    // Rounded down: 100 only where nothing is left.
    used_percent: all > 0n ? hundredths(all - remaining, all, "down") : "100.00",
    exhausted: Number(remaining === 0n),
    ...(series.guesses !== undefined && {
      // A code that was skipped is as good as one that was handed out.
      guess_odds: share(smallest(allocation.toLine(position), series.positions), series.guesses),
    }),
  };
}

/** A part of a whole, with three digits. */
function share(part: bigint, whole: bigint): string {
  return String(Number((Number(part) / Number(whole)).toPrecision(3)));
}

/** A part of a whole in percent, with two decimals. */
function hundredths(part: bigint, whole: bigint, rounding: "rounded" | "down"): string {
  if (whole === 0n) return "0.00";
  const half = rounding === "rounded" ? whole : 0n;
  const value = (part * 20_000n + half) / (2n * whole);
  return `${value / 100n}.${String(value % 100n).padStart(2, "0")}`;
}
