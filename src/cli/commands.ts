/** The table of the program's commands and their flags, with the texts that -help shows. */

import { storeForms } from "../config/kinds.ts";
import { DEFAULT_FILE, keys, VARIABLE_PREFIX } from "../config/load.ts";
import { settings } from "../config/settings.ts";
import { statuses } from "./unreachable.ts";

/** The variable that -redis may stand in. */
export const REDIS_VARIABLE = `${VARIABLE_PREFIX}REDIS`;

/** How long the server may take to be reached, and to answer `health` and `info`, by default. */
export const LIMIT_SECONDS = 3;

export interface CommandLine {
  /** The operands in their order; one in brackets may be left out. */
  readonly operands: readonly string[];
  /** The names of the flags that it takes. */
  readonly flags: readonly FlagName[];
  /** One line for the list of commands. */
  readonly summary: string;
  /** The description, in whole sentences. */
  readonly details: string;
  /** The meaning of exit status 1. */
  readonly failure: string;
  /** A call as a user would make it, after the program's name. */
  readonly example: string;
}

/** A flag; `value` names its value, and is undefined for a switch. */
interface Flag {
  readonly value?: string;
  readonly help: string;
}

export const flags = {
  addr: {
    value: "host:port",
    help: "address of the server, or several, as [ipv6]:port, unix:/path (default :6380)",
  },
  data: { value: "dir", help: "folder of the database (default ./data)" },
  store: {
    value: "URL",
    help: `lease store of the cluster (better in ${VARIABLE_PREFIX}STORE): ${storeForms}`,
  },
  node: { value: "i/n", help: "node i of n that share their lines without a store" },
  config: {
    value: "file",
    help: `settings (or ${VARIABLE_PREFIX}CONFIG; default ${DEFAULT_FILE}, where it exists)`,
  },
  margin: { value: "N", help: "how many numbers each line moves ahead" },
  redis: {
    value: "URL",
    help: `redis://host:port, whose counters are taken (or ${REDIS_VARIABLE})`,
  },
  match: { value: "pattern", help: "which of them, as KEYS has it (default *)" },
  strategy: { value: "s", help: "their auto_disk (default elegant_close)" },
  type: {
    value: "2|3",
    help: "their type: fixed width with -length, or plain numbers (default 3)",
  },
  length: { value: "N", help: "how many digits each number of type 2 has, 1 to 18" },
  format: { value: "F", help: "text around each of their numbers, such as INV-{yyyy}-{n}" },
  period: {
    value: "P",
    help: "where they begin again: each hour, day, week, month, quarter, year or fiscal_year, which -format shows; they go on in that of now",
  },
  zone: {
    value: "Z",
    help: "where dates in -format are read, such as Europe/Berlin (default UTC)",
  },
  skip: { help: "import what can be, and list the rest; without it, all or nothing" },
  ca: {
    value: "file",
    help: "who signed the certificate of rediss:// (PEM; default the system's)",
  },
  cert: { value: "file", help: "certificate to show there, where it wants one (PEM)" },
  key: { value: "file", help: "private key of that certificate (PEM)" },
  seconds: { value: "N", help: "how long each load lasts, 0.1 to 60 (default 1)" },
  timeout: { value: "N", help: `seconds for all of it, 0.1 to 60 (default ${LIMIT_SECONDS})` },
  sort: { value: "order", help: "by what: rate (default) or used" },
  all: { help: "every line of the folder" },
  confirm: { help: "you accept the risk that the command explains" },
  alive: { help: "with -confirm: also a node that seems to be alive is written off" },
  json: { help: "answer in JSON" },
} satisfies Record<string, Flag>;

export type FlagName = keyof typeof flags;
export const flagNames = Object.keys(flags) as FlagName[];
export const flagOf = (name: FlagName): Flag => flags[name];

const ofServer =
  "Asks at the server's unix socket, or else over the loopback interface, or else at its other addresses; with -addr there. " +
  `Where a password is set it is taken from ${VARIABLE_PREFIX}PASSWORD, and the name of the user, ` +
  `if it is not the default one, from ${VARIABLE_PREFIX}USER. It is sent only to a program of root, of you, or of the owner ` +
  "of the data folder, and over TLS only to who has the first certificate of tls.cert.";

export const commands = {
  server: {
    operands: [],
    flags: ["config", ...keys.flatMap((key) => (settings[key].flag as FlagName) ?? [])],
    summary: "runs the server; the default command",
    details:
      "Serves until SIGTERM, SIGINT or SHUTDOWN, which save all positions first. SIGHUP reads the settings, users and certificates " +
      "of TLS again. The log goes to stderr.",
    failure:
      "it could not start (address in use, damaged database, …), or had to stop because a sync failed",
    example: "-addr 127.0.0.1:6380 -data /var/lib/number-dispenser",
  },
  help: {
    operands: ["[COMMAND]"],
    flags: [],
    summary: "shows the commands, or what one of them takes",
    details: "The same as -help, and as COMMAND -help.",
    failure: "the text cannot be written",
    example: "help import",
  },
  version: {
    operands: [],
    flags: [],
    summary: "shows the version",
    details: "The same as -version.",
    failure: "the text cannot be written",
    example: "version",
  },
  health: {
    operands: [],
    flags: ["config", "addr", "timeout", "json"],
    summary: "says whether the server on this machine answers, and can write",
    details: `With -json, status is one of ${statuses.join(", ")}. ${ofServer}`,
    failure: "no server answers, or it is full or not ready, or its storage is in trouble",
    example: "health -json",
  },
  info: {
    operands: ["[NAME]"],
    flags: ["config", "addr", "timeout", "json"],
    summary: "shows the server's figures, or those of one dispenser",
    details: `Shows the reply of the command INFO. ${ofServer}`,
    failure: "no server answers, or it has no such dispenser",
    example: "info order_id -json",
  },
  list: {
    operands: ["[PATTERN]"],
    flags: ["config", "addr", "timeout", "json"],
    summary: "lists the dispensers of the server, with what they handed out and have left",
    details:
      "PATTERN is as KEYS has it (default *). RATE is numbers a second, between two looks at least a second apart. The list " +
      "comes page by page, so that no other client waits for it: a million dispensers take some minutes. With -json it is an " +
      "array with an object a line, whose counts are texts, because they may be too large for JSON's readers. -timeout is for " +
      `each answer. In a cluster the figures are those of this node. ${ofServer}`,
    failure: "no server answers, or it refuses",
    example: "list order:*",
  },
  top: {
    operands: [],
    flags: ["config", "addr", "timeout", "sort"],
    summary: "shows the busiest dispensers, or those nearest their end, live",
    details:
      "A table that changes each second: p sorts it by rate (numbers a second), u by the percentage used, q ends. It looks at " +
      "all dispensers in rounds, as list does, and keeps the best that it has seen; its second line says how far the first " +
      "round is, or how long one takes. Where the output is no terminal it shows one round and ends. -timeout is for each " +
      `answer. In a cluster the figures are those of this node. ${ofServer}`,
    failure: "no server answers, or it went away",
    example: "top -sort used",
  },
  backup: {
    operands: ["FILE"],
    flags: ["config", "addr"],
    summary: "has the server on this machine copy its database to FILE",
    details: `FILE is new; the server goes on meanwhile. The user needs the right admin. ${ofServer}`,
    failure: "no server answers, or it cannot write the file",
    example: "backup /backups/monday.db",
  },
  restore: {
    operands: ["FILE"],
    flags: ["config", "data", "margin", "confirm"],
    summary: "puts a backup into a data folder that has no database",
    details:
      "A backup does not know what was handed out after it was made, so each line moves ahead by -margin numbers. " +
      "A line that handed out more than that since then repeats numbers; -confirm says that you accept this.",
    failure: "the folder has a database, or the backup is none",
    example: "restore /backups/monday.db -data ./data -margin 100000 -confirm",
  },
  init: {
    operands: [],
    flags: ["config", "data"],
    summary: "makes the database of a data folder, for a server with storage.create: false",
    details:
      "Run it once, before the first start. From then on a server that finds no database there, as when a mount is missing, " +
      "refuses to start instead of counting from the beginning again. An existing database stays as it is.",
    failure: "the folder or the database cannot be made",
    example: "init -data /var/lib/number-dispenser",
  },
  repair: {
    operands: [],
    flags: ["config", "data", "margin", "confirm"],
    summary:
      "says whether a database whose log is gone lost anything, and makes it fit for a start",
    details:
      "For a data folder whose server refuses to start because the write-ahead log of a crash is gone or damaged. If it can " +
      "prove that nothing is lost, as when SQLite's own tool moved the log into the database, it makes the folder fit for a " +
      "start. If it cannot, it says so, and needs -margin and -confirm: each line then moves ahead by that margin, and the " +
      "old files are kept in a folder of their own. A line that lost more than the margin repeats numbers.",
    failure: "nothing was changed, for the reason that is given",
    example: "repair -data ./data",
  },
  "accept-copy": {
    operands: [],
    flags: ["config", "data"],
    summary:
      "accepts a data folder that was copied from another place or machine in place of the original",
    details:
      "A server on such a folder warns at every start, because the original folder hands out the same numbers. Run this once, " +
      "when the original will never be started again. The folder's server has to be stopped.",
    failure: "the folder has no database, or is in use",
    example: "accept-copy -data ./data",
  },
  advance: {
    operands: [],
    flags: ["config", "data", "all", "margin", "confirm"],
    summary:
      "moves all lines ahead in a folder that went back in time, as by a snapshot of its disk",
    details:
      "The folder's server has to be stopped. Such a folder does not know what was handed out after the moment that it is of, " +
      "so each line moves ahead by -margin of its numbers, also lines in memory, of node i/n, and deleted ones. For a backup " +
      "use restore instead, for the store of a cluster use cluster advance.",
    failure: "the folder has no database, or a server runs on it",
    example: "advance -all -margin 100000 -confirm -data ./data",
  },
  import: {
    operands: ["[FILE]"],
    flags: [
      ...["config", "data", "margin", "skip", "json"],
      ...[
        "redis",
        "match",
        "strategy",
        "type",
        "length",
        "format",
        "period",
        "zone",
        "ca",
        "cert",
        "key",
      ],
    ] as FlagName[],
    summary: "takes the lines of the Go implementation's dispensers.json, or a Redis's counters",
    details:
      "Give either FILE or -redis. Each line moves ahead by -margin of its own numbers (default 1000): the Go implementation " +
      "saves every 5 seconds, and not when it stops, so keep traffic from it for that long before you stop it, or choose " +
      "a margin above what a line hands out in that time. First stop the program that counts there, and the server of this " +
      "folder. All lines are imported, or none, and then each that cannot be is named with the reason; with -skip the others " +
      "are. Nothing is overwritten. A Redis of a cluster has a part of the keys: import each master.",
    failure: "nothing was imported, for the reason that is given",
    example: "import dispensers.json -data ./data",
  },
  bench: {
    operands: [],
    flags: ["config", "data", "seconds", "json"],
    summary: "measures this machine: numbers a second of each strategy, syncs a second of the disk",
    details:
      "Starts a server of its own on the loopback interface, with a folder of its own in the data folder, so on the " +
      "same disk, and loads it with 50 clients from one process. A server that runs on the data folder goes on, but shares " +
      "the machine with it. The folder is removed at the end.",
    failure: "the server could not be started, or answered what it should not",
    example: "bench -data /var/lib/number-dispenser -seconds 5",
  },
  "cluster join": {
    operands: [],
    flags: ["config", "data", "store"],
    summary: "takes the dispensers of a data folder into a cluster, each where it stands",
    details:
      "The folder's server has to be stopped, and started with the same -store from then on.",
    failure: "nothing was changed, for the reason that is given",
    example: "cluster join -data ./data -store postgres://db/numbers",
  },
  "cluster leave": {
    operands: [],
    flags: ["config", "data", "store"],
    summary: "returns the numbers that a node holds, and empties its folder",
    details:
      "The node's server has to be stopped. Nodes whose lines have not passed its numbers hand them out.",
    failure: "the node is still one, for the reason that is given",
    example: "cluster leave -data ./data -store postgres://db/numbers",
  },
  "cluster nodes": {
    operands: [],
    flags: ["config", "store", "json"],
    summary: "lists the nodes: whether each is alive, where it is, what it holds",
    details:
      "Asks all nodes for a sign of life, which takes up to 3 seconds if one does not answer, and shows a line for each: its " +
      "name and state, whether it answered, when it was last seen, the addresses it listens on, the numbers it holds, its " +
      "version, how often it started and wrote, its machine and folder. Of what an older version did not write it says unknown.",
    failure: "the store does not answer",
    example: "cluster nodes -store postgres://db/numbers",
  },
  "cluster forget": {
    operands: ["NODE"],
    flags: ["config", "store", "confirm", "alive"],
    summary: "writes off a node that will never come back",
    details:
      "NODE is the name that cluster nodes shows. The numbers that it holds are wasted. A node that answers, or that wrote " +
      "within the last minute, is written off only with -alive: it stops as soon as it reaches the store, and its folder, " +
      "started again, is another node. Until then it hands out the numbers it holds, which no other node does.",
    failure: "the node is still one, for the reason that is given",
    example:
      "cluster forget 9b2f0c66-6ff1-4b0a-9d53-0f3bb0a3c8d1 -store postgres://db/numbers -confirm",
  },
  "cluster advance": {
    operands: [],
    flags: ["config", "store", "margin", "confirm"],
    summary: "accepts the store as it is after it lost data",
    details:
      "Each line moves ahead by -margin numbers: choose more than may have been leased since the moment the store " +
      "went back to.",
    failure: "nothing was changed, for the reason that is given",
    example: "cluster advance -store postgres://db/numbers -margin 1000000 -confirm",
  },
} satisfies Record<string, CommandLine>;

/** A command, which may stand first on the command line. */
export type CommandName = keyof typeof commands;

export const lineOf = (name: CommandName): CommandLine => commands[name];
export const commandNames = Object.keys(commands) as CommandName[];
