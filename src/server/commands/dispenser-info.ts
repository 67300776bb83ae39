/** The text that INFO answers about one dispenser. */

import { largest } from "../../base/bigint.ts";
import type { Dispenser } from "../../dispenser/dispenser.ts";
import type { InfoFields } from "../../engine/catalog.ts";

/** The fields that INFO shows for every type, as 0 if a type has none; other fields come last. */
const SHOWN_ALWAYS: readonly string[] = ["length", "starting", "step"];

/** Lines of field:value; those of `more` come last. */
export function describe(dispenser: Dispenser, more: InfoFields): string {
  const { definition, counts, current, name } = dispenser;
  const { values } = definition;
  const others = Object.keys(values).filter((field) => !SHOWN_ALWAYS.includes(field));
  const lines = {
    name,
    type: definition.type.code,
    ...Object.fromEntries(SHOWN_ALWAYS.map((field) => [field, values[field] ?? 0])),
    current,
    auto_disk: definition.strategy,
    generated: counts.generated,
    wasted: counts.wasted,
    waste_rate: `${hundredths(counts.wasted, counts.generated + counts.wasted, "rounded")}%`,
    ...Object.fromEntries(others.map((field) => [field, values[field]!])),
    ...rest(dispenser),
    ...more,
  };
  return Object.entries(lines)
    .map(([field, value]) => `${field}:${value}\r\n`)
    .join("");
}

/**
 * What is left of a dispenser's numbers. A node that leases counts all of the line from its own next
 * number on, because it does not know what the others have handed out of that.
 */
function rest({ definition, allocation, position, current }: Dispenser): InfoFields {
  const { series, type } = definition;
  if (!type.hasPositions) {
    return { next: "", last: "", remaining: 0, used_percent: "0.00", exhausted: 0 };
  }
  const { isLeased } = allocation;
  const all = isLeased ? series.positions : allocation.size(series.positions);
  const used = isLeased ? allocation.toLine(position) : position;
  const remaining = largest(all - used, 0n);
  const end = isLeased ? all - 1n : allocation.toLine(all - 1n);
  return {
    next: remaining > 0n && type.isOrdered ? current : "",
    last: all > 0n ? series.numberAt(end) : "",
    remaining,
    // Rounded down: 100 only where nothing is left.
    used_percent: all > 0n ? hundredths(all - remaining, all, "down") : "100.00",
    exhausted: Number(remaining === 0n),
  };
}

/** A part of a whole in percent, with two decimals. */
function hundredths(part: bigint, whole: bigint, rounding: "rounded" | "down"): string {
  if (whole === 0n) return "0.00";
  const half = rounding === "rounded" ? whole : 0n;
  const value = (part * 20_000n + half) / (2n * whole);
  return `${value / 100n}.${String(value % 100n).padStart(2, "0")}`;
}
