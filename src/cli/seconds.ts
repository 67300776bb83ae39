/** The flags -seconds and -timeout. */

import { shownText } from "../base/secrets.ts";
import { UsageError } from "../config/file.ts";

/** The seconds that a flag gives. Throws UsageError. */
export function secondsIn(
  flags: ReadonlyMap<string, string>,
  flag: "seconds" | "timeout",
  unset: number,
): number {
  const text = flags.get(flag) ?? String(unset);
  const seconds = /^\d{1,2}(\.\d{1,3})?$/.test(text) ? Number(text) : 0;
  if (seconds >= 0.1 && seconds <= 60) return seconds;
  throw new UsageError(`-${flag}: '${shownText(text)}' must be a number from 0.1 to 60`);
}
