/**
 * docs/CONFIGURATION.md, made from the program's own tables: `bun scripts/reference.ts` writes it, and a test fails
 * where it says something else.
 */

import { join } from "node:path";
import { commandNames } from "../src/cli/commands.ts";
import { helpText } from "../src/cli/help.ts";
import { keys, VARIABLE_PREFIX } from "../src/config/load.ts";
import { rights, type Setting, settings } from "../src/config/settings.ts";

export const REFERENCE = join(import.meta.dir, "../docs/CONFIGURATION.md");

const MEANING: Record<string, string> = {
  server: "Where clients reach it",
  tls: "TLS",
  access: "Passwords",
  storage: "The data",
  cluster: "Nodes without a store",
  limits: "Limits",
  log: "The log",
};

/** The page. */
export function reference(): string {
  const all = keys.map((key) => settings[key]);
  const sections = [...new Set(all.map(({ path }) => path.split(".")[0]!))];
  const tables = sections.map((section) => {
    const rows = all.filter(({ path }) => path.startsWith(`${section}.`)).map(row);
    return `### ${MEANING[section]}: \`${section}\`

| setting | variable ${VARIABLE_PREFIX}… | flag | default | allowed | meaning |
| --- | --- | --- | --- | --- | --- |
${rows.join("\n")}`;
  });
  return `# Configuration

This page is made from the program's own tables (\`bun scripts/reference.ts\`).

A setting can be given as a flag, as an environment variable, or in a YAML file; a flag wins over the variable, that
over the file, that over the default. The file is the one that \`-config\` names, or ${VARIABLE_PREFIX}CONFIG, or
\`config/config.yaml\` where that exists; [config/config.yaml](../config/config.yaml) has them all with their
defaults. A list is written as \`[a, b]\` in the file, and as \`a b\` elsewhere. What is unknown in the file, or has a value that is
not allowed, is refused with its line; an unknown variable is warned of. Secrets are best given as variables:
everyone on a machine may see the flags of a process.

Those marked * can be changed while the server runs, until it stops: \`CONFIG SET limits.clients 500\`.

## Settings

${tables.join("\n\n")}

### Users: \`access.users\`

They stand in the file alone. Once there is one, everybody has to log in.

| setting | allowed | meaning |
| --- | --- | --- |
| \`access.users.NAME.password\` | ${cell(settings.requirepass.allowed)} | the password; NAME is printable ASCII without spaces, and not \`default\` |
| \`access.users.NAME.rights\` | some of ${rights.map((right) => `\`${right}\``).join(", ")} | which commands: [COMMANDS.md](COMMANDS.md#rights) |
| \`access.users.NAME.names\` | patterns, as those of \`KEYS\` | which dispensers; all where it is left out |

## The command line

${["```text", helpText().split("\n\nFlags win over")[0], "```"].join("\n")}

${commandNames.map((name) => `### number-dispenser ${name}\n\n\`\`\`text\n${helpText(name).trimEnd()}\n\`\`\``).join("\n\n")}
`;
}

function row({ path, variable, alias, flag, unset, allowed, help, isLive }: Setting<unknown>) {
  const variables = [variable, ...(alias === undefined ? [] : [alias])];
  return `| ${[
    `\`${path}\`${isLive ? " *" : ""}`,
    variables.map((name) => `\`${name}\``).join(", "),
    flag === undefined ? "" : `\`-${flag}\``,
    unset === "" ? "none" : `\`${unset}\``,
    cell(allowed),
    cell(help),
  ].join(" | ")} |`;
}

/** A text that may stand in a table. */
function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("*", "\\*");
}

if (import.meta.main) await Bun.write(REFERENCE, reference());
