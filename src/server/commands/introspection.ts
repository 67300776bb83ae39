/** COMMAND: shows the table of commands to clients and tools. */

import { type Right, rightsIn } from "../../config/settings.ts";
import { Replies } from "../../resp/encode.ts";
import { Pattern } from "../../resp/glob.ts";
import type { Call, Command } from "./command.ts";
import { subcommandsOf } from "./subcommands.ts";

export type CommandTable = ReadonlyMap<string, Command>;

/** The version that COMMAND DOCS shows for every command: the first one. */
const SINCE = "0.1.0";

/** One entry of COMMAND INFO: the ten elements of Redis 7. */
function writeInfo(replies: Replies, command: Command): void {
  const [first, last] = command.keys;
  const subcommands = [...(command.subcommands?.values() ?? [])];
  replies.array(10);
  replies.bulk(command.name);
  replies.integer(command.arity);
  replies.set(command.flags.length);
  for (const flag of command.flags) replies.simple(flag);
  replies.integer(first);
  replies.integer(last);
  replies.integer(first === 0 ? 0 : 1);
  // The right that a user needs for it, in the place of Redis's ACL categories.
  replies.set(command.right === undefined ? 0 : 1);
  if (command.right !== undefined) replies.simple(`@${command.right}`);
  // There are no tips, and no key specifications beyond first, last and step.
  replies.array(0);
  replies.array(0);
  replies.array(subcommands.length);
  for (const subcommand of subcommands) writeInfo(replies, subcommand);
}

function writeDocs(replies: Replies, command: Command): void {
  const subcommands = [...(command.subcommands?.values() ?? [])];
  replies.bulk(command.name);
  replies.map(subcommands.length > 0 ? 4 : 3);
  replies.bulk("summary");
  replies.bulk(command.summary);
  replies.bulk("since");
  replies.bulk(SINCE);
  replies.bulk("group");
  replies.bulk(command.group);
  if (subcommands.length === 0) return;
  replies.bulk("subcommands");
  replies.map(subcommands.length);
  for (const subcommand of subcommands) writeDocs(replies, subcommand);
}

/** The replies about the whole table, which never change, by kind and protocol version. */
const made = new Map<string, string>();

/**
 * Appends the reply that `write` makes, and makes it only once: EXEC may hold a thousand of them.
 */
function appendMade(replies: Replies, what: string, write: (into: Replies) => void): void {
  const key = `${what} in RESP${replies.version}`;
  let text = made.get(key);
  if (text === undefined) {
    const into = new Replies();
    into.version = replies.version;
    write(into);
    text = into.bytes.toString("latin1", 0, into.length);
    into.clear();
    made.set(key, text);
  }
  replies.raw(text);
}

/** Finds the command or subcommand ("client|id") of a name. */
function byName(table: CommandTable, name: string): Command | undefined {
  const [parent, subcommand] = name.toLowerCase().split("|");
  const command = table.get(parent!);
  return subcommand === undefined ? command : command?.subcommands?.get(subcommand);
}

/** COMMAND LIST [FILTERBY MODULE name | ACLCAT right | PATTERN pattern]. */
function listNames({ replies, args }: Call, all: readonly Command[]): void {
  const [by, kind, value] = args.map((arg) => arg.toLowerCase());
  const parts: readonly Right[] = Object.hasOwn(rightsIn, value ?? "")
    ? rightsIn[value as Right]!
    : [];
  const pattern = new Pattern(kind === "pattern" && value !== undefined ? value : "*");
  const filters: Record<string, (command: Command) => boolean> = {
    module: () => false,
    aclcat: ({ right }) => right === value || parts.some((part) => part === right),
    pattern: ({ name }) => pattern.matches(name),
  };
  const isFiltered = args.length === 3 && by === "filterby" && Object.hasOwn(filters, kind!);
  if (args.length > 0 && !isFiltered) return replies.error("ERR syntax error");
  const names = all.filter(isFiltered ? filters[kind!]! : () => true);
  replies.array(names.length);
  for (const { name } of names) replies.bulk(name);
}

export function introspectionCommands(table: CommandTable): readonly Command[] {
  const all = () => [...table.values()];

  const infoOf = function* (replies: Replies, names: readonly string[]) {
    replies.array(names.length);
    for (const name of names) {
      const command = byName(table, name);
      if (command === undefined) replies.null();
      else writeInfo(replies, command);
      yield undefined;
    }
  };
  const docsOf = function* (replies: Replies, names: readonly string[]) {
    const found: Command[] = [];
    for (const name of names) {
      const command = byName(table, name);
      if (command !== undefined) found.push(command);
      yield undefined;
    }
    replies.map(found.length);
    for (const command of found) {
      writeDocs(replies, command);
      yield undefined;
    }
  };
  const describing =
    (what: string, describe: typeof infoOf) =>
    ({ session, replies, args }: Call) => {
      if (args.length > 0) return session.runJob(describe(replies, args));
      appendMade(replies, what, (into) => {
        for (const _ of describe(into, [...table.keys()]));
      });
    };
  const info = describing("info", infoOf);
  const docs = describing("docs", docsOf);

  const list = (call: Call) => listNames(call, all());

  const flags = ["loading", "stale"] as const;
  return [
    {
      name: "command",
      arity: -1,
      flags,
      keys: [0, 0],
      group: "server",
      summary: "Describes the commands",
      run: info,
      subcommands: subcommandsOf(
        { name: "command", flags, group: "server" },
        {
          count: {
            arity: 2,
            summary: "How many commands there are",
            run: ({ replies }) => replies.integer(table.size),
          },
          docs: { arity: -2, summary: "What commands are for: docs [name ...]", run: docs },
          info: { arity: -2, summary: "What commands are: info [name ...]", run: info },
          list: { arity: -2, summary: "The names of commands: list [FILTERBY ...]", run: list },
        },
      ),
    },
  ];
}
