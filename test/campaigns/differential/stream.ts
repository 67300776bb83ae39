/** What a stream is, and a notation that keeps the lists of streams short. */

import type { Chunk } from "./peer.ts";

/** Replies that differ from one connection or server to the next, and are made the same. */
export type Normalisation = keyof typeof normalisations;

export interface Stream {
  readonly name: string;
  readonly chunks: readonly Chunk[];
  readonly isFenced: boolean;
  readonly normalise: readonly Normalisation[];
}

/** Bytes in one piece or in several, or more said about them by the functions below. */
type Notation = string | readonly Chunk[] | Omit<Stream, "name">;

/** Streams of a group, by their names. */
export function streamsOf(group: string, notations: Readonly<Record<string, Notation>>): Stream[] {
  return Object.entries(notations).map(([name, notation]) => ({
    name: `${group}: ${name}`,
    ...detailed(notation),
  }));
}

function detailed(notation: Notation): Omit<Stream, "name"> {
  const isPlain = typeof notation === "string" || Array.isArray(notation);
  if (!isPlain) return notation as Omit<Stream, "name">;
  const chunks = typeof notation === "string" ? [notation] : (notation as readonly Chunk[]);
  return { chunks, isFenced: true, normalise: [] };
}

/** The client ends in the middle: what follows the last byte is the end of the connection. */
export function ended(notation: Notation): Omit<Stream, "name"> {
  return { ...detailed(notation), isFenced: false };
}

/** Replies are normalised before they are compared. */
export function normalised(normalise: Normalisation[], notation: Notation): Omit<Stream, "name"> {
  return { ...detailed(notation), normalise };
}

/** An inline request. */
export const line = (text: string) => `${text}\r\n`;

/** Inline requests. */
export const lines = (...texts: string[]) => texts.map(line).join("");

export const normalisations = {
  /** Who HELLO says it is: name, version and the number of the connection. */
  greeting: (replies: string) =>
    replies.replace(
      /\$6\r\nserver\r\n\$\d+\r\n[^\r]+\r\n\$7\r\nversion\r\n\$\d+\r\n[^\r]+\r\n(\$5\r\nproto\r\n:[23]\r\n)\$2\r\nid\r\n:\d+\r\n/g,
      "<server, version>$1<id>",
    ),
  /** The number of a connection, how many commands there are. */
  integers: (replies: string) => replies.replace(/:[1-9]\d*\r\n/g, ":<integer>\r\n"),
  /** What the clock says: seconds and microseconds. */
  clock: (replies: string) =>
    replies.replace(/\$10\r\n\d{10}\r\n\$\d\r\n\d{1,6}\r\n/g, "<seconds><microseconds>"),
  /** Text for people, of which only the beginning of each reply is compared. */
  help: (replies: string) => replies.replace(/\*\d+\r\n(\+[^\r]*\r\n)+/g, "<lines of help>\r\n"),
  /** A line about a client. */
  client: (replies: string) =>
    replies.replace(/(?:\$\d+\r\n|=\d+\r\ntxt:)id=[^\r]*\n\r\n/g, (text) =>
      text.startsWith("$") ? "<bulk: client>\r\n" : "<verbatim: client>\r\n",
    ),
};

/** Replies as they are compared. The greeting is unmistakable, and so always normalised. */
export function normalise(replies: string, names: readonly Normalisation[]): string {
  return ["greeting" as const, ...names].reduce(
    (text, name) => normalisations[name](text),
    replies,
  );
}
