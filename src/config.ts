/**
 * Settings: defaults < YAML file < environment < flags, made one frozen Config. The table below
 * is all there is: a setting's place in the file, its variable, its flag, its rule and default.
 */

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { readConfigFile, UsageError } from "./config-file.ts";
import { type LogFormat, type LogLevel, logFormats, logLevels } from "./log.ts";

export interface Address {
  /** Undefined: all interfaces. */
  readonly host: string | undefined;
  /** 0: one that is free. */
  readonly port: number;
}

export interface Config {
  readonly addr: Address;
  readonly protectedMode: boolean;
  readonly dataDir: string;
  readonly create: boolean;
  readonly autoSave: boolean;
  readonly allowNetworkFileSystem: boolean;
  readonly clientsMax: number;
  readonly requestBytesMax: number;
  readonly requestArgumentsMax: number;
  readonly replyBytesMax: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
}

interface Setting<T> {
  /** Where it stands in the file. */
  readonly path: string;
  /** NUMBER_DISPENSER_ and this is its environment variable. */
  readonly variable: string;
  /** Another name of the variable, that of its place in the file. */
  readonly alias?: string;
  readonly flag?: string;
  /** The default, written as a user would. */
  readonly unset: string;
  readonly help: string;
  /** The value of a text, or undefined; `allowed` then completes "must be ...". */
  readonly parse: (text: string) => T | undefined;
  readonly allowed: string;
}

export const VARIABLE_PREFIX = "NUMBER_DISPENSER_";
export const DEFAULT_FILE = "config/config.yaml";

const truth = {
  parse: (text: string) => (text === "true" ? true : text === "false" ? false : undefined),
  allowed: "true or false",
};

function whole(smallest: number, largest: number) {
  return {
    parse: (text: string) => {
      const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN;
      return value >= smallest && value <= largest ? value : undefined;
    },
    allowed: `a whole number from ${smallest} to ${largest}`,
  };
}

function oneOf<T extends string>(values: readonly T[]) {
  return {
    parse: (text: string) => values.find((value) => value === text),
    allowed: `one of ${values.join(", ")}`,
  };
}

export const settings: { readonly [Key in keyof Config]: Setting<Config[Key]> } = {
  addr: {
    path: "server.addr",
    variable: "ADDR",
    flag: "addr",
    unset: ":6380",
    help: "address to listen on: host:port, [ipv6]:port, or :port for all interfaces",
    parse: parseAddress,
    allowed: "host:port, [ipv6]:port or :port, with a port from 0 to 65535",
  },
  protectedMode: {
    path: "server.protected_mode",
    variable: "PROTECTED_MODE",
    unset: "true",
    help: "refuse clients that are not on the loopback interface",
    ...truth,
  },
  dataDir: {
    path: "storage.data_dir",
    variable: "DATA",
    alias: "DATA_DIR",
    flag: "data",
    unset: "./data",
    help: "folder of the database",
    parse: (text) => (text === "" || text.includes("\0") ? undefined : resolve(text)),
    allowed: "the path of a folder",
  },
  create: {
    path: "storage.create",
    variable: "CREATE",
    unset: "true",
    help: "start afresh in a folder without a database; false refuses it",
    ...truth,
  },
  autoSave: {
    path: "storage.auto_save",
    variable: "AUTO_SAVE",
    unset: "true",
    help: "save the counts that INFO shows in the background",
    ...truth,
  },
  allowNetworkFileSystem: {
    path: "storage.allow_network_fs",
    variable: "ALLOW_NETWORK_FS",
    unset: "false",
    help: "allow a data folder on NFS, SMB and the like, where numbers may repeat",
    ...truth,
  },
  clientsMax: {
    path: "limits.clients",
    variable: "CLIENTS",
    unset: "10000",
    help: "connections at a time",
    ...whole(1, 1_000_000),
  },
  requestBytesMax: {
    path: "limits.request_bytes",
    variable: "REQUEST_BYTES",
    unset: "1048576",
    help: "bytes of one request",
    ...whole(1024, 512 * 1024 * 1024),
  },
  requestArgumentsMax: {
    path: "limits.request_arguments",
    variable: "REQUEST_ARGUMENTS",
    unset: "1048576",
    help: "arguments of one request",
    ...whole(16, 1024 * 1024 * 1024),
  },
  replyBytesMax: {
    path: "limits.reply_bytes",
    variable: "REPLY_BYTES",
    unset: "1048576",
    help: "unsent bytes of replies at which a client is not read from until it has read them",
    ...whole(1024, 1024 * 1024 * 1024),
  },
  logLevel: {
    path: "log.level",
    variable: "LOG_LEVEL",
    unset: "info",
    help: `least important events to log: ${logLevels.join(", ")}`,
    ...oneOf(logLevels),
  },
  logFormat: {
    path: "log.format",
    variable: "LOG_FORMAT",
    unset: "text",
    help: `how to log: ${logFormats.join(", ")}`,
    ...oneOf(logFormats),
  },
};

export const keys = Object.keys(settings) as (keyof Config)[];

/** Puts the settings together. Throws UsageError or CannotStart. */
export function loadConfig(
  flags: ReadonlyMap<string, string>,
  environment: Readonly<Record<string, string | undefined>>,
): Config {
  const named = flags.get("config") ?? environment[`${VARIABLE_PREFIX}CONFIG`];
  const file = named ?? (existsSync(DEFAULT_FILE) ? DEFAULT_FILE : undefined);
  const config: Partial<Record<keyof Config, unknown>> = {};
  for (const key of keys) config[key] = settings[key].parse(settings[key].unset);
  const paths = keys.map((key) => settings[key].path);
  for (const { path, text, where } of file === undefined ? [] : readConfigFile(file, paths)) {
    const key = keys.find((candidate) => settings[candidate].path === path)!;
    config[key] = parse(key, text, `${where}: ${path}`);
  }
  for (const key of keys) {
    for (const name of variablesOf(key)) {
      const text = environment[name];
      if (text !== undefined) config[key] = parse(key, text, name);
    }
  }
  for (const key of keys) {
    const { flag } = settings[key];
    const text = flag === undefined ? undefined : flags.get(flag);
    if (text !== undefined) config[key] = parse(key, text, `-${flag}`);
  }
  return Object.freeze(config as unknown as Config);
}

/**
 * Variables that look like settings and are none, to be warned of. They are no error, because
 * others make such names too: Kubernetes does for a service called number-dispenser.
 */
export function unknownVariables(names: readonly string[]): readonly string[] {
  const known = new Set([`${VARIABLE_PREFIX}CONFIG`, ...keys.flatMap(variablesOf)]);
  return names.filter((name) => name.startsWith(VARIABLE_PREFIX) && !known.has(name));
}

/** The variables of a setting; the last one that is set wins. */
function variablesOf(key: keyof Config): string[] {
  const { variable, alias } = settings[key];
  return [alias, variable].flatMap((name) => (name === undefined ? [] : VARIABLE_PREFIX + name));
}

function parse(key: keyof Config, text: string, where: string): unknown {
  const setting = settings[key];
  const value = setting.parse(text);
  if (value === undefined) throw new UsageError(`${where}: '${text}' must be ${setting.allowed}`);
  return value;
}

/** An address as -addr takes it; `:port` for all interfaces. */
export function addressText({ host = "", port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9a-fA-F:.%]+)\]|([^\s:[\]]*)):([0-9]{1,5})$/.exec(text);
  if (match === null) return undefined;
  const port = Number(match[3]);
  if (port > 65_535) return undefined;
  return { host: (match[1] ?? match[2]) || undefined, port };
}
