/** The texts of -help, for the program and for each of its commands. */

import { version } from "../base/version.ts";
import { keys, VARIABLE_PREFIX } from "../config/load.ts";
import { settings } from "../config/settings.ts";
import { type CommandName, commandNames, type FlagName, flagOf, lineOf } from "./commands.ts";

const WIDTH = 96;

/** The exit statuses; each command's help says what 1 means for it. */
const EXITS = `Exit status: 0 when it is done, 1 for what the environment refuses, 2 for bad usage (flags, values,
the file's content), 78 if the database vanished under it (starting it again does not help); each error is
one line on stderr that says what and where.`;

/** The text of -help, or of `COMMAND -help`. */
export function helpText(topic?: CommandName | "cluster"): string {
  if (topic === undefined) return programHelp();
  if (topic !== "cluster") return commandHelp(topic);
  const rows = commandNames.filter((name) => name.startsWith("cluster ")).map(summaryRow);
  return `usage: number-dispenser cluster COMMAND [flags]\n\n${rows.join("\n")}\n\nEach takes -help.\n`;
}

/** The flag as it is typed, with its value. */
export function flagText(name: FlagName): string {
  const { value } = flagOf(name);
  return value === undefined ? `-${name}` : `-${name} ${value}`;
}

/** The usage line of a command. */
export function usageOf(name: CommandName): string {
  const { operands, flags } = lineOf(name);
  return ["number-dispenser", name, ...operands, ...(flags.length > 0 ? ["[flags]"] : [])].join(
    " ",
  );
}

function summaryRow(name: CommandName): string {
  return `  ${name.padEnd(16)}${lineOf(name).summary}`;
}

function programHelp(): string {
  const settingRows = keys.map((key) => {
    const { flag, path, variable, alias, unset, help } = settings[key];
    const name = flag === undefined ? "" : `-${flag}`;
    const variables = alias === undefined ? variable : `${variable}, ${alias}`;
    return `  ${name.padEnd(8)}${path.padEnd(26)}${variables.padEnd(20)}${help} (${unset})`;
  });
  return `number-dispenser ${version}: a server that hands out unique numbers to any Redis client

usage: number-dispenser [COMMAND] [flags]

${commandNames.map(summaryRow).join("\n")}

Each takes -help, which tells its flags. Those of the server, with one dash or two:

${flagRows("server")}
  -help, -version   show this, or the version

Flags win over the environment, the environment over the file, the file over defaults. All settings, as flag, place in the file, variable (after ${VARIABLE_PREFIX}), meaning (default):

${settingRows.join("\n")}

Users and their rights can be set only in the file.

${EXITS}
`;
}

function flagRows(name: CommandName): string {
  const { flags } = lineOf(name);
  return flags.map((flag) => `  ${flagText(flag).padEnd(18)}${flagOf(flag).help}`).join("\n");
}

/** The text of `COMMAND -help`. */
function commandHelp(name: CommandName): string {
  const { summary, details, failure, example, flags } = lineOf(name);
  return `number-dispenser ${name}: ${summary}

usage: ${usageOf(name)}

${wrap(details)}
${flags.length === 0 ? "" : `\n${flagRows(name)}\n`}
Exit status: 0 when it is done; 1: ${failure}; 2: bad usage.

  number-dispenser ${example}
`;
}

/** Breaks a text into lines. */
function wrap(text: string): string {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = `${lines.at(-1)} ${word}`.trimStart();
    if (line.length > WIDTH) lines.push(word);
    else lines[lines.length - 1] = line;
  }
  return lines.join("\n");
}
