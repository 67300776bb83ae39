/** What there should be, as the model keeps it. */

import type { Checker } from "./checker.ts";
import { calendarOf, limitOf, numberAt, type Shape } from "./shapes.ts";

/** A line that DEL took, of which numbers may be in use. */
export interface Deleted {
  readonly shape: Shape;
  /** Where it stood; undefined for a line in memory: where it became so, which the model does not know. */
  readonly position: bigint | undefined;
  /** What lies below is spent for good. */
  readonly spentBelow: bigint;
}

/** What there is, by name. */
export interface State {
  readonly checkers: Map<string, Checker>;
  /** Deleted lines that are kept. */
  readonly deleted: Map<string, readonly Deleted[]>;
  /** Durable numbers that clients received and that must not come again: Checker.inUse. */
  readonly inUse: Map<string, Set<bigint>>;
}

export const emptyState = (): State => ({
  checkers: new Map(),
  deleted: new Map(),
  inUse: new Map(),
});

export const copyOf = ({ checkers, deleted, inUse }: State): State => ({
  checkers: new Map(checkers),
  deleted: new Map(deleted),
  inUse: new Map(inUse),
});

/** Whether a line, from position `from` on, may have numbers of a deleted one of its name. */
export function mayMeet(shape: Shape, from: bigint, { shape: other, position }: Deleted): boolean {
  const isIncomparable = [shape, other].some((each) => each.type === "4" || calendarOf(each));
  if (position === undefined || isIncomparable) return true;
  const first = numberAt(shape, from);
  return first <= limitOf(shape) && numberAt(other, position - 1n) >= first;
}
