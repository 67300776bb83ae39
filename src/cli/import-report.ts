/** What `import` did, as text and as JSON. */

import { visible } from "../base/log.ts";
import { type Definition, foretold } from "../dispenser/definition.ts";
import { toText } from "../dispenser/name.ts";
import { NO_PERIOD, type When } from "../dispenser/types/type.ts";

/** How many lines and keys the text names at most; JSON has all. */
const SHOWN_MAX = 100;
/** How many keys an error names at most. */
const NAMED_MAX = 20;
const SAVES_LATE =
  "that implementation saves every 5 seconds, and not when it stops: where a line handed out more than the margin " +
  "since, ADVANCE it past the highest number used";

/** A line as it is imported. */
export interface Planned {
  /** As a byte string. */
  readonly name: string;
  readonly definition: Definition;
  readonly position: bigint;
}

/** A dispenser of a file that is none here, which keeps no other from being imported. */
export interface Foreign {
  readonly name: string;
  readonly reason: string;
}

/** A key of a Redis, or a dispenser of a file, that is not imported. */
export interface LeftOut {
  /** The bytes of its name. */
  readonly name: Buffer;
  readonly reason: string;
}

export interface Report {
  readonly margin: bigint;
  readonly planned: readonly Planned[];
  readonly leftOut: readonly LeftOut[];
  readonly foreign: readonly Foreign[];
  readonly isFile: boolean;
}

/** Lines that say what was done. */
export function reportText({ margin, planned, leftOut, foreign, isFile }: Report): string {
  return [
    `imported ${planned.length} dispensers, each line moved ahead by ${margin} numbers`,
    ...upTo(SHOWN_MAX, planned, (line) => rowOf(line, isFile)),
    ...foreign.map(({ name, reason }) => `  ${name}: left out, ${reason}`),
    ...(leftOut.length > 0 ? [`left out ${leftOut.length}:`] : []),
    ...upTo(SHOWN_MAX, leftOut, ({ name, reason }) => `  ${shownName(name)}: ${reason}`),
    ...(isFile ? [SAVES_LATE] : []),
  ].join("\n");
}

/** The same for programs, with every line and key. */
export function reportJson({ margin, planned, leftOut, foreign }: Report): string {
  return JSON.stringify({
    margin: String(margin),
    imported: planned.map(({ name, definition, position }) => ({
      name: toText(name),
      type: definition.type.code,
      auto_disk: definition.strategy,
      ...(definition.type.hasPositions && { next: nextOf(definition, position) ?? null }),
    })),
    left_out: [
      ...foreign,
      ...leftOut.map(({ name, reason }) => ({ name: shownName(name), reason })),
    ],
  });
}

/** Why nothing was imported, with the first of these keys. */
export function refusalText(leftOut: readonly LeftOut[], all: number): string {
  const reasons = leftOut
    .slice(0, NAMED_MAX)
    .map(({ name, reason }) => `'${shownName(name)}': ${reason}`);
  const more = leftOut.length > NAMED_MAX ? `; and ${leftOut.length - NAMED_MAX} more` : "";
  return (
    `nothing was imported, because ${leftOut.length} of ${all} cannot be (-skip imports the others): ` +
    `${reasons.join("; ")}${more}`
  );
}

/** A name with all that is no visible text escaped: bytes as \xff, characters as \u202e, \ as \\. */
function shownName(name: Buffer): string {
  const text = name.toString();
  if (Buffer.from(text).equals(name)) return visible(text.replaceAll("\\", "\\\\"));
  const hex = (byte: string) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`;
  const bytes = name.toString("latin1").replaceAll("\\", "\\\\");
  return bytes.replace(/[^\x20-\x7e]/g, hex);
}

function rowOf({ name, definition, position }: Planned, isFile: boolean): string {
  const next = nextOf(definition, position);
  const at = definition.type.hasPositions ? `, ${next ? `next ${next}` : "at its end"}` : "";
  const isVague = at !== "" && definition.strategy === "memory" && isFile;
  const doubt = isVague ? " (the file never knows where such a line stands: it may repeat)" : "";
  return `  ${visible(toText(name))}: type ${definition.type.code}, ${definition.strategy}${at}${doubt}`;
}

/** As numbers would be shown that are taken now. */
function whenNow({ format }: Definition): When {
  const wallMs = Date.now();
  return { wallMs, period: format?.periods?.at(wallMs) ?? NO_PERIOD };
}

/** The next number of a line; undefined at its end. */
function nextOf(definition: Definition, position: bigint): string | undefined {
  return position < definition.series.positions
    ? foretold(definition, position, whenNow(definition))
    : undefined;
}

function upTo<T>(count: number, all: readonly T[], rowOf: (each: T) => string): string[] {
  const rest = all.length > count ? [`  and ${all.length - count} more`] : [];
  return [...all.slice(0, count).map(rowOf), ...rest];
}
