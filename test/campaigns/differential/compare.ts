/** Sends streams to both servers, some at a time, and shows what they answer. */

import { commands } from "../../../src/server/commands/table.ts";
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
export function escaped(bytes: string): string {
  return bytes.replace(/[^ -~]|\\/g, (byte) => {
    const known = { "\r": "\\r", "\n": "\\n", "\t": "\\t", "\\": "\\\\" }[byte];
    return known ?? `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}

/**
 * The replies at which ours goes a way of its own from there on, and what Redis answers in their
 * place, where that is told (differences.ts has the reasons).
 */
const PARTINGS: readonly { ours: RegExp; redis?: RegExp }[] = [
  { ours: exactly(MISSING_CRLF) },
  { ours: exactly(NOT_IN_A_TRANSACTION), redis: exactly("+QUEUED\r\n") },
  // A changed byte may make a GET or MGET of names there are not: nulls in Redis.
  { ours: /^-ERR dispenser not found: '/, redis: /^(\$-1|_|\*\d+)\\r\\n$/ },
];
const UNKNOWN = /^-ERR unknown command '([^']*)'/;

/** Whether both answered the same, or parted where they are meant to. */
export function isSame({ redis, ours }: Compared): boolean {
  const at = ours.replies.findIndex((reply, index) => reply !== redis.replies[index]);
  const left = redis.replies[at] ?? "";
  const right = ours.replies[at] ?? "";
  if (at >= 0 && PARTINGS.some((parting) => isParting(parting, left, right))) return true;
  if (at >= 0 && isOfRedisAlone(UNKNOWN.exec(right)?.[1]) && !UNKNOWN.test(left)) return true;
  return at < 0 && isEqual(redis, ours);
}

function isParting(parting: (typeof PARTINGS)[number], left: string, right: string): boolean {
  return parting.ours.test(right) && (parting.redis?.test(left) ?? true);
}

/** Whether a command is one that only Redis has. */
function isOfRedisAlone(name: string | undefined): boolean {
  return name !== undefined && !commands.has(name.toLowerCase());
}

function isEqual(redis: Shown, ours: Shown): boolean {
  const isAsLong = redis.replies.length === ours.replies.length;
  return isAsLong && redis.isClosedByServer === ours.isClosedByServer;
}

function exactly(reply: string): RegExp {
  return new RegExp(`^${RegExp.escape(escaped(reply))}$`);
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
