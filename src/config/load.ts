/** Makes one frozen Config of defaults, YAML file, environment and flags; later ones win. */

import { existsSync } from "node:fs";
import { shownText } from "../base/secrets.ts";
import { readConfigFile, UsageError } from "./file.ts";
import { parsePassword, passwordForms, wordsOf } from "./kinds.ts";
import { type Config, rights, settings, type UserSettings } from "./settings.ts";

export const VARIABLE_PREFIX = "NUMBER_DISPENSER_";
export const DEFAULT_FILE = "config/config.yaml";

type Key = keyof typeof settings;

export const keys = Object.keys(settings) as Key[];

/** Variables that are not settings: the file, and what only commands read. */
const OTHER_VARIABLES = ["CONFIG", "USER", "PASSWORD", "REDIS"];

/** The name of the user that connections have before they log in. */
export const DEFAULT_USER = "default";

const userFields = ["password", "rights", "names"] as const;
const userPath = (field: (typeof userFields)[number]) => `access.users.*.${field}`;

/** Reads all settings. Throws UsageError or CannotStart. */
export function loadConfig(
  flags: ReadonlyMap<string, string>,
  environment: Readonly<Record<string, string | undefined>>,
): Config {
  const named = flags.get("config") ?? environment[`${VARIABLE_PREFIX}CONFIG`];
  const file = named ?? (existsSync(DEFAULT_FILE) ? DEFAULT_FILE : undefined);
  const config: Partial<Record<Key, unknown>> = {};
  for (const key of keys) config[key] = parseSetting(key, settings[key].unset, "default");
  const paths = [...keys.map((key) => settings[key].path), ...userFields.map(userPath)];
  const found = file === undefined ? [] : readConfigFile(file, paths);
  for (const { path, text, where } of found) {
    const key = keys.find((candidate) => settings[candidate].path === path);
    if (key !== undefined) config[key] = parseSetting(key, text, `${where}: ${path}`);
  }
  for (const key of keys) {
    for (const name of variablesOf(key)) {
      const text = environment[name];
      if (text !== undefined) config[key] = parseSetting(key, text, name);
    }
  }
  for (const key of keys) {
    const { flag } = settings[key];
    const text = flag === undefined ? undefined : flags.get(flag);
    if (text !== undefined) config[key] = parseSetting(key, text, `-${flag}`);
  }
  const whole = { ...(config as Omit<Config, "users">), users: usersIn(found) };
  checkTogether(whole);
  return Object.freeze(whole);
}

/** Checks that settings fit each other. Throws UsageError. */
function checkTogether(config: Config): void {
  const { addr, tlsAddr, tlsCert, tlsKey, tlsClientCa, store, node } = config;
  if (store !== "" && node !== "") {
    throw new UsageError("cluster.node is for nodes without a store: storage.store is set, too");
  }
  if (addr.length + tlsAddr.length === 0) {
    throw new UsageError("server.addr and server.tls_addr: one of them needs an address");
  }
  if (tlsAddr.length > 0 && (tlsCert === "" || tlsKey === "")) {
    throw new UsageError("server.tls_addr needs tls.cert and tls.key");
  }
  if (tlsAddr.length === 0 && (tlsCert !== "" || tlsKey !== "" || tlsClientCa !== "")) {
    throw new UsageError("tls.cert, tls.key and tls.client_ca have no use without server.tls_addr");
  }
}

function usersIn(found: ReturnType<typeof readConfigFile>): UserSettings[] {
  const fields = new Map<string, Map<string, (typeof found)[number]>>();
  for (const setting of found) {
    if (setting.key === undefined) continue;
    const user = fields.get(setting.key) ?? new Map();
    user.set(setting.path.split(".").at(-1)!, setting);
    fields.set(setting.key, user);
  }
  return [...fields].map(([name, user]) => {
    const { where } = [...user.values()][0]!;
    const refuse = (field: string, reason: string) =>
      new UsageError(`${user.get(field)?.where ?? where}: access.users.${name}.${field} ${reason}`);
    if (!/^[!-~]+$/.test(name) || name === DEFAULT_USER) {
      const reason = "user names are printable ASCII without spaces, and not 'default'";
      throw new UsageError(`${where}: access.users: '${shownText(name)}': ${reason}`);
    }
    const text = user.get("password")?.text;
    const passwordHash = text === undefined ? undefined : parsePassword(text);
    if (passwordHash === undefined) throw refuse("password", `must be ${passwordForms}`);
    const may = wordsOf(user.get("rights")?.text ?? "");
    const granted = rights.filter((right) => may.includes(right));
    if (may.length === 0 || may.some((word) => !granted.some((right) => right === word))) {
      throw refuse("rights", `must be some of ${rights.join(", ")}`);
    }
    const names = wordsOf(user.get("names")?.text ?? "*");
    if (names.length === 0) throw refuse("names", "must be patterns of names, as 'order:*'");
    return { name, passwordHash, rights: granted, names };
  });
}

/**
 * Variables that look like settings but are not, to be warned of. They are no error, because other
 * programs set such names, too: Kubernetes does for a service called number-dispenser.
 */
export function unknownVariables(names: readonly string[]): readonly string[] {
  const others = OTHER_VARIABLES.map((name) => VARIABLE_PREFIX + name);
  const known = new Set([...others, ...keys.flatMap(variablesOf)]);
  return names.filter((name) => name.startsWith(VARIABLE_PREFIX) && !known.has(name));
}

/**
 * Variables with a secret that ends in a line break, to be warned of: it is part of the secret, and
 * mostly an editor or `echo` put it there.
 */
export function secretsWithLineBreak(
  environment: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const isSecret = (key: Key) => "isSecret" in settings[key] && settings[key].isSecret === true;
  const names = [...keys.filter(isSecret).flatMap(variablesOf), `${VARIABLE_PREFIX}PASSWORD`];
  return names.filter((name) => /[\r\n]$/.test(environment[name] ?? ""));
}

/** The variables of a setting; if several are set, the last one wins. */
function variablesOf(key: Key): string[] {
  const { variable, alias } = settings[key];
  return [alias, variable].flatMap((name) => (name === undefined ? [] : VARIABLE_PREFIX + name));
}

function parseSetting(key: Key, text: string, where: string): unknown {
  const setting = settings[key];
  const parsed = setting.parse(text);
  if (parsed !== undefined) return parsed.value;
  const shown = setting.isSecret ? "it" : `'${shownText(text)}'`;
  throw new UsageError(`${where}: ${shown} must be ${setting.allowed}`);
}
