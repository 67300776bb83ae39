/**
 * The flags -margin and -confirm. -margin is how many numbers each line moves ahead, which only the
 * operator can know; -confirm says that the operator accepts the risk that remains.
 */

import { shownText } from "../base/secrets.ts";
import { UsageError } from "../config/file.ts";
import { NUMBER_MAX, parseNumber } from "../dispenser/types/whole-number.ts";

type Flags = ReadonlyMap<string, string>;

/** The number of -margin; undefined if it is not given. Throws UsageError. */
export function marginIn(flags: Flags): bigint | undefined {
  const text = flags.get("margin");
  if (text === undefined) return undefined;
  const margin = parseNumber(text);
  if (margin !== undefined) return margin;
  throw new UsageError(
    `-margin: '${shownText(text)}' must be a whole number from 0 to ${NUMBER_MAX}`,
  );
}

/** Throws UsageError without -confirm; `danger` is the risk that the operator has to accept. */
export function requireConfirmed(flags: Flags, command: string, danger: string): void {
  if (!flags.has("confirm")) throw new UsageError(`${command} needs -confirm: ${danger}`);
}

/**
 * The number of -margin for a command that needs both flags. `covered` completes the sentence "how
 * many numbers of each line may have been …". Throws UsageError.
 */
export function confirmedMargin(
  flags: Flags,
  command: string,
  covered: string,
  danger: (margin: bigint) => string,
): bigint {
  const margin = marginIn(flags);
  if (margin === undefined) {
    throw new UsageError(
      `${command} needs -margin N: how many numbers of each line may have been ${covered}; each line skips so many`,
    );
  }
  requireConfirmed(flags, command, danger(margin));
  return margin;
}
