/** Deleted lines, which the row of their name keeps, because their numbers are in use. */

import { largest } from "../../base/bigint.ts";
import { Refusal } from "../../base/errors.ts";
import { type Definition, fieldsOf, isSameLine } from "../../dispenser/definition.ts";
import { covering, type UsedLine } from "../../dispenser/deleted.ts";
import { define } from "../../dispenser/fields.ts";
import {
  type DeletedLineRecord,
  type LineRecord,
  type NameRecord,
  NEW_LINE,
} from "../stores/records.ts";
import { countersIn, furthest, leasedOf } from "./counters.ts";

/**
 * Takes the place of a node in the key of a usage row: the usage of the line before it was deleted.
 */
export const BEFORE = "before";

/** A name has at most so many: then one line that covers all their numbers takes their place. */
const PER_NAME_MAX = 100;

/** A deleted line, with its record. */
export interface DeletedLine extends UsedLine {
  readonly line: number;
  readonly record: DeletedLineRecord;
}

export function usedLines(records: readonly DeletedLineRecord[] = []): DeletedLine[] {
  return records.map((record) => {
    const definition = definitionIn(record.fields);
    const usedBelow = leasedOf({ ...NEW_LINE, ...record }, definition);
    return { line: record.line, record, definition, usedBelow, position: record.next };
  });
}

/**
 * The deleted lines of a name once its line, leased so far, is deleted too. A line in memory is not
 * kept.
 */
export function withDeleted(
  { line, fields, before = [] }: NameRecord,
  leased: LineRecord,
): readonly DeletedLineRecord[] {
  const definition = definitionIn(fields);
  if (
    !definition.type.hasPositions ||
    definition.strategy === "memory" ||
    leasedOf(leased, definition) === 0n
  ) {
    return before;
  }
  // A store that went back in time may know the same line twice: the further of the two counts.
  const same = usedLines(before).filter((each) => isSameLine(each.definition, definition));
  const counters = definition.hasPeriods ? countersIn(leased) : {};
  let deleted: DeletedLineRecord = { line, fields, next: leased.next, ...counters };
  for (const { record } of same) {
    const next = largest(deleted.next, record.next);
    const further = definition.hasPeriods ? furthest(deleted, record) : {};
    deleted = { line, fields, next, ...further };
  }
  const others = before.filter((record) => same.every((each) => each.record !== record));
  const all = [...others, deleted];
  if (all.length <= PER_NAME_MAX) return all;
  const covered = covering(usedLines(all));
  if ("record" in covered) return [{ ...covered.record, line }];
  return [{ line, fields: fieldsIn(covered.definition), next: covered.position }];
}

export function fieldsIn(definition: Definition): Record<string, string> {
  return Object.fromEntries(fieldsOf(definition));
}

/** The definition in a row. */
export function definitionIn(fields: NameRecord["fields"]): Definition {
  const definition = define(new Map(Object.entries(fields)));
  if (definition instanceof Refusal)
    throw new Error(`the store has a line that cannot be: ${definition.message}`);
  return definition;
}
