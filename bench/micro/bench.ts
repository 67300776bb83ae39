/** Defines a bench of mitata; in the tests, calls the measured function a few times instead. */

import { bench as measure } from "mitata";
import { isSmall } from "../support/flags.ts";

const SMALL_CALLS = 3;

export function bench(title: string, work: () => void): void {
  if (isSmall) for (let call = 0; call < SMALL_CALLS; call++) work();
  else measure(title, work);
}
