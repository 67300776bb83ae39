/** Reads the command line into a command, its operands and its flags. */

import { parseArgs } from "node:util";
import { looksLikeUrl, shownText } from "../base/secrets.ts";
import { UsageError } from "../config/file.ts";
import {
  type CommandName,
  commandNames,
  commands,
  type FlagName,
  flagNames,
  flagOf,
  lineOf,
} from "./commands.ts";
import { didYouMean } from "./did-you-mean.ts";

/** The command line as it was read. */
export interface Invocation {
  readonly command: CommandName;
  readonly operands: readonly string[];
  /** The values of the flags; a switch has the value "". */
  readonly flags: ReadonlyMap<string, string>;
  /** The command whose help is wanted; undefined for the program's. */
  readonly topic?: CommandName | "cluster" | undefined;
}

/**
 * Reads a command (`server` if none is named), its operands, and its flags, with one dash or two,
 * as `-flag value` or `-flag=value`. Throws UsageError.
 */
export function parseArguments(argv: readonly string[]): Invocation {
  if (argv[0] === "help" && !isHelp(argv[1])) {
    return { ...nothing, command: "help", topic: topicOf(argv.slice(1)) };
  }
  const named = commandIn(argv);
  if (named !== undefined) return parseFlags(named, named, argv.slice(named.split(" ").length));
  const [word = ""] = argv;
  if (word !== "cluster" && !/^[a-z][a-z-]*$/i.test(word)) {
    return parseFlags("server", undefined, argv);
  }
  if (word === "cluster" && isHelp(argv[1])) {
    return { ...nothing, command: "help", topic: "cluster" };
  }
  throw unknownCommand(argv);
}

/** The command that these words begin with: it is one word, or two. */
function commandIn(words: readonly string[]): CommandName | undefined {
  const found = [1, 2].map((count) => words.slice(0, count).join(" "));
  return found.find((name): name is CommandName => Object.hasOwn(commands, name));
}

/** What `help` is asked about. Throws UsageError. */
function topicOf(words: readonly string[]): Invocation["topic"] {
  if (words.length === 0) return undefined;
  if (words.length === 1 && words[0] === "cluster") return "cluster";
  const named = commandIn(words);
  const unexpected = words[named === undefined ? words.length : named.split(" ").length];
  if (unexpected !== undefined) {
    throw new UsageError(`unexpected argument '${shownText(unexpected)}'; see help -help`);
  }
  if (named === undefined) throw unknownCommand(words);
  return named;
}

function unknownCommand([word = "", second]: readonly string[]): UsageError {
  if (word !== "cluster") {
    const firsts = new Set(commandNames.map((name) => name.split(" ")[0]!));
    const meant = didYouMean(word, [...firsts]);
    return new UsageError(`there is no command '${shownText(word)}'${meant}; see -help`);
  }
  const actions = commandNames.flatMap((name) => /^cluster (.*)/.exec(name)?.[1] ?? []);
  const meant = didYouMean(second ?? "", actions);
  return new UsageError(`cluster needs one of ${actions.join(", ")}${meant}; see cluster -help`);
}

/** Operands that are names of dispensers, which may look like a URL. */
const NAMES: readonly string[] = ["[NAME]", "[PATTERN]"];

/** Reads the words that follow the command, which was named or is the default. */
function parseFlags(
  command: CommandName,
  named: CommandName | undefined,
  words: readonly string[],
): Invocation {
  const see = named === undefined ? "see -help" : `see ${named} -help`;
  const { operands: wanted, flags: allowed } = lineOf(command);
  const operands: string[] = [];
  const flags = new Map<string, string>();
  for (const typed of typedIn(words)) {
    const { word, name } = typed;
    if (name === undefined) {
      const operand = wanted[operands.push(word) - 1];
      if (operand === undefined)
        throw new UsageError(`unexpected argument '${shownText(word)}'; ${see}`);
      if (!NAMES.includes(operand) && looksLikeUrl(word))
        throw new UsageError(`${operand.replace(/[[\]]/g, "")} is not a URL; ${see}`);
      continue;
    }
    if (isHelp(word)) return { ...nothing, command: "help", topic: named };
    if (word === "-version" || word === "--version") return { ...nothing, command: "version" };
    flags.set(name, flagValue(typed, allowed, see));
  }
  const missing = wanted[operands.length];
  if (missing !== undefined && !missing.startsWith("["))
    throw new UsageError(`${command} needs ${missing}; ${see}`);
  return { command, operands, flags };
}

/**
 * A flag, with one dash or two. Any other word is an operand or a value, also `-1`, `-` and `--`.
 */
const FLAG = /^--?(?=[a-z][a-z-]*(=.*)?$)/s;

const options = Object.fromEntries(
  flagNames.map((name) => {
    const type = flagOf(name).value === undefined ? "boolean" : "string";
    return [name, { type } as const];
  }),
);

/**
 * The operands and the flags as they were typed; each flag with its value, or the word after it.
 */
function typedIn(words: readonly string[]) {
  // parseArgs gets two dashes before each flag and "" for any other word; `words` has what was
  // typed.
  const args = words.map((word) => (FLAG.test(word) ? word.replace(FLAG, "--") : ""));
  const loose = { strict: false, allowPositionals: true, tokens: true } as const;
  return parseArgs({ args, options, ...loose }).tokens.map((token) => {
    const word = words[token.index]!;
    if (token.kind !== "option") return { word };
    const { name, inlineValue: isAttached = false } = token;
    return { word, name, isAttached, value: isAttached ? token.value : words[token.index + 1] };
  });
}

/**
 * The value of a flag; "" for a switch. Throws UsageError if the command has no such flag, or no
 * value follows.
 */
function flagValue(
  { word, name, isAttached, value }: ReturnType<typeof typedIn>[number],
  allowed: readonly FlagName[],
  see: string,
): string {
  const flag = allowed.find((each) => each === name);
  const isSwitch = flag !== undefined && flagOf(flag).value === undefined;
  const typed = word.replace(/=.*/s, "");
  if (flag === undefined) {
    const known = [...allowed, "help", "version"].map((each) => `-${each}`);
    const meant = didYouMean(typed.replace(/^--/, "-"), known);
    throw new UsageError(`unknown flag ${typed}${meant}; ${see}`);
  }
  if (isSwitch && isAttached) throw new UsageError(`flag ${typed} takes no value; ${see}`);
  if (isSwitch) return "";
  if (value === undefined) throw new UsageError(`flag ${word} needs a value; ${see}`);
  return value;
}

const nothing = { operands: [], flags: new Map<string, string>() };

const isHelp = (word: string | undefined) => ["-help", "--help", "-h"].includes(word ?? "");
