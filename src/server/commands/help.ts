/** HELP of a command with subcommands, as Redis shows it: a line each. */

import type { Replies } from "../../resp/encode.ts";

export function writeHelp(replies: Replies, command: string, subcommands: readonly string[]): void {
  const name = command.toUpperCase();
  const lines = [
    `${name} <subcommand> [<arg> ...]. Subcommands are:`,
    ...subcommands.map((subcommand) => subcommand.toUpperCase()),
  ];
  replies.array(lines.length);
  for (const line of lines) replies.simple(line);
}
