/** Commands that are several: the second word of a request says which one is meant. */

import type { Command } from "./command.ts";

/** A subcommand without what it has from its parent. */
type Subcommand = Pick<Command, "arity" | "summary" | "run"> &
  Partial<Pick<Command, "flags" | "right">>;

/** The table of a command's subcommands, with HELP added, which lists them. */
export function subcommandsOf(
  parent: Pick<Command, "name" | "flags" | "group">,
  listed: Readonly<Record<string, Subcommand>>,
): ReadonlyMap<string, Command> {
  const help: Subcommand = {
    arity: 2,
    summary: "Lists the subcommands",
    run: ({ replies }) => {
      helpReply ??= makeHelpReply();
      replies.raw(helpReply);
    },
  };
  /** Made once, because EXEC may ask for thousands. */
  let helpReply: string | undefined;
  const makeHelpReply = () => {
    const lines = Object.entries(all).flatMap(([name, { summary }]) => [
      name.toUpperCase(),
      `    ${summary}.`,
    ]);
    const head = `${parent.name.toUpperCase()} <subcommand> [<arg> ...]. Subcommands are:`;
    return `*${lines.length + 1}\r\n${[head, ...lines].map((line) => `+${line}\r\n`).join("")}`;
  };
  const all: Record<string, Subcommand> = { ...listed, help };
  return new Map(
    Object.entries(all).map(([name, subcommand]) => [
      name,
      {
        flags: parent.flags,
        ...subcommand,
        name: `${parent.name}|${name}`,
        keys: [0, 0],
        group: parent.group,
      },
    ]),
  );
}

/** Makes a command that always needs a subcommand. */
export function container(
  parent: Pick<Command, "name" | "flags" | "group" | "summary">,
  listed: Readonly<Record<string, Subcommand>>,
): Command {
  const subcommands = subcommandsOf(parent, listed);
  // `run` is never called: the arity demands a second word, which selects a subcommand.
  const { run } = subcommands.get("help")!;
  return { ...parent, arity: -2, keys: [0, 0], subcommands, run };
}
