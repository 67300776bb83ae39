/**
 * What HSET says of a dispenser: the fields read and made a Definition, or a Refusal that names
 * what is wrong. Which fields a type has is the type's matter.
 */

import { invalid, quoted, Refusal } from "../base/errors.ts";
import {
  type Definition,
  fieldsOf,
  hasOtherFormat,
  intern,
  internedAs,
  isSameLine,
} from "./definition.ts";
import { formatFieldNames, formatIn, hasOtherPeriod, otherCalendar } from "./format/fields.ts";
import { defaultStrategy, type StrategyName, strategyNames, strategyOf } from "./strategy.ts";
import { code } from "./types/code.ts";
import { fixedWidth, plain } from "./types/line.ts";
import { random } from "./types/random.ts";
import type { FieldSpec, NumberType, Values } from "./types/type.ts";

/** The types of dispensers. A new one is its file and a line here. */
const types: readonly NumberType[] = [random, fixedWidth, plain, code];

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
  const format = formatIn(fields, fields, type, () => type.series(values));
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
  if (hasOtherPeriod(present.format, fields)) return cannotChange("period");
  const format = formatIn(merged, fields, type, () => type.series(values));
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

/** The definition that was stored as these texts; undefined where HSET could not have made it. */
export function definitionFrom(line: string, strategy: string): Definition | undefined {
  const known = internedAs(line, strategy);
  if (known !== undefined) return known;
  const fields = fieldsIn(line);
  const definition = fields && define(fields.set("auto_disk", strategy));
  if (definition === undefined || definition instanceof Refusal) return undefined;
  // What is written otherwise than it would be is damaged.
  return internedAs(line, strategy) === definition ? definition : undefined;
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
