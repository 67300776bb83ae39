/** The command line as it was typed: which command, its operands, its flags. */

import { UsageError } from "../config/file.ts";
import {
  type CommandName,
  commandNames,
  commands,
  type FlagName,
  flagOf,
  lineOf,
} from "./commands.ts";

/** What the command line asks for. */
export interface Invocation {
  readonly command: CommandName | "help" | "version";
  readonly operands: readonly string[];
  /** The values of flags; a switch has the value "". */
  readonly flags: ReadonlyMap<string, string>;
  /** Of which command -help was asked; undefined: of the program. */
  readonly topic?: CommandName | "cluster" | undefined;
}

/**
 * Reads a command (`server` where none is named), its operands, and flags, with one dash or two,
 * as `-flag value` or `-flag=value`. Throws UsageError.
 */
export function parseArguments(argv: readonly string[]): Invocation {
  // A command is one word, or two.
  const words =
    [1, 2].find((count) => Object.hasOwn(commands, argv.slice(0, count).join(" "))) ?? 0;
  if (words > 0) {
    const named = argv.slice(0, words).join(" ") as CommandName;
    return parseFlags(named, named, argv.slice(words));
  }
  const [word = ""] = argv;
  if (word !== "cluster") {
    if (/^[a-z][a-z-]*$/.test(word))
      throw new UsageError(`there is no command '${word}'; see -help`);
    return parseFlags("server", undefined, argv);
  }
  if (isHelp(argv[1])) return { ...nothing, command: "help", topic: "cluster" };
  const actions = commandNames.flatMap((name) => /^cluster (.*)/.exec(name)?.[1] ?? []);
  throw new UsageError(`cluster needs one of ${actions.join(", ")}; see cluster -help`);
}

/** What follows a command, which was named or is the default. */
function parseFlags(
  command: CommandName,
  named: CommandName | undefined,
  words: readonly string[],
): Invocation {
  const see = named === undefined ? "see -help" : `see ${named} -help`;
  const { operands: wanted, flags: allowed } = lineOf(command);
  const operands: string[] = [];
  const flags = new Map<string, string>();
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    const match = /^--?([a-z][a-z-]*)(?:=(.*))?$/s.exec(word);
    if (match === null) {
      if (operands.push(word) > wanted.length)
        throw new UsageError(`unexpected argument '${word}'; ${see}`);
      continue;
    }
    const [, name, attached] = match as unknown as [string, FlagName, string | undefined];
    if (isHelp(word)) return { ...nothing, command: "help", topic: named };
    if (word === "-version" || word === "--version") return { ...nothing, command: "version" };
    const isSwitch = allowed.includes(name) && flagOf(name).value === undefined;
    if (!allowed.includes(name) || (isSwitch && attached !== undefined))
      throw new UsageError(`unknown flag ${word}; ${see}`);
    const value = isSwitch ? "" : (attached ?? words[++at]);
    if (value === undefined) throw new UsageError(`flag ${word} needs a value; ${see}`);
    flags.set(name, value);
  }
  const missing = wanted[operands.length];
  if (missing !== undefined && !missing.startsWith("["))
    throw new UsageError(`${command} needs ${missing}; ${see}`);
  return { command, operands, flags };
}

const nothing = { operands: [], flags: new Map<string, string>() };

const isHelp = (word: string | undefined) => ["-help", "--help", "-h"].includes(word ?? "");
