/** CONFIG: settings by their names in Redis; those that Redis does not have, by their path. */

import { addressText } from "../../config/address.ts";
import { type Config, type Setting, settings } from "../../config/settings.ts";
import { toBytes } from "../../dispenser/name.ts";
import { Pattern } from "../../resp/glob.ts";
import { type Call, type ServerForCommands, upToNul } from "./command.ts";
import { container } from "./subcommands.ts";

type Key = keyof typeof settings;

/** The name of a setting in CONFIG. */
const nameOf = ({ redisName, path }: Setting<unknown>) => redisName ?? path;

const byName = new Map<string, readonly [Key, Setting<unknown>]>(
  (Object.keys(settings) as Key[]).flatMap((key) => {
    const setting: Setting<unknown> = settings[key];
    const entry = [key, setting] as const;
    return [
      [nameOf(setting), entry],
      [setting.path, entry],
    ];
  }),
);

/** Settings of Redis that clients and tools ask for, with their constant values. */
const fixed = { save: "", appendonly: "no", databases: "1" };

/** The settings in effect, without secrets, by name. */
function shownSettings(server: ServerForCommands): Map<string, string> {
  const shown = new Map(Object.entries(fixed));
  shown.set("port", String(server.port));
  for (const [key, setting] of byName.values()) {
    if (setting.isSecret) continue;
    const value = key === "clientsMax" ? server.clientsMax : server.config[key];
    shown.set(nameOf(setting), toBytes(textOf(key, value)));
  }
  return shown;
}

function textOf(key: Key, value: Config[Key]): string {
  if (key === "unixSocketMode") return `0${Number(value).toString(8)}`;
  if (typeof value === "boolean") return value ? "yes" : "no";
  return Array.isArray(value) ? value.map(addressText).join(" ") : String(value);
}

/** CONFIG GET: a name that is no pattern comes back spelled as it was asked for. */
function get({ server, session, replies, args }: Call): void {
  const job = function* () {
    const shown = shownSettings(server);
    const found = new Map<string, string>();
    for (const arg of args) {
      yield undefined;
      const lower = arg.toLowerCase();
      const isPattern = /[*?[]/.test(arg);
      if (isPattern) {
        const pattern = new Pattern(lower);
        for (const [name, text] of shown) if (pattern.matches(name)) found.set(name, text);
        continue;
      }
      const [, setting] = byName.get(lower) ?? [];
      const text = shown.get(setting === undefined ? lower : nameOf(setting));
      if (text !== undefined) found.set(arg, text);
    }
    replies.map(found.size);
    for (const [name, text] of found) {
      replies.bulk(name);
      replies.bulk(text);
      yield undefined;
    }
  };
  session.runJob(job());
}

/** CONFIG SET: sets all of the given settings, or none. */
function set({ server, session, replies, args }: Call): void {
  if (args.length % 2 !== 0) return replies.error("ERR syntax error");
  const changes: Record<string, unknown> = {};
  for (let at = 0; at < args.length; at += 2) {
    const [given, text] = [args[at]!, args[at + 1]!];
    const lower = given.toLowerCase();
    const found = byName.get(lower);
    if (found === undefined && !Object.hasOwn(fixed, lower) && lower !== "port") {
      return replies.error(
        `ERR Unknown option or number of arguments for CONFIG SET - '${upToNul(given)}'`,
      );
    }
    const refuse = (reason: string) =>
      replies.error(`ERR CONFIG SET failed (possibly related to argument '${given}') - ${reason}`);
    const [key, setting] = found ?? [];
    if (!setting?.isLive || key === undefined) return refuse("can't set immutable config");
    if (Object.hasOwn(changes, key)) return refuse("duplicate parameter");
    const parsed = setting.parse(text);
    if (parsed === undefined) return refuse(`it must be ${setting.allowed}`);
    changes[key] = parsed.value;
  }
  const before = server.config;
  const refusal = server.configure(changes as Partial<Config>);
  if (refusal !== undefined) return replies.error(`ERR CONFIG SET failed - ${refusal}`);
  for (const key of Object.keys(changes) as Key[]) {
    const [from, to] = [textOf(key, before[key]), textOf(key, server.config[key])];
    server.audit.note(session, "setting changed", { setting: settings[key].path, from, to });
  }
  replies.simple("OK");
}

const flags = ["admin", "loading", "stale", "noscript"] as const;

export const configCommand = container(
  {
    name: "config",
    flags,
    group: "server",
    summary: "Shows settings, and changes those that may be while the server runs",
  },
  {
    get: {
      arity: -3,
      right: "inspect",
      summary: "Shows the settings whose names match a pattern",
      run: get,
    },
    set: {
      arity: -4,
      right: "admin",
      summary: "Changes settings until the server stops",
      run: set,
    },
    resetstat: {
      arity: 2,
      right: "admin",
      summary: "Sets what INFO stats counts back to 0",
      run: ({ server, session, replies }) => {
        server.resetCounters();
        server.audit.note(session, "counters reset", {});
        replies.simple("OK");
      },
    },
  },
);
