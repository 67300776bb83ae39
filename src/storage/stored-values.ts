/** Columns that several tables have, as what they stand for. */

import type { Definition } from "../dispenser/definition.ts";
import { definitionFrom } from "../dispenser/fields.ts";
import type { Run } from "../dispenser/period-run.ts";
import type { Account } from "../dispenser/reservation.ts";
import { NUMBER_MAX } from "../dispenser/types/whole-number.ts";

/** What of the rows cannot be true together. */
export class Contradiction extends Error {}

/** The definition that a row has. Throws Contradiction. */
export function definitionIn(name: string, line: string, autoDisk: string): Definition {
  const definition = definitionFrom(line, autoDisk);
  if (definition === undefined) {
    throw new Contradiction(`the definition of '${name}' and what there is`);
  }
  return definition;
}

let lastCounted: Definition | undefined;
let lastPositions = 0n;

/**
 * How many local positions a line may have, worked out for one definition after the other: the start asks it of
 * all, and most are never asked again, so none is to keep its series for it.
 */
export function positionsOf(definition: Definition): bigint {
  if (definition !== lastCounted) {
    lastCounted = definition;
    lastPositions = definition.localPositionsMax;
  }
  return lastPositions;
}

/** What a row keeps of a line: the last position below its reservation, and its counts. */
export type KeptRow = readonly [id: bigint, last: bigint, generated: bigint, wasted: bigint];

export function accountOf(row: KeptRow | undefined): Account | undefined {
  if (row === undefined) return undefined;
  const [, last, generated, wasted] = row;
  return { reserved: last + 1n, generated, wasted: wastedOf(last, generated, wasted) };
}

/** What rows.ts stores of 2^63 wasted numbers is one less; nothing else ends so. */
function wastedOf(last: bigint, generated: bigint, wasted: bigint): bigint {
  const isAll = last === NUMBER_MAX && generated === 0n && wasted === NUMBER_MAX;
  return isAll ? NUMBER_MAX + 1n : wasted;
}

/** What a row keeps of a run. */
export type RunColumns = readonly [
  period: bigint,
  start: bigint,
  knownFrom: bigint,
  reached: bigint,
];

export function runOf([period, start, knownFrom, reached]: RunColumns): Run {
  return {
    period: Number(period),
    start,
    knownFrom: Number(knownFrom),
    reached: Number(reached),
  };
}

/** Whether a line with this account can be in such a run. */
export function isRunSound(
  run: Run | undefined,
  { hasPeriods }: Definition,
  account: Account | undefined,
): boolean {
  const reserved = account?.reserved ?? 0n;
  if (run === undefined) return !hasPeriods || reserved === 0n;
  const { start, knownFrom, period, reached } = run;
  return hasPeriods && start <= reserved && knownFrom <= period && period <= reached;
}
