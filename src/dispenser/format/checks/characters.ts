/**
 * Digits and letters as the values that checks count with, and values as characters. Every check
 * reads a byte through one table, so that all of them pass over the same bytes.
 */

/** The largest value of a digit. */
export const DIGIT_MAX = 9;
/** The largest value of a letter: A is 10, Z is 35. */
export const LETTER_MAX = 35;
/** The value of every other byte: larger than that of any digit or letter. */
const NONE = 255;

const CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** The value of each byte: 0 to 35, above LETTER_MAX where it is neither digit nor letter. */
export const VALUE_OF_BYTE = new Uint8Array(256).fill(NONE);
/** The byte of each value from 0 to 35, letters in upper case. */
export const BYTE_OF_VALUE = Uint8Array.from(CHARACTERS, (character) => character.charCodeAt(0));

for (let value = 0; value <= LETTER_MAX; value++) {
  VALUE_OF_BYTE[BYTE_OF_VALUE[value]!] = value;
  VALUE_OF_BYTE[CHARACTERS[value]!.toLowerCase().charCodeAt(0)] = value;
}

/** A table of digits, from its rows as texts. */
export const digitsOf = (...rows: readonly string[]): Uint8Array =>
  Uint8Array.from(rows.join(""), Number);
