/**
 * Events that clients can cause as often as they like, logged at most once a second for each
 * kind: the first at once, then how many there were. Of events that are about one thing each, such
 * as a line, a second has a line of the log for some tens of different things.
 */

import type { Log, LogFields, LogLevel } from "./log.ts";

/** The time in which further events of a kind are only counted; also how often to call flush(). */
export const SUMMARY_EVERY_MS = 1000;
/** Kinds are texts of the code, so there are few. Past this they are logged and begun anew. */
const KINDS_MAX = 100;

/**
 * How many different things of a second are named, whatever the events; those after them are only
 * counted.
 */
const SUBJECTS_MAX = 50;

/** A level and an event's text: what was logged of it, and what was not yet. */
interface Kind {
  readonly level: LogLevel;
  readonly event: string;
  loggedAtMs: number;
  /** The events since then, and the fields of the last. */
  times: number;
  fields: LogFields;
}

export class LogSummaries {
  private readonly log: Log;
  private readonly now: () => number;
  private readonly kinds = new Map<string, Kind>();
  /** The events with their subjects that were logged since `namedSinceMs`. */
  private readonly named = new Set<string>();
  private namedSinceMs = -Infinity;

  /** `now` is a clock that only goes forwards, in milliseconds. */
  constructor(log: Log, now: () => number) {
    this.log = log;
    this.now = now;
  }

  debug(event: string, fields: LogFields = {}): void {
    this.note("debug", event, fields);
  }

  info(event: string, fields: LogFields = {}): void {
    this.note("info", event, fields);
  }

  warning(event: string, fields: LogFields = {}): void {
    this.note("warning", event, fields);
  }

  error(event: string, fields: LogFields = {}): void {
    this.note("error", event, fields);
  }

  /** A warning about one thing, which is told even if another one was warned of just now. */
  warningOf(subject: string, event: string, fields: LogFields = {}): void {
    if (this.now() - this.namedSinceMs >= SUMMARY_EVERY_MS) {
      this.named.clear();
      this.namedSinceMs = this.now();
    }
    const key = `${event} ${subject}`;
    if (this.named.has(key) || this.named.size === SUBJECTS_MAX) {
      return this.note("warning", event, fields);
    }
    this.named.add(key);
    this.log.warning(event, fields);
  }

  /** Logs a line for each kind of which events were counted: the last one, and how many. */
  flush(): void {
    for (const kind of this.kinds.values()) {
      if (kind.times === 0) continue;
      this.log[kind.level](kind.event, { ...kind.fields, times: kind.times });
      kind.times = 0;
      kind.loggedAtMs = this.now();
    }
  }

  private note(level: LogLevel, event: string, fields: LogFields): void {
    const kind = this.kindOf(level, event);
    if (kind.times === 0 && this.now() - kind.loggedAtMs >= SUMMARY_EVERY_MS) {
      this.log[level](event, fields);
      kind.loggedAtMs = this.now();
    } else {
      kind.times++;
      kind.fields = fields;
    }
  }

  private kindOf(level: LogLevel, event: string): Kind {
    const key = `${level} ${event}`;
    const known = this.kinds.get(key);
    if (known !== undefined) return known;
    if (this.kinds.size === KINDS_MAX) {
      this.flush();
      this.kinds.clear();
    }
    const kind = { level, event, loggedAtMs: -Infinity, times: 0, fields: {} };
    this.kinds.set(key, kind);
    return kind;
  }
}
