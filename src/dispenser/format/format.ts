/**
 * The text around a number: an interface, and the format that adds nothing. A format that adds
 * something is a file beside this one.
 */

import type { NumberSource } from "../types/type.ts";

export interface Format {
  /** Writes each number of a source with the text around it. */
  open(source: NumberSource): NumberSource;
}

/** The number alone, as its type writes it. */
export const plainFormat: Format = { open: (source) => source };
