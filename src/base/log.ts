/**
 * The log: one line for each event, as text or JSON; never one for each request. What clients sent
 * is cut and escaped, so that no client can forge a line, fill the log with one, or change how a
 * terminal shows it.
 */

export const logLevels = ["debug", "info", "warning", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

export const logFormats = ["text", "json"] as const;
export type LogFormat = (typeof logFormats)[number];

export type LogFields = Record<string, string | number | bigint | boolean>;

export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warning(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

/** The most bytes of a line, so that a pipe takes it and its line break as one piece (4096). */
export const LINE_BYTES_MAX = 4000;
/** The most bytes of a field's text, before it is escaped: a client may have sent it. */
const FIELD_BYTES_MAX = 255;
/** The same for events and for the fields below. */
const OWN_BYTES_MAX = 3000;
/** Figures of more bits are shown as texts, which are cut. */
const FIGURE_BITS_MAX = 128;
/** The fields whose texts come from the server or its operator: reasons, stacks, paths, lists. */
const ownFields = new Set([
  "address",
  "data",
  "error",
  "nodes",
  "path",
  "reason",
  "store",
  "warning",
]);

/** Logs the events at `level()` and above; `write` gets each line without a line break. */
export function createLog(
  level: () => LogLevel,
  format: LogFormat,
  write: (line: string) => void,
  now: () => Date,
): Log {
  const at =
    (eventLevel: LogLevel) =>
    (event: string, fields: LogFields = {}) => {
      if (logLevels.indexOf(eventLevel) >= logLevels.indexOf(level())) {
        write(logLine(format, now(), eventLevel, event, fields));
      }
    };
  return { debug: at("debug"), info: at("info"), warning: at("warning"), error: at("error") };
}

/** The line of an event, without a line break; of LINE_BYTES_MAX at most. */
export function logLine(
  format: LogFormat,
  at: Date,
  level: LogLevel,
  event: string,
  fields: LogFields,
): string {
  const render = format === "json" ? jsonLine : textLine;
  const head = [at.toISOString(), level] as const;
  for (let ownMax = OWN_BYTES_MAX; ; ownMax = Math.floor(ownMax / 2)) {
    const line = visible(render(...head, cut(event, ownMax), cutFields(fields, ownMax)));
    // What is escaped takes up to six times the bytes. At 0 only what the code names is left.
    if (Buffer.byteLength(line) <= LINE_BYTES_MAX || ownMax === 0) return line;
  }
}

function textLine(time: string, level: LogLevel, event: string, fields: LogFields): string {
  const shown = Object.entries(fields).map(([name, value]) => {
    const text = String(value);
    return `${name}=${/^[^\s"=\p{C}]+$/u.test(text) ? text : JSON.stringify(text)}`;
  });
  return [time, level, event, ...shown].join(" ");
}

function jsonLine(time: string, level: LogLevel, event: string, fields: LogFields): string {
  // JSON.stringify() takes no BigInt, and a figure is a number also where it is large.
  const members = Object.entries({ time, level, event, ...fields }).map(
    ([name, value]) =>
      `${JSON.stringify(name)}:${typeof value === "bigint" ? value : JSON.stringify(value)}`,
  );
  return `{${members.join(",")}}`;
}

function cutFields(fields: LogFields, ownMax: number): LogFields {
  const cutField = ([name, value]: [string, LogFields[string]]) => {
    if (typeof value !== "string" && typeof value !== "bigint") return [name, value];
    if (typeof value === "bigint" && value === BigInt.asIntN(FIGURE_BITS_MAX, value))
      return [name, value];
    const bytesMax = ownFields.has(name) ? ownMax : Math.min(ownMax, FIELD_BYTES_MAX);
    return [name, cut(String(value), bytesMax)];
  };
  return Object.fromEntries(Object.entries(fields).map(cutField));
}

const encoder = new TextEncoder();
const room = new Uint8Array(OWN_BYTES_MAX);

/** The text, or its first characters in so many bytes and a mark that says it was longer. */
function cut(text: string, bytesMax: number): string {
  const bytes = Buffer.byteLength(text);
  if (bytes <= bytesMax) return text;
  const { read } = encoder.encodeInto(text, room.subarray(0, bytesMax));
  return `${text.slice(0, read)}... (cut from ${bytes} bytes)`;
}

/**
 * Escapes what a terminal or a reader of lines does not show as a character: control characters,
 * formats, such as overrides of the direction, halves of characters, separators of lines. In JSON
 * they stand in strings alone, where the escape means the same.
 */
export function visible(line: string): string {
  if (/^[ -~]*$/.test(line)) return line;
  return line.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) =>
    [...Array(character.length).keys()]
      .map((index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`)
      .join(""),
  );
}
