/**
 * Where this server is meant to answer otherwise than Redis, and why. Each is checked: both answer
 * what stands here, and one that does not differ any more fails.
 */

import { encodeRequest } from "../../../testkit/resp.ts";
import type { Outcome } from "./peer.ts";
import type { Shown } from "./scenes.ts";
import { ended, line, lines, type Stream, streamsOf } from "./stream.ts";

export interface Difference {
  readonly stream: Stream;
  readonly reason: string;
  readonly redis: Outcome;
  readonly ours: Outcome;
}

const PING = encodeRequest("PING");
const FENCED = "$32\r\nall that came before is answered\r\n";
const stays = (replies: string): Outcome => ({
  replies: replies + FENCED,
  isClosedByServer: false,
});
const waits = (replies: string): Outcome => ({ replies, isClosedByServer: false });
const closes = (replies: string): Outcome => ({ replies, isClosedByServer: true });

const differ = (
  name: string,
  reason: string,
  notation: Parameters<typeof streamsOf>[1][string],
  redis: Outcome,
  ours: Outcome,
): Difference => ({ stream: streamsOf("differs", { [name]: notation })[0]!, reason, redis, ours });

export const MISSING_CRLF = "-ERR Protocol error: expected CRLF after the bulk string\r\n";
export const NOT_IN_A_TRANSACTION = "-ERR Command not allowed inside a transaction\r\n";
const SKIPPED =
  "Redis skips two bytes behind a bulk, whatever they are; a client that counted wrongly would " +
  "then have others of its bytes taken for a request, perhaps for a GET";
const CACHING = "a client that caches a GET would repeat its number";
const TRACKING_REFUSED = `-ERR client-side caching is not available: ${CACHING}\r\n`;

export const differences: readonly Difference[] = [
  differ(
    "no CRLF behind a bulk",
    SKIPPED,
    `*1\r\n$4\r\nPINGxx${PING}`,
    stays("+PONG\r\n+PONG\r\n"),
    closes(MISSING_CRLF),
  ),
  differ(
    "LF CR behind a bulk",
    SKIPPED,
    `*2\r\n$4\r\nECHO\r\n$1\r\na\n\r${PING}`,
    stays("$1\r\na\r\n+PONG\r\n"),
    closes(MISSING_CRLF),
  ),
  differ(
    "a bulk that is longer than its length",
    SKIPPED,
    `*2\r\n$4\r\nECHO\r\n$3\r\nhello\r\n${PING}`,
    stays("$3\r\nhel\r\n+PONG\r\n"),
    closes(MISSING_CRLF),
  ),
  differ(
    "more than 1,048,576 arguments",
    "a request has a cap, so that a client cannot make the server keep gigabytes",
    ended("*1048577\r\n"),
    waits(""),
    closes("-ERR Protocol error: invalid multibulk length\r\n"),
  ),
  differ(
    "a bulk of more than 1 MiB",
    "a request has a cap, so that a client cannot make the server keep gigabytes",
    ended("*2\r\n$4\r\nECHO\r\n$1048576\r\n"),
    waits(""),
    closes("-ERR Protocol error: invalid bulk length\r\n"),
  ),
  differ(
    "arguments of more than 1 MiB together",
    "a request has a cap, so that a client cannot make the server keep gigabytes",
    ended(`*2\r\n$700000\r\n${"a".repeat(700_000)}\r\n$700000\r\n`),
    waits(""),
    closes("-ERR Protocol error: invalid bulk length\r\n"),
  ),
  differ(
    "CLIENT TRACKING ON",
    CACHING,
    line("CLIENT TRACKING ON"),
    stays("+OK\r\n"),
    stays(TRACKING_REFUSED),
  ),
  differ(
    "CLIENT CACHING",
    CACHING,
    line("CLIENT CACHING YES"),
    stays(
      "-ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or " +
        "OPTOUT mode enabled\r\n",
    ),
    stays(TRACKING_REFUSED),
  ),
  differ(
    "CLIENT SETINFO",
    "clients of today send it; Redis has it since 7.2",
    lines("CLIENT SETINFO lib-name a"),
    stays("-ERR unknown subcommand 'SETINFO'. Try CLIENT HELP.\r\n"),
    stays("+OK\r\n"),
  ),
  differ(
    "CLIENT NO-TOUCH",
    "clients of today send it; Redis has it since 7.2",
    lines("CLIENT NO-TOUCH ON"),
    stays("-ERR unknown subcommand 'NO-TOUCH'. Try CLIENT HELP.\r\n"),
    stays("+OK\r\n"),
  ),
  differ(
    "GET of a name there is not",
    "there is no value to answer, and a null would be taken for one",
    line("GET nosuch"),
    stays("$-1\r\n"),
    stays("-ERR dispenser not found: 'nosuch'\r\n"),
  ),
  differ(
    "WATCH",
    "no value of a dispenser can be watched: it changes whenever it is read",
    line("WATCH a"),
    stays("+OK\r\n"),
    stays("-ERR unknown command 'WATCH', with args beginning with: 'a' \r\n"),
  ),
];

const NEVER_CLOSES =
  "Redis closes a client once the last reply is written, and one that wants no replies never; " +
  "here it is closed as it asked";
const ANSWERS =
  "Redis drops replies of the same turn where a request of HTTP follows; here what was answered arrives";
const NO_PAUSE =
  "EXEC runs without a pause: what takes long with many dispensers or clients would hold up others";
const NAMES_OF_CLIENTS =
  "HELLO names a client once all else in it is right, as Redis does since 7.2: who has not logged in gets no name, " +
  "which others would see in CLIENT LIST";
const LONG_NAMES = "CLIENT LIST shows the names of all clients, so each has at most 255 bytes";
const NO_SILENCE = "in the middle of EXEC's array a missing reply would put the rest out of step";

/** Streams (streams.ts) on which this server is meant to differ: why, and what its answer contains. */
export const meantToDiffer: Readonly<Record<string, { reason: string; contains: string }>> = {
  "the end of a header: CR alone, of the bulk": { reason: SKIPPED, contains: MISSING_CRLF },
  "the end of a header: CR CR LF, of the bulk": { reason: SKIPPED, contains: MISSING_CRLF },
  "CLIENT REPLY: OFF, then QUIT": { reason: NEVER_CLOSES, contains: "" },
  "CLIENT REPLY: OFF, then a protocol error": { reason: NEVER_CLOSES, contains: "" },
  "CLIENT REPLY: OFF, then unbalanced quotes": { reason: NEVER_CLOSES, contains: "" },
  "CLIENT REPLY: SKIP, then QUIT": { reason: NEVER_CLOSES, contains: "" },
  "CLIENT REPLY: SKIP, then a protocol error": { reason: NEVER_CLOSES, contains: "" },
  "a line: a POST behind a good command": { reason: ANSWERS, contains: "+PONG\r\n" },
  "a transaction refused: an HTTP POST within one": { reason: ANSWERS, contains: "+QUEUED\r\n" },
  ...Object.fromEntries(
    [
      "a transaction: of commands on names",
      "a transaction: of commands that answer errors",
      "a transaction refused: a wrong count of a subcommand that takes any",
      "within a transaction: CLIENT KILL of nobody is queued",
      "within a transaction: the client kills itself",
    ].map((name) => [name, { reason: NO_PAUSE, contains: NOT_IN_A_TRANSACTION }]),
  ),
  ...Object.fromEntries(
    ["OFF is queued", "ON is queued", "SKIP is queued"].map((name) => [
      `within a transaction: CLIENT REPLY ${name}`,
      { reason: NO_SILENCE, contains: NOT_IN_A_TRANSACTION },
    ]),
  ),
  ...Object.fromEntries(
    [
      "HELLO: a name, then a wrong option",
      "HELLO: a name, then a bad name",
      "HELLO: a name, then a wrong user",
      "HELLO where a password is set: with a name",
    ].map((name) => [name, { reason: NAMES_OF_CLIENTS, contains: "$-1\r\n" }]),
  ),
  "CLIENT: SETNAME of 1,000 bytes": { reason: LONG_NAMES, contains: "at most 255 bytes" },
  "within a transaction: CLIENT REPLY OFF before MULTI": {
    reason: NO_SILENCE,
    contains: "",
  },
};

const RESETS =
  "Redis closes with input unread, which resets the connection: a client that reads late loses replies; here input " +
  "is read and thrown away until the client ends its side, too";
const DROPS =
  "Redis drops replies that the kernel has not taken; here a client has limits.request_seconds to read what was " +
  "answered, and a client that reads is not idle";
interface EndDifference {
  readonly reason: string;
  readonly redis: Partial<Shown>;
  readonly ours: Partial<Shown>;
}

/** A connection that Redis resets. */
const isReset = (ours: Partial<Shown>): EndDifference => ({
  reason: RESETS,
  redis: { end: "RST" },
  ours: { end: "FIN", ...ours },
});

const isCut: EndDifference = {
  reason: DROPS,
  redis: { isWhole: false },
  ours: { isWhole: true, end: "FIN" },
};

/** Scenes (scenes.ts) that are meant to end otherwise than with Redis: why, and what each shows. */
export const endsMeantToDiffer: Readonly<Record<string, EndDifference>> = {
  "QUIT with many requests behind it": isReset({ isWhole: true, last: ["OK", "OK"] }),
  "a protocol error with much input behind it": isReset({
    isWhole: true,
    last: ["OK", "ERR Protocol error: invalid bulk length"],
  }),
  "an HTTP POST with a long body": isReset({ isWhole: true, last: ["19999", "OK"] }),
  "an HTTP POST behind an answered request": {
    reason: ANSWERS,
    redis: { end: "FIN", isWhole: true, last: ["19999", "OK"] },
    ours: { end: "FIN", isWhole: true, last: ["OK", "PONG"] },
  },
  "CLIENT KILL with many unread replies": isCut,
  "the idle limit with many unread replies": isCut,
  "too many clients, one that goes on to send": isReset({}),
  "before AUTH: too many words, with much behind": isReset({
    last: [
      "NOAUTH Authentication required.",
      "ERR Protocol error: unauthenticated multibulk length",
    ],
  }),
  "before AUTH: a bulk too long, with much behind": isReset({
    last: ["ERR Protocol error: unauthenticated bulk length"],
  }),
};
