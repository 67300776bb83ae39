/** The command line of a campaign: whole numbers, each with a default. */

import { parseArgs } from "node:util";

/** A seed nobody chose. */
export const anySeed = () => Date.now() % 1_000_000_000;

/** Reads `--name number` for each name; `text` is an option that is no number. Exits with 2. */
export function campaignArguments<Name extends string>(
  defaults: Readonly<Record<Name, number>>,
  text?: string,
): Record<Name, number> & { text: string | undefined } {
  const names = Object.keys(defaults) as Name[];
  const options = Object.fromEntries(
    [...names, ...(text === undefined ? [] : [text])].map((name) => [name, { type: "string" }]),
  ) as Record<string, { type: "string" }>;
  const usage = (why: string): never => {
    console.error(`${why}\nusage: ${names.map((name) => `[--${name} N]`).join(" ")}`);
    process.exit(2);
  };
  let values: Record<string, string | undefined>;
  try {
    ({ values } = parseArgs({ options }));
  } catch (error) {
    return usage((error as Error).message);
  }
  const numbers = names.map((name) => {
    const given = values[name];
    if (given === undefined) return [name, defaults[name]];
    if (!/^[0-9]{1,15}$/.test(given)) usage(`--${name}: '${given}' must be a whole number`);
    return [name, Number(given)];
  });
  return { ...Object.fromEntries(numbers), text: text === undefined ? undefined : values[text] };
}
