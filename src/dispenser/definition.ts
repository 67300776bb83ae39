/**
 * What HSET says of a dispenser: the fields checked and made a Definition, or a Refusal that names
 * what is wrong. Definitions never change; a redefinition makes a new one.
 */

import { quoted, Refusal } from "../base/errors.ts";
import type { Allocation } from "./allocation.ts";
import { defaultStrategy, type StrategyName, strategyNames, strategyOf } from "./strategy.ts";
import { fixedWidth, NUMBER_MAX, plain } from "./types/line.ts";
import { random } from "./types/random.ts";
import type { NumberType, Shape, ShapeField } from "./types/type.ts";

/** The types of dispensers. A new one is its file and a line here. */
const types: readonly NumberType[] = [random, fixedWidth, plain];

export interface Definition extends Shape {
  readonly type: NumberType;
  readonly strategy: StrategyName;
}

/** Fields as a client gave them: names in lower case, values as they came. */
export type Fields = ReadonlyMap<string, string>;

const fieldNames = ["type", "length", "starting", "step", "auto_disk"];

/** The word of HSET that is no field of a definition. */
const REUSE = "reuse";

const LENGTH_MAX = 18n;
const STEP_DEFAULT = 1n;

const typesByName = new Map(
  types.flatMap((type) => [[String(type.code), type] as const, [type.word, type] as const]),
);

/** The type with this code, or this word in any case, if there is one. */
export function typeOf(name: string): NumberType | undefined {
  return typesByName.get(name.toLowerCase());
}

let lastCounted: Definition | undefined;
let lastCount = 0n;

/** How many numbers a definition's line has; worked out once for one definition after the other. */
export function positionsOf(definition: Definition): bigint {
  if (definition !== lastCounted) {
    lastCounted = definition;
    lastCount = definition.type.positions(definition);
  }
  return lastCount;
}

/**
 * How many numbers a share of a line still has at an own position, Infinity for a type without a
 * line. Exact up to 2^53 - 1, which more than that is taken for: no life of a server hands out so
 * many.
 */
export function numbersLeft(definition: Definition, intern: Allocation, position: bigint): number {
  if (!definition.type.isLine) return Number.POSITIVE_INFINITY;
  const left = intern.size(positionsOf(definition)) - position;
  return left < Number.MAX_SAFE_INTEGER ? Math.max(0, Number(left)) : Number.MAX_SAFE_INTEGER;
}

/** So many different definitions are kept to be shared. */
const SHARED_MAX = 1024;
const shared = new Map<string, Definition>();
let lastShared: Definition | undefined;

/** One object for definitions that say the same, as those of a million dispensers mostly do. */
export function share(definition: Definition): Definition {
  if (lastShared !== undefined && isSame(lastShared, definition)) return lastShared;
  const { type, length, starting, step, strategy } = definition;
  const key = [type.code, length, starting, step, strategy].join();
  const known = shared.get(key) ?? definition;
  if (shared.size >= SHARED_MAX) shared.clear();
  shared.set(key, known);
  lastShared = known;
  return known;
}

/** Whether two definitions say the same. */
export function isSame(left: Definition, right: Definition): boolean {
  return left.strategy === right.strategy && isSameLine(left, right);
}

/** Whether two definitions have the same numbers, whatever is kept of them. */
export function isSameLine(left: Definition, right: Definition): boolean {
  return (
    left.type === right.type &&
    left.length === right.length &&
    left.starting === right.starting &&
    left.step === right.step
  );
}

/** Whether HSET could have made this definition. */
export function isPossible({ type, length, starting, step }: Definition): boolean {
  const isLength = type.fields.includes("length")
    ? length >= 1 && length <= LENGTH_MAX
    : length === 0;
  if (!isLength) return false;
  if (!type.isLine) return starting === 0n && step === 0n;
  return starting >= 0n && starting <= type.largest(length) && step >= 1n && step <= NUMBER_MAX;
}

/** What a client says with HSET: the fields of a definition, and the word that is none. */
export interface Wanted {
  readonly fields: Fields;
  /** Whether numbers that may be in use may be handed out again. */
  readonly reuse: boolean;
}

/** Parts the word `reuse`, which is never kept, from the fields that HSET was given. */
export function withoutReuse(given: Fields): Wanted | Refusal {
  const word = given.get(REUSE);
  if (word === undefined) return { fields: given, reuse: false };
  const lower = word.toLowerCase();
  if (lower !== "yes" && lower !== "no") return invalid(REUSE, word, "must be yes or no");
  const fields = new Map(given);
  fields.delete(REUSE);
  return { fields, reuse: lower === "yes" };
}

/** A definition from all its fields, defaults filled in. */
export function define(fields: Fields): Definition | Refusal {
  for (const name of fields.keys()) {
    if (!fieldNames.includes(name)) return new Refusal(`ERR unknown field ${quoted(name)}`);
  }
  const code = fields.get("type");
  if (code === undefined) return new Refusal("ERR type field is required");
  const type = typeOf(code);
  if (type === undefined) {
    const allowed = types.map(({ code, word }) => `${code} (${word})`).join(", ");
    return invalid("type", code, `must be one of ${allowed}`);
  }
  for (const name of ["length", "starting", "step"] as const) {
    if (fields.has(name) && !type.fields.includes(name)) {
      return new Refusal(`ERR '${name}' does not apply to type ${type.code}`);
    }
  }
  const shape = shapeOf(type, fields);
  if (shape instanceof Refusal) return shape;
  const given = fields.get("auto_disk");
  const strategy = given === undefined ? defaultStrategy : strategyOf(given);
  if (strategy === undefined) {
    return invalid("auto_disk", given!, `must be one of ${strategyNames.join(", ")}`);
  }
  return share({ type, ...shape, strategy });
}

/**
 * A definition with some fields given anew. Only `auto_disk` may differ, and what may grow be larger; any
 * other change of a value is refused, naming the field and the dispenser.
 */
export function redefine(name: string, present: Definition, fields: Fields): Definition | Refusal {
  const cannotChange = (field: string) =>
    new Refusal(
      `ERR cannot change '${field}' of ${quoted(name)}: its numbers are in use. Define another name`,
    );
  const mayBecome = (field: ShapeField, value: bigint | number) =>
    value === present[field] || (present.type.growing.includes(field) && value > present[field]);

  const type = typeOf(fields.get("type") ?? "");
  if (type !== undefined && type !== present.type) return cannotChange("type");
  // The length first: it decides what is right for the other fields.
  const length = numberField(fields, "length", BigInt(present.length), 1n, LENGTH_MAX);
  const isOther = !(length instanceof Refusal) && !mayBecome("length", Number(length));
  if (isOther && present.type.fields.includes("length")) return cannotChange("length");
  const changed = define(new Map([...fieldsOf(present), ...fields]));
  if (changed instanceof Refusal) return changed;
  for (const field of changed.type.fields) {
    if (!mayBecome(field, changed[field])) return cannotChange(field);
  }
  return changed;
}

/** The fields that define a dispenser, defaults included, in the order of the documentation. */
export function fieldsOf(definition: Definition): Map<string, string> {
  const fields = new Map([["type", String(definition.type.code)]]);
  for (const name of definition.type.fields) fields.set(name, String(definition[name]));
  return fields.set("auto_disk", definition.strategy);
}

function shapeOf(type: NumberType, fields: Fields): Shape | Refusal {
  let length = 0n;
  if (type.fields.includes("length")) {
    if (!fields.has("length")) return new Refusal("ERR length field is required");
    const given = numberField(fields, "length", 0n, 1n, LENGTH_MAX);
    if (given instanceof Refusal) return given;
    length = given;
  }
  const starting = numberField(fields, "starting", 0n, 0n, type.largest(Number(length)));
  if (starting instanceof Refusal) return starting;
  const step = numberField(fields, "step", type.isLine ? STEP_DEFAULT : 0n, 1n, NUMBER_MAX);
  if (step instanceof Refusal) return step;
  return { length: Number(length), starting, step };
}

function numberField(
  fields: Fields,
  name: ShapeField,
  unset: bigint,
  smallest: bigint,
  largest: bigint,
): bigint | Refusal {
  const text = fields.get(name);
  if (text === undefined) return unset;
  const value = parseNumber(text);
  if (value === undefined || value < smallest || value > largest) {
    return invalid(name, text, `must be a whole number from ${smallest} to ${largest}`);
  }
  return value;
}

/** A number of plain decimal digits, 0 to 2^63 - 1; undefined for anything else. */
export function parseNumber(text: string): bigint | undefined {
  if (!/^[0-9]+$/.test(text)) return undefined;
  const significant = text.replace(/^0+(?=.)/, "");
  if (significant.length > NUMBER_MAX.toString().length) return undefined;
  const value = BigInt(significant);
  return value <= NUMBER_MAX ? value : undefined;
}

function invalid(field: string, value: string, allowed: string): Refusal {
  return new Refusal(`ERR invalid ${field} ${quoted(value)}: ${allowed}`);
}
