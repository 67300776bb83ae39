/**
 * What HSET says of a dispenser: the fields read and made a Definition, or a Refusal that names
 * what is wrong. Definitions never change; a redefinition makes a new one. Which fields a type has
 * is the type's matter.
 */

import { invalid, quoted, Refusal } from "../base/errors.ts";
import type { Allocation } from "./allocation.ts";
import {
  FORMATS_FROM_LEVEL,
  fieldsOfFormat,
  formatFieldNames,
  formatIn,
  otherCalendar,
} from "./format/fields.ts";
import type { Format } from "./format/format.ts";
import { FormattedSeries } from "./format/series.ts";
import { defaultStrategy, type StrategyName, strategyNames, strategyOf } from "./strategy.ts";
import { code } from "./types/code.ts";
import { fixedWidth, plain } from "./types/line.ts";
import { random } from "./types/random.ts";
import type { FieldSpec, NumberSeries, NumberSource, NumberType, Values } from "./types/type.ts";

/** The types of dispensers. A new one is its file and a line here. */
const types: readonly NumberType[] = [random, fixedWidth, plain, code];

/**
 * A million dispensers may have as many definitions, of which most are never asked for anything: what
 * follows from the fields is made when it is needed.
 */
export class Definition {
  readonly type: NumberType;
  /** The values of the type's fields, by name. */
  readonly values: Values;
  readonly strategy: StrategyName;
  /** The text around each number; undefined for none. */
  readonly format: Format | undefined;
  private madeSeries: NumberSeries | undefined;

  constructor(type: NumberType, values: Values, strategy: StrategyName, format?: Format) {
    this.type = type;
    this.values = values;
    this.strategy = strategy;
    this.format = format;
  }

  /** Its numbers, as GET writes them. */
  get series(): NumberSeries {
    this.madeSeries ??= this.makeSeries();
    return this.madeSeries;
  }

  /** The same for one use, after which nothing of it is kept. */
  makeSeries(): NumberSeries {
    const { numbers, format } = this;
    return format === undefined ? numbers : new FormattedSeries(numbers, format);
  }

  /** The numbers without a format, for one use. */
  get numbers(): NumberSeries {
    return this.type.series(this.values);
  }

  /** Whether its texts depend on the time. */
  get isDated(): boolean {
    return this.format?.isDated === true;
  }

  /** The level of the programs that know all of it, as NumberType.level. */
  get level(): number {
    return Math.max(this.type.level, this.format === undefined ? 1 : FORMATS_FROM_LEVEL);
  }

  /**
   * The type and its fields as one text (JSON: an object of texts), in which a definition is
   * stored. Two definitions with the same text have the same numbers.
   */
  get line(): string {
    return lineOf(this.type, this.values, this.format);
  }
}

function lineOf(type: NumberType, values: Values, format: Format | undefined): string {
  // As JSON.stringify() would write it, in a third of the time: a start asks for each of a million.
  let text = `{"type":"${type.code}"`;
  for (const { name } of type.fields) {
    const value = values[name]!;
    text += `,"${name}":${typeof value === "bigint" ? `"${value}"` : JSON.stringify(value)}`;
  }
  for (const [name, value] of fieldsOfFormat(format)) {
    text += `,"${name}":${JSON.stringify(value)}`;
  }
  return `${text}}`;
}

/** Fields as a client gave them: names in lower case, values as they came. */
export type Fields = ReadonlyMap<string, string>;

/** The word of HSET that is no field of a definition. */
const REUSE = "reuse";

/** The fields that every type has. */
const COMMON_FIELDS: readonly string[] = ["type", ...formatFieldNames, "auto_disk"];

/** All fields that some type has. */
const typeFields: readonly string[] = [...new Set(types.flatMap(namesOf))];

function namesOf({ fields }: NumberType): readonly string[] {
  return fields.map(({ name }) => name);
}

/** The fields of other types, by type: HSET refuses them. */
const otherFields = new Map(
  types.map((type) => [type, typeFields.filter((name) => !namesOf(type).includes(name))]),
);

const typesByName = new Map(
  types.flatMap((type) => [[String(type.code), type] as const, [type.word, type] as const]),
);

/** The type with this code, or this word in any case, if there is one. */
export function typeOf(name: string): NumberType | undefined {
  return typesByName.get(name.toLowerCase());
}

/**
 * How many numbers an allocation of a line still has at a local position, Infinity for a type
 * without positions. Exact up to 2^53 - 1, which more than that is taken for: no life of a server
 * hands out so many.
 */
export function numbersLeft(
  { type, series }: Definition,
  allocation: Allocation,
  position: bigint,
): number {
  if (!type.hasPositions) return Number.POSITIVE_INFINITY;
  const left = allocation.size(series.positions) - position;
  return left < Number.MAX_SAFE_INTEGER ? Math.max(0, Number(left)) : Number.MAX_SAFE_INTEGER;
}

/** Opens the numbers of a definition, as GET writes them, at a position of the line. */
export function openNumbers(
  { series }: Definition,
  position: bigint,
  wallMs?: number,
): NumberSource {
  return series.open(position, wallMs);
}

/** Whether two definitions say the same. */
export function isSame(left: Definition, right: Definition): boolean {
  return left.strategy === right.strategy && isSameLine(left, right);
}

/** Whether two definitions have the same numbers, whatever is kept of them. */
export function isSameLine(left: Definition, right: Definition): boolean {
  return left === right || left.line === right.line;
}

/**
 * Whether a line has numbers that another definition of it did not have: one of its fields grew.
 */
export function hasGrown(before: Definition, after: Definition): boolean {
  return after.type.fields.some(({ name }) => before.values[name] !== after.values[name]);
}

/** Whether two definitions write the same numbers in other ways. */
export function hasOtherFormat(before: Definition, after: Definition): boolean {
  return String(fieldsOfFormat(before.format)) !== String(fieldsOfFormat(after.format));
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

/**
 * The definition that HSET makes of these fields beside deleted lines of the name: where one of them
 * had the same fields, but for those that are drawn and were not given, it has its drawn ones too,
 * so that it can go on. Nobody could give them, because they are secret.
 */
export function defineBeside(fields: Fields, deleted: readonly Definition[]): Definition | Refusal {
  const isDrawn = ({ name, draw }: FieldSpec) => draw !== undefined && !fields.has(name);
  for (const before of deleted) {
    if (typeOf(fields.get("type") ?? "") !== before.type) continue;
    const drawn = before.type.fields.filter(isDrawn).map(({ name }) => name);
    if (drawn.length === 0) continue;
    const texts = drawn.map((name) => [name, String(before.values[name])] as const);
    const again = define(new Map([...fields, ...texts]));
    if (!(again instanceof Refusal) && isSameLine(again, before)) return again;
  }
  return define(fields);
}

/**
 * The secret field that would be drawn where HSET gives these fields; undefined if there is none.
 */
export function drawnField(fields: Fields): string | undefined {
  const type = typeOf(fields.get("type") ?? "");
  return type?.fields.find(({ name, draw }) => draw !== undefined && !fields.has(name))?.name;
}

/** A definition from all its fields, presets filled in. */
export function define(fields: Fields): Definition | Refusal {
  const type = typeIn(fields);
  if (type instanceof Refusal) return type;
  const values: Record<string, Values[string]> = {};
  for (const spec of type.fields) {
    const value = read(spec, fields, values);
    if (value instanceof Refusal) return value;
    values[spec.name] = value;
  }
  const strategy = strategyIn(fields, type);
  if (strategy instanceof Refusal) return strategy;
  const format = formatIn(fields, fields, () => type.series(values));
  return format instanceof Refusal ? format : intern(type, values, strategy, format);
}

/**
 * A definition with some fields given anew. Only `auto_disk` and `format` may differ, and what may
 * grow be larger; any other change of a value is refused, naming the field and the dispenser.
 * Whether another format may be, refuseFormat() says (deleted.ts).
 */
export function redefine(name: string, present: Definition, fields: Fields): Definition | Refusal {
  const cannotChange = (field: string) =>
    new Refusal(
      `ERR cannot change '${field}' of ${quoted(name)}: its numbers are in use. Define another name`,
    );
  const { type } = present;
  if ((typeOf(fields.get("type") ?? "") ?? type) !== type) return cannotChange("type");
  const merged = new Map([...fieldsOf(present), ...fields]);
  const known = typeIn(merged);
  if (known instanceof Refusal) return known;
  const values: Record<string, Values[string]> = {};
  let changed: string | undefined;
  for (const spec of type.fields) {
    const before = present.values[spec.name]!;
    const value = read(spec, merged, values);
    // A field before it may decide what is right for it.
    if (value instanceof Refusal) return changed === undefined ? value : cannotChange(changed);
    values[spec.name] = value;
    if (value !== before && !(spec.mayGrow && value > before)) changed ??= spec.name;
  }
  const strategy = strategyIn(merged, type);
  if (strategy instanceof Refusal) return strategy;
  if (changed !== undefined) return cannotChange(changed);
  const format = formatIn(merged, fields, () => type.series(values));
  if (format instanceof Refusal) return format;
  const moved = otherCalendar(present.format, format);
  if (moved !== undefined) return cannotChange(moved);
  const after = intern(type, values, strategy, format);
  // A position that there is must not lie behind the end.
  const endsEarlier =
    hasOtherFormat(present, after) && after.makeSeries().positions < present.makeSeries().positions;
  if (!endsEarlier) return after;
  return new Refusal(
    `ERR cannot change 'format' of ${quoted(name)}: the line would end earlier. Define another name`,
  );
}

/** The fields that define a dispenser, presets included, in the order of the documentation. */
export function fieldsOf(definition: Definition): Map<string, string> {
  const { type, values, strategy } = definition;
  const fields = new Map([["type", String(type.code)]]);
  for (const { name } of type.fields) fields.set(name, String(values[name]));
  for (const [name, value] of fieldsOfFormat(definition.format)) fields.set(name, value);
  return fields.set("auto_disk", strategy);
}

/** The same as they are shown to people: of a secret value only what tells it from others. */
export function shownFieldsOf(definition: Definition): Map<string, string> {
  const fields = fieldsOf(definition);
  for (const { name, shown } of definition.type.fields) {
    if (shown !== undefined) fields.set(name, shown(definition.values[name]!));
  }
  return fields;
}

/**
 * The number at a position as it may be told before it is taken, as GET would write it at a Unix
 * time; "0" for a type that is not to be foretold.
 */
export function foretold({ type, series }: Definition, position: bigint, wallMs?: number): string {
  return type.isOrdered ? series.numberAt(position, wallMs) : "0";
}

/**
 * Whether ADVANCE to this position ends a line for good because it goes on behind its last code: a
 * line in order never does so, as its numbers are known beforehand.
 */
export function isBehindLast({ type, series }: Definition, position: bigint): boolean {
  return !type.isOrdered && position === series.positions;
}

/** The definition that was stored as these texts; undefined where HSET could not have made it. */
export function definitionFrom(line: string, strategy: string): Definition | undefined {
  const key = line + strategy;
  const known = interned.get(key);
  if (known !== undefined) return known;
  const fields = fieldsIn(line);
  const definition = fields && define(fields.set("auto_disk", strategy));
  if (definition === undefined || definition instanceof Refusal) return undefined;
  // What is written otherwise than it would be is damaged.
  return interned.get(key) === definition ? definition : undefined;
}

function fieldsIn(line: string): Map<string, string> | undefined {
  try {
    const fields: unknown = JSON.parse(line);
    if (typeof fields !== "object" || fields === null) return undefined;
    const texts = new Map<string, string>();
    for (const [name, text] of Object.entries(fields)) {
      if (typeof text === "string") texts.set(name, text);
    }
    return texts;
  } catch {
    return undefined;
  }
}

/** The type that the fields name, where all of them are fields of it. */
function typeIn(fields: Fields): NumberType | Refusal {
  for (const name of fields.keys()) {
    if (!COMMON_FIELDS.includes(name) && !typeFields.includes(name)) {
      return new Refusal(`ERR unknown field ${quoted(name)}`);
    }
  }
  const code = fields.get("type");
  if (code === undefined) return new Refusal("ERR type field is required");
  const type = typeOf(code);
  if (type === undefined) {
    const allowed = types.map(({ code, word }) => `${code} (${word})`).join(", ");
    return invalid("type", code, `must be one of ${allowed}`);
  }
  const other = otherFields.get(type)!.find((name) => fields.has(name));
  if (other === undefined) return type;
  return new Refusal(`ERR '${other}' does not apply to type ${type.code}`);
}

function read(spec: FieldSpec, fields: Fields, before: Values): Values[string] | Refusal {
  const text = fields.get(spec.name) ?? spec.preset ?? spec.draw?.();
  if (text === undefined) return new Refusal(`ERR ${spec.name} field is required`);
  return spec.read(text, before);
}

function strategyIn(fields: Fields, { code, mayStartOver }: NumberType): StrategyName | Refusal {
  const given = fields.get("auto_disk");
  if (given === undefined) return defaultStrategy;
  const strategy = strategyOf(given);
  const allowed = strategyNames.filter((name) => mayStartOver || name !== "memory");
  if (strategy !== undefined && allowed.includes(strategy)) return strategy;
  const forType = mayStartOver ? "" : ` for type ${code}`;
  return invalid("auto_disk", given, `must be one of ${allowed.join(", ")}${forType}`);
}

/** So many different definitions are kept to be shared. */
const INTERNED_MAX = 1024;
const interned = new Map<string, Definition>();

/** One object for definitions that say the same, as those of a million dispensers mostly do. */
function intern(
  type: NumberType,
  values: Values,
  strategy: StrategyName,
  format: Format | undefined,
): Definition {
  const key = lineOf(type, values, format) + strategy;
  const known = interned.get(key);
  if (known !== undefined) return known;
  const definition = new Definition(type, values, strategy, format);
  if (interned.size >= INTERNED_MAX) interned.clear();
  interned.set(key, definition);
  return definition;
}
