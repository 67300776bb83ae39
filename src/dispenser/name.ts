/**
 * Names of dispensers. Inside the server a name, like every text from a client, is a byte string:
 * one character for each byte (latin1), so that no two different byte sequences become one name.
 */

import { quoted, Refusal } from "../base/errors.ts";

const NAME_BYTES_MAX = 255;
/** What a name may be, for error texts. */
export const NAMES_ALLOWED = `a name is 1 to ${NAME_BYTES_MAX} bytes of UTF-8 without control characters and white space`;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const forbidden = /[\p{Cc}\p{White_Space}]/u;

/** Whether a byte string may name a dispenser: 1 to 255 bytes of UTF-8, no control or space. */
export function isName(bytes: string): boolean {
  if (bytes.length === 0 || bytes.length > NAME_BYTES_MAX) return false;
  try {
    return !forbidden.test(utf8.decode(Buffer.from(bytes, "latin1")));
  } catch {
    return false;
  }
}

/** Why this byte string may not name a dispenser, and what may. */
export function invalidName(bytes: string): Refusal {
  return new Refusal(`ERR invalid dispenser name: ${NAMES_ALLOWED}, not ${quoted(bytes)}`);
}

/** ASCII is the same either way, and most names are that. */
const beyondAscii = /\P{ASCII}/u;

/** A byte string as text, for people and for SQL. */
export function toText(bytes: string): string {
  if (!beyondAscii.test(bytes)) return bytes;
  return Buffer.from(bytes, "latin1").toString("utf8");
}

/** A text as the byte string of its UTF-8. */
export function toBytes(text: string): string {
  if (!beyondAscii.test(text)) return text;
  return Buffer.from(text, "utf8").toString("latin1");
}
