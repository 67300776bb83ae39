/** The command line of a soak: whole numbers, each with a default. */

import { readFlags, refuseFlags } from "../../testkit/flags.ts";

/** An arbitrary seed, from the clock. */
export const anySeed = () => Date.now() % 1_000_000_000;

/** Reads `--name number` for each name; `text` is an option whose value is a text. Exits with 2 on bad usage. */
export function soakArguments<Name extends string>(
  defaults: Readonly<Record<Name, number>>,
  text?: string,
): Record<Name, number> & { text: string | undefined } {
  const names = Object.keys(defaults) as Name[];
  const options = names.map((name) => `[--${name} N]`);
  if (text !== undefined) options.push(`[--${text} TEXT]`);
  const usage = `usage: ${options.join(" ")}`;
  const values: Record<string, string | undefined> = readFlags(usage, [
    ...names,
    ...(text === undefined ? [] : [text]),
  ]);
  const numbers = names.map((name) => {
    const given = values[name];
    if (given === undefined) return [name, defaults[name]];
    if (!/^[0-9]{1,15}$/.test(given))
      return refuseFlags(`--${name}: '${given}' must be a whole number`, usage);
    return [name, Number(given)];
  });
  return { ...Object.fromEntries(numbers), text: text === undefined ? undefined : values[text] };
}
