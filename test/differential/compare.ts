/** Sends streams to both servers, some at a time, and shows what they answer. */

import { MISSING_CRLF, NOT_IN_A_TRANSACTION } from "./differences.ts";
import type { Outcome } from "./peer.ts";
import type { Servers } from "./servers.ts";
import { normalise, type Stream } from "./stream.ts";

/** So many streams are under way at once. */
const STREAMS_AT_ONCE_MAX = 16;
/** A report shows so many characters of a chunk and of a reply. */
const SHOWN_CHARACTERS_MAX = 200;

/** What a server answered, in lines that are quick to read when they differ. */
export interface Shown {
  readonly replies: readonly string[];
  readonly isClosedByServer: boolean;
}

export interface Compared {
  readonly redis: Shown;
  readonly ours: Shown;
}

/** Starts to send all streams; the comparison of each is there as soon as it is over. */
export function compareAll(
  servers: Promise<Servers>,
  streams: readonly Stream[],
): Promise<Compared>[] {
  const results = streams.map(() => Promise.withResolvers<Compared>());
  // Each is awaited by a test of its own, perhaps long after it failed.
  for (const { promise } of results) promise.catch(() => {});
  let next = 0;
  const work = async () => {
    while (next < streams.length) {
      const index = next++;
      const { resolve, reject } = results[index]!;
      await servers.then((both) => compare(both, streams[index]!)).then(resolve, reject);
    }
  };
  for (let count = 0; count < STREAMS_AT_ONCE_MAX; count++) void work();
  return results.map(({ promise }) => promise);
}

export async function compare(servers: Servers, stream: Stream): Promise<Compared> {
  const [redis, ours] = await Promise.all([
    servers.redis.exchange(stream),
    servers.ours.exchange(stream),
  ]);
  return { redis: show(redis, stream), ours: show(ours, stream) };
}

export function show({ replies, isClosedByServer }: Outcome, stream: Stream): Shown {
  const text = normalise(replies, stream.normalise);
  return { replies: text.split(/(?<=\n)/).map(escaped), isClosedByServer };
}

/** Bytes as they are written in the sources of the tests. */
export const escaped = (bytes: string) =>
  bytes.replace(/[^ -~]|\\/g, (byte) => {
    const known = { "\r": "\\r", "\n": "\\n", "\t": "\\t", "\\": "\\\\" }[byte];
    return known ?? `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });

/** How ours answers where it goes another way from there on (differences.ts). */
const PARTINGS = [
  MISSING_CRLF,
  NOT_IN_A_TRANSACTION,
  "-ERR dispenser not found",
  "-ERR unknown command",
].map(escaped);

/**
 * Whether both answered the same, up to where they are meant to differ: at one of the partings, and
 * for a client that wants no replies, which ours closes as any other. A wrong password is answered
 * late by ours, so that what it closes after it is not seen.
 */
export function isSame({ redis, ours }: Compared, stream: Stream): boolean {
  const isMuted = /reply/i.test(stream.chunks.join(""));
  const at = ours.replies.findIndex((reply, index) => reply !== redis.replies[index]);
  if (at >= 0) {
    const answer = ours.replies[at]!;
    const isMutedEnd = isMuted && answer === "" && ours.isClosedByServer;
    return isMutedEnd || PARTINGS.some((parting) => answer.startsWith(parting));
  }
  if (ours.replies.length !== redis.replies.length) return isMuted && ours.isClosedByServer;
  const closesAlike = redis.isClosedByServer === ours.isClosedByServer;
  return closesAlike || isMuted || redis.replies.join("").includes("WRONGPASS");
}

/** A stream on which they differ, and what each answered. */
export function report(stream: Stream, { redis, ours }: Compared): string {
  const chunks = stream.chunks.map((chunk) =>
    typeof chunk === "string"
      ? escaped(chunk).slice(0, SHOWN_CHARACTERS_MAX)
      : "(made from replies)",
  );
  const lines = [
    stream.name,
    ...chunks.map((chunk) => `  sends ${chunk}`),
    ...redis.replies.map((reply) => `  redis ${reply.slice(0, SHOWN_CHARACTERS_MAX)}`),
    ...(redis.isClosedByServer ? ["  redis closes"] : []),
    ...ours.replies.map((reply) => `  ours  ${reply.slice(0, SHOWN_CHARACTERS_MAX)}`),
    ...(ours.isClosedByServer ? ["  ours  closes"] : []),
  ];
  return lines.join("\n");
}
