/**
 * Reads dispensers.json, the data file of the Go implementation of this idea. It has had two forms.
 * In the first, types are the same as here. In the second, type 2 has a mode, and types 3, 4 and 5
 * are letters, Snowflake ids and UUIDs, which are not lines.
 */

import { CannotStart, reasonOf } from "../base/errors.ts";
import type { Fields } from "../dispenser/fields.ts";
import { NUMBER_MAX, parseNumber } from "../dispenser/types/whole-number.ts";
import { readRegular } from "../platform/files.ts";
import type { Foreign, LeftOut } from "./import-report.ts";

/** A dispenser in the file, with its fields as a definition has them here. */
export interface Entry {
  readonly name: string;
  readonly fields: Fields;
  /** The number that it would have handed out next; undefined for a random dispenser. */
  readonly next: bigint | undefined;
}

export interface DispensersFile {
  readonly entries: readonly Entry[];
  /** Dispensers that cannot be read. */
  readonly leftOut: readonly LeftOut[];
  /** Dispensers whose type does not exist here, or is not safe to go on with. */
  readonly foreign: readonly Foreign[];
}

type Config = Readonly<Record<string, unknown>>;

/** Fields that only the second form has. */
const SECOND_FORM = ["incr_mode", "charset", "uuid_format", "machine_id", "datacenter_id"];
/** Fields that a definition also has here. */
const SHARED = ["type", "length", "starting", "step", "auto_disk"];

/** Keeps a number as its text, so that it loses no digits. */
const exactly = (_: string, value: unknown, { source }: { source?: string } = {}): unknown =>
  typeof value === "number" ? source : value;

/** Reads the file. Throws CannotStart if it is not a dispensers.json. */
export function readDispensers(file: string): DispensersFile {
  let data: Record<string, { config?: Config; current?: unknown } | null>;
  try {
    data = JSON.parse(
      readRegular(file).toString(),
      exactly as (key: string, value: unknown) => unknown,
    );
  } catch (error) {
    throw new CannotStart(`cannot read ${file}: ${reasonOf(error)}`);
  }
  if (typeof data !== "object" || data === null || Array.isArray(data)) {
    throw new CannotStart(`${file} is no dispensers.json: it has to be an object of dispensers`);
  }
  const leftOut: LeftOut[] = [];
  const all = Object.entries(data).flatMap(([name, entry]) => {
    const { config, current } = entry ?? {};
    const next = readCurrent(String(current), config?.step);
    if (typeof config === "object" && config !== null && next !== undefined) {
      return [{ name, config, next }];
    }
    leftOut.push({ name: Buffer.from(name), reason: "it has no config, or no current number" });
    return [];
  });
  const isSecond = all.some(({ config }) => isSecondForm(config));
  const entries: Entry[] = [];
  const foreign: Foreign[] = [];
  for (const { name, config, next } of all) {
    const type = isSecond ? typeOfSecondForm(config) : String(config.type);
    if (type === undefined) foreign.push({ name, reason: whyForeign(config) });
    else
      entries.push({ name, fields: fieldsOf(config, type), next: type === "1" ? undefined : next });
  }
  return { entries, leftOut, foreign };
}

/**
 * The next number; undefined if the text is not one. The Go implementation counts in 64 bits: a
 * step past 2^63 - 1 wraps to the lowest numbers, and the line is then at its end.
 */
function readCurrent(text: string, step: unknown): bigint | undefined {
  const isWhole = /^-[1-9][0-9]{0,18}$/.test(text);
  const least = parseNumber(String(step)) ?? 1n;
  if (isWhole && BigInt(text) < least - (NUMBER_MAX + 1n)) return NUMBER_MAX + 1n;
  return parseNumber(text);
}

function isSecondForm(config: Config): boolean {
  return SECOND_FORM.some((field) => field in config) || ["4", "5"].includes(String(config.type));
}

/** The type that a dispenser of the second form has here; undefined for none. */
function typeOfSecondForm({ type, incr_mode: mode, length = "0" }: Config): string | undefined {
  if (String(type) === "1") return "1";
  if (String(type) !== "2") return undefined;
  const isFixed = mode === undefined || mode === "" ? length !== "0" : mode === "fixed";
  return isFixed ? "2" : "3";
}

/**
 * Random letters of the second form would be codes here. But the file keeps none of those that were
 * handed out, nor whether any was, so codes of the same length could repeat them.
 */
function whyForeign({ type, length = "0" }: Config): string {
  if (String(type) !== "3") return "its type is none of this server's";
  return (
    "random letters, of which the file does not tell which were handed out: codes as long could repeat them; define " +
    `type code with another length than ${length}`
  );
}

function fieldsOf(config: Config, type: string): Fields {
  const fields = new Map<string, string>();
  for (const [field, value] of Object.entries(config)) {
    // A field that was not given is 0 or empty in the file.
    if (SHARED.includes(field) && String(value) !== "0" && value !== "")
      fields.set(field, String(value));
  }
  fields.set("type", type);
  // The file also has these fields for types that do not use them.
  const meaningless = { "1": ["starting", "step"], "3": ["length"] }[type] ?? [];
  for (const field of meaningless) fields.delete(field);
  return fields;
}
