/**
 * The log: one line for each event, as text or JSON; never one for each request. Texts from clients
 * are escaped, so that no client can forge a line.
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

/** Logs the events at `level` and above; `write` gets each line without a line break. */
export function createLog(
  level: LogLevel,
  format: LogFormat,
  write: (line: string) => void,
  now: () => Date,
): Log {
  const least = logLevels.indexOf(level);
  const line = format === "json" ? jsonLine : textLine;
  const at =
    (eventLevel: LogLevel) =>
    (event: string, fields: LogFields = {}) => {
      if (logLevels.indexOf(eventLevel) >= least) {
        write(line(now().toISOString(), eventLevel, event, fields));
      }
    };
  return { debug: at("debug"), info: at("info"), warning: at("warning"), error: at("error") };
}

function textLine(time: string, level: LogLevel, event: string, fields: LogFields): string {
  const shown = Object.entries(fields).map(([name, value]) => {
    const text = String(value);
    return `${name}=${/^[^\s"=\p{C}]+$/u.test(text) ? text : JSON.stringify(text)}`;
  });
  return [time, level, event, ...shown].join(" ");
}

function jsonLine(time: string, level: LogLevel, event: string, fields: LogFields): string {
  const plain = Object.entries(fields).map(([name, value]) => [
    name,
    typeof value === "bigint" ? String(value) : value,
  ]);
  return JSON.stringify({ time, level, event, ...Object.fromEntries(plain) });
}
