/** The command line: which command, its operands and flags; and the text of -help. */

import { DEFAULT_FILE, keys, VARIABLE_PREFIX } from "./config.ts";
import { UsageError } from "./config-file.ts";
import { type Config, type Setting, settings } from "./settings.ts";

interface CommandLine {
  /** What has to be given besides flags, in order; in brackets what may be left out. */
  readonly operands: readonly string[];
  /** Flags that take a value. */
  readonly flags: readonly string[];
  /** Flags that take none. */
  readonly switches: readonly string[];
}

const settingOf = (key: keyof typeof settings): Setting<Config[keyof Config]> => settings[key];
const settingFlags = keys.flatMap((key) => settingOf(key).flag ?? []);

const commands = {
  server: { operands: [], flags: ["config", ...settingFlags], switches: [] },
  backup: { operands: ["FILE"], flags: ["config", "addr"], switches: [] },
  health: { operands: [], flags: ["config", "addr"], switches: ["json"] },
  info: { operands: ["[NAME]"], flags: ["config", "addr"], switches: ["json"] },
  import: {
    operands: ["[FILE]"],
    flags: ["config", "data", "margin", "redis", "match", "strategy"],
    switches: [],
  },
  "cluster join": { operands: [], flags: ["config", "data", "store"], switches: [] },
  "cluster leave": { operands: [], flags: ["config", "data", "store"], switches: [] },
  "cluster forget": { operands: ["NODE"], flags: ["config", "store"], switches: ["confirm"] },
  "cluster advance": { operands: [], flags: ["config", "store", "margin"], switches: ["confirm"] },
  "cluster nodes": { operands: [], flags: ["config", "store"], switches: [] },
  restore: { operands: ["FILE"], flags: ["config", "data", "margin"], switches: ["confirm"] },
} satisfies Record<string, CommandLine>;

/** What may stand first on the command line. */
export type CommandName = keyof typeof commands;

/** What the command line asks for. */
export interface Invocation {
  readonly command: CommandName | "help" | "version";
  readonly operands: readonly string[];
  /** The values of flags; a switch has the value "". */
  readonly flags: ReadonlyMap<string, string>;
}

/**
 * Reads a command (`server` where none is named), its operands, and flags, with one dash or two,
 * as `-flag value` or `-flag=value`. Throws UsageError.
 */
export function parseArguments(argv: readonly string[]): Invocation {
  // A command is one word, or two.
  const words =
    [1, 2].find((count) => Object.hasOwn(commands, argv.slice(0, count).join(" "))) ?? 0;
  if (words === 0 && argv[0] === "cluster") {
    throw new UsageError("cluster needs one of join, leave, nodes, forget, advance; see -help");
  }
  const command = words === 0 ? "server" : (argv.slice(0, words).join(" ") as CommandName);
  const { operands: wanted, flags: valued, switches }: CommandLine = commands[command];
  const operands: string[] = [];
  const flags = new Map<string, string>();
  for (let at = words; at < argv.length; at++) {
    const word = argv[at]!;
    const match = /^--?([a-z][a-z-]*)(?:=(.*))?$/s.exec(word);
    if (match === null) {
      if (operands.push(word) > wanted.length)
        throw new UsageError(`unexpected argument '${word}'; see -help`);
      continue;
    }
    const [, name, attached] = match as unknown as [string, string, string | undefined];
    if (name === "help" || name === "version") return { command: name, operands, flags };
    if (switches.includes(name) && attached === undefined) {
      flags.set(name, "");
      continue;
    }
    if (!valued.includes(name)) throw new UsageError(`unknown flag ${word}; see -help`);
    const value = attached ?? argv[++at];
    if (value === undefined) throw new UsageError(`flag ${word} needs a value; see -help`);
    flags.set(name, value);
  }
  const missing = wanted[operands.length];
  if (missing !== undefined && !missing.startsWith("["))
    throw new UsageError(`${command} needs ${missing}; see -help`);
  return { command, operands, flags };
}

/** The text of -help. */
export function helpText(version: string): string {
  const rows = keys.map((key) => {
    const { flag, path, variable, alias, unset, help } = settingOf(key);
    const name = flag === undefined ? "" : `-${flag}`;
    const variables = alias === undefined ? variable : `${variable}, ${alias}`;
    return `  ${name.padEnd(8)}${path.padEnd(26)}${variables.padEnd(20)}${help} (${unset})`;
  });
  return `number-dispenser ${version}: a server that hands out unique numbers to any Redis client

usage: number-dispenser [server] [flags]
       number-dispenser backup FILE [-addr host:port]
       number-dispenser restore FILE [-data dir] -margin N -confirm
       number-dispenser health [-addr host:port] [-json]
       number-dispenser info [NAME] [-addr host:port] [-json]
       number-dispenser import FILE|-redis URL [-data dir] [-margin N]
       number-dispenser cluster join|leave [-data dir] [-store URL]
       number-dispenser cluster nodes [-store URL]
       number-dispenser cluster forget NODE [-store URL] -confirm
       number-dispenser cluster advance [-store URL] -margin N -confirm

server    runs the server
backup    has the server that runs on this machine copy its database to FILE, which is new
restore   puts a backup into a data folder without a database, each line moved ahead by N numbers;
          numbers handed out since the backup repeat where they are more than N of a line
health    says whether the server that runs on this machine answers, and can write
info      shows its figures, or those of one dispenser
import    takes the lines of dispensers.json, the data of the Go implementation, or makes lines of the
          counters of a Redis (its keys with whole numbers), in a data folder whose server is stopped
cluster   join takes the dispensers of a data folder into a cluster, each where it stands; leave hands back
          what a node holds, and empties its folder; nodes lists the nodes; forget writes one off;
          advance takes a store that went back in time for good, each line moved ahead by N numbers

  -addr host:port   addresses to listen on (default :6380, all interfaces)
  -data dir         folder of the database (default ./data)
  -store URL        store that several nodes share: ${settings.store.allowed}
  -node i/n         node i of n that share their lines without a store
  -config file      settings (or ${VARIABLE_PREFIX}CONFIG; default ${DEFAULT_FILE}, where it exists)
  -margin N         how many numbers of each line restore, import (default 1000) and cluster advance skip
  -redis URL        redis://host:port, whose counters import makes lines of: those that fit
  -match pattern    (default *), each with -strategy s (default elegant_close)
  -confirm          says that you have read what the command cannot know
  -json             answers in JSON
  -help, -version   show this, or the version

Where a password is set, backup, health and info take it from ${VARIABLE_PREFIX}PASSWORD, and the name of the user, if it
is not the default one, from ${VARIABLE_PREFIX}USER. Users and their rights stand in the file alone.

Flags take one dash or two. They win over the environment, that over the file, that over defaults.
All settings, as flag, place in the file, variable (after ${VARIABLE_PREFIX}), meaning (default):

${rows.join("\n")}

Signals: SIGTERM and SIGINT save positions and stop the server (exit status 0); SIGHUP reads the
certificates of TLS again.
Exit status: 1 for what the environment refuses, 2 for bad usage.
`;
}
