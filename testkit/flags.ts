/** The command line of a bench or a campaign: flags with one dash or two. */

import { parseArgs } from "node:util";

/** The values of the given flags; "" for a switch. Ends the process on any other word. */
export function readFlags<Name extends string>(
  usage: string,
  names: readonly Name[],
  switches: readonly Name[] = [],
): Partial<Record<Name, string>> {
  const options = Object.fromEntries([
    ...names.map((name) => [name, { type: "string" }] as const),
    ...switches.map((name) => [name, { type: "boolean" }] as const),
  ]);
  const args = process.argv.slice(2).map((word) => word.replace(/^-(?=[a-z])/, "--"));
  try {
    const given = Object.entries(parseArgs({ args, options }).values);
    const texts = given.map(([name, value]) => [name, value === true ? "" : value]);
    return Object.fromEntries(texts);
  } catch (error) {
    return refuseFlags((error as Error).message, usage);
  }
}

/** Ends the process with the exit status for wrong usage. */
export function refuseFlags(reason: string, usage: string): never {
  console.error(`${reason}\n${usage}`);
  process.exit(2);
}
