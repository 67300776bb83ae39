/** The commands by which clients and tools look at the server: COMMAND and CONFIG. */

import type { Config } from "../../config.ts";
import { toBytes } from "../../dispenser/name.ts";
import { quoted } from "../../refusal.ts";
import type { Replies } from "../../resp/encode.ts";
import { matches } from "../../resp/glob.ts";
import type { Call, Command } from "../command.ts";
import { writeHelp } from "./help.ts";

export type CommandTable = ReadonlyMap<string, Command>;

/** One entry of COMMAND INFO: the ten elements of Redis 7. */
function writeInfo(replies: Replies, command: Command): void {
  const [first, last] = command.keys;
  replies.array(10);
  replies.bulk(command.name);
  replies.integer(command.arity);
  replies.set(command.flags.length);
  for (const flag of command.flags) replies.simple(flag);
  replies.integer(first);
  replies.integer(last);
  replies.integer(first === 0 ? 0 : 1);
  for (const nothing of ["categories", "tips", "key specifications", "subcommands"]) {
    if (nothing === "categories") replies.set(0);
    else replies.array(0);
  }
}

function writeDocs(replies: Replies, command: Command): void {
  replies.bulk(command.name);
  replies.map(2);
  replies.bulk("summary");
  replies.bulk(command.summary);
  replies.bulk("group");
  replies.bulk(command.group);
}

function describeCommands(table: CommandTable, { replies, args }: Call): void {
  const [subcommand, ...names] = args;
  const all = [...table.values()];
  switch (subcommand?.toLowerCase()) {
    case undefined:
      replies.array(all.length);
      for (const command of all) writeInfo(replies, command);
      break;
    case "help":
      writeHelp(replies, "command", ["count", "docs", "help", "info", "list"]);
      break;
    case "count":
      if (names.length > 0) return replies.error(wrongCount("command|count"));
      replies.integer(all.length);
      break;
    case "list":
      if (names.length > 0) {
        return replies.error("ERR syntax error: COMMAND LIST has no filters here");
      }
      replies.array(all.length);
      for (const { name } of all) replies.bulk(name);
      break;
    case "info": {
      const wanted = names.length === 0 ? all.map(({ name }) => name) : names;
      replies.array(wanted.length);
      for (const name of wanted) {
        const command = table.get(name.toLowerCase());
        if (command === undefined) replies.null();
        else writeInfo(replies, command);
      }
      break;
    }
    case "docs": {
      const wanted = new Set(names.map((name) => name.toLowerCase()));
      const found = names.length === 0 ? all : all.filter(({ name }) => wanted.has(name));
      replies.map(found.length);
      for (const command of found) writeDocs(replies, command);
      break;
    }
    default:
      replies.error(`ERR unknown subcommand ${quoted(subcommand!)}. Try COMMAND HELP.`);
  }
}

function wrongCount(command: string): string {
  return `ERR wrong number of arguments for '${command}' command`;
}

/** What CONFIG GET shows: the settings in effect, under the names Redis has for them. */
function settingsOf(config: Config, port: number): Record<string, string> {
  return {
    save: "",
    appendonly: "no",
    databases: "1",
    bind: config.addr.host ?? "*",
    port: String(port),
    dir: toBytes(config.dataDir),
    "protected-mode": config.protectedMode ? "yes" : "no",
    "proto-max-bulk-len": String(config.requestBytesMax),
    maxclients: String(config.clientsMax),
  };
}

function configure({ server, replies, args }: Call): void {
  const [subcommand, ...patterns] = args as [string, ...string[]];
  const name = subcommand.toLowerCase();
  if (name === "set") {
    return replies.error("ERR CONFIG SET is not available: settings are read once, at the start");
  }
  if (name === "help") return writeHelp(replies, "config", ["get", "help"]);
  if (name !== "get") {
    return replies.error(`ERR unknown subcommand ${quoted(subcommand)}. Try CONFIG HELP.`);
  }
  if (patterns.length === 0) {
    return replies.error(wrongCount("config|get"));
  }
  const found = Object.entries(settingsOf(server.config, server.port)).filter(([setting]) =>
    patterns.some((pattern) => matches(pattern.toLowerCase(), setting)),
  );
  replies.map(found.length);
  for (const text of found.flat()) replies.bulk(text);
}

export function introspectionCommands(table: CommandTable): readonly Command[] {
  return [
    {
      name: "command",
      arity: -1,
      flags: ["loading", "stale"],
      keys: [0, 0],
      group: "server",
      summary: "Describes the commands: COUNT, DOCS, INFO, LIST",
      run: (call) => describeCommands(table, call),
    },
    {
      name: "config",
      arity: -2,
      flags: ["admin", "loading", "stale", "noscript"],
      keys: [0, 0],
      group: "server",
      summary: "Shows settings: CONFIG GET pattern",
      run: configure,
    },
  ];
}
