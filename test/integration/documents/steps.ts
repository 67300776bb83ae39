/** The commands of a document: what a reader would type, and what the document shows as the answer. */

const REDIS_PROMPT = /^127\.0\.0\.1:6380(?:\(TX\))?> (.*)$/;
const SHELL_PROMPT = /^\$ (.*)$/;

/** A command for a shell; `output` where the document shows one. */
export interface ShellStep {
  readonly kind: "shell";
  readonly command: string;
  readonly output: string | undefined;
}

/** Commands typed into one redis-cli, and all that it shows. */
export interface SessionStep {
  readonly kind: "session";
  readonly commands: readonly string[];
  readonly output: string;
}

export type Step = ShellStep | SessionStep;

/** The blocks of code in a language, as they stand in a document. */
export function blocksOf(markdown: string, language: string): string[] {
  const fence = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm");
  return [...markdown.matchAll(fence)].map(([, text]) => text!);
}

/** The steps of a document's blocks of `sh` and `console`, in its order. */
export function stepsOf(markdown: string): Step[] {
  const steps: Step[] = [];
  for (const [, language, text] of markdown.matchAll(/^```(sh|console)\n([\s\S]*?)^```$/gm)) {
    if (language === "sh") steps.push(...shellSteps(text!));
    else steps.push(...consoleSteps(text!));
  }
  return steps;
}

function shellSteps(text: string): ShellStep[] {
  const lines = text.replaceAll("\\\n", " ").split("\n");
  return lines.flatMap((line) => {
    const command = line.replace(/(^|\s+)# .*$/, "").trim();
    return command === "" ? [] : [{ kind: "shell" as const, command, output: undefined }];
  });
}

function consoleSteps(text: string): Step[] {
  const steps: { kind: "shell" | "session"; commands: string[]; output: string[] }[] = [];
  for (const line of text.trimEnd().split("\n")) {
    const shell = SHELL_PROMPT.exec(line)?.[1];
    const redis = REDIS_PROMPT.exec(line)?.[1];
    const last = steps.at(-1);
    if (shell !== undefined) steps.push({ kind: "shell", commands: [shell], output: [] });
    else if (redis === undefined) last!.output.push(line);
    else if (last?.kind === "session") last.commands.push(redis);
    else steps.push({ kind: "session", commands: [redis], output: [] });
  }
  return steps.map(({ kind, commands, output }) =>
    kind === "shell"
      ? { kind, command: commands[0]!, output: output.join("\n") }
      : { kind, commands, output: output.join("\n") },
  );
}

/**
 * What is shown as a pattern: an ellipsis is anything on a line, and twelve digits in quotes are any twelve, as of a random
 * number.
 */
export function patternOf(output: string): RegExp {
  const escaped = output.trimEnd().replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const loose = escaped.replaceAll("…", ".*").replace(/"\d{12}"/g, '"\\d{12}"');
  return new RegExp(`^${loose}$`);
}
