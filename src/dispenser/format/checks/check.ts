/**
 * What a check of a format is: an interface without code. A new one is a file beside this one and a
 * line in table.ts.
 */

/** A check digit, or two, that a format computes over the rest of its text. */
export interface Check {
  /** The token's name in a format, as `luhn`. */
  readonly name: string;
  /** How many bytes it adds to the text. */
  readonly bytes: number;
  /** Whether it is over letters, too; otherwise it is over digits alone. */
  readonly takesLetters: boolean;
  /** Whether it stands in front of what it is over. */
  readonly isInFront: boolean;
  /**
   * Writes itself to `text[at]` and on: over the digits (and letters, where it takes them) in
   * text[from] up to but not including text[to]. Other bytes are passed over. Lower-case letters
   * count as upper-case ones.
   */
  write(text: Uint8Array, from: number, to: number, at: number): void;
}
