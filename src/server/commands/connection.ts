/** The commands about the connection itself, such as those that clients send when they connect. */

import { redisVersion } from "../../base/version.ts";
import { DEFAULT_USER } from "../../config/load.ts";
import { toText } from "../../dispenser/name.ts";
import { refuseName } from "./client.ts";
import { type Call, type Command, readInteger, upToNul } from "./command.ts";

const NO_PASSWORD =
  "ERR AUTH <password> called without any password configured for the default user. " +
  "Are you sure your configuration is correct?";
const WRONG_PASSWORD = "WRONGPASS invalid username-password pair or user is disabled.";
/** The delay of the reply to a wrong password. Until then the connection waits. */
const WRONG_ANSWERED_AFTER_MS = 1000;
const HELLO_NEEDS_AUTH =
  "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> " +
  "<pass> option can be used to authenticate the client and select the RESP protocol version at " +
  "the same time";
const SYNTAX_ERROR = "ERR syntax error";
const INT32_MIN = -(2n ** 31n);
const INT32_MAX = 2n ** 31n - 1n;

/** HELLO: a log-in takes effect when it is read, the name and the protocol at the end. */
function hello(call: Call): void {
  const { session, replies, args } = call;
  const [protocol, ...options] = args;
  let name: string | undefined;
  const wanted = protocol === undefined ? BigInt(replies.version) : readInteger(protocol);
  if (wanted === undefined) {
    return replies.error("ERR Protocol version is not an integer or out of range");
  }
  if (wanted !== 2n && wanted !== 3n) return replies.error("NOPROTO unsupported protocol version");
  for (let at = 0; at < options.length; ) {
    const option = options[at]!.toLowerCase();
    if (option === "auth" && at + 2 < options.length) {
      if (!logIn(call, options[at + 1]!, options[at + 2]!)) return;
      at += 3;
    } else if (option === "setname" && at + 1 < options.length) {
      name = options[at + 1]!;
      const refusal = refuseName(name);
      if (refusal !== undefined) return replies.error(refusal.message);
      at += 2;
    } else {
      return replies.error(`ERR Syntax error in HELLO option '${upToNul(options[at]!)}'`);
    }
  }
  if (session.user === undefined) return replies.error(HELLO_NEEDS_AUTH);
  session.name = name ?? session.name;
  replies.version = wanted === 2n ? 2 : 3;
  writeGreeting(call);
}

function writeGreeting({ session, replies }: Call): void {
  replies.map(7);
  replies.bulk("server");
  replies.bulk("number-dispenser");
  replies.bulk("version");
  // As INFO has it: clients look here for what the server can do.
  replies.bulk(redisVersion);
  replies.bulk("proto");
  replies.integer(replies.version);
  replies.bulk("id");
  replies.integer(session.id);
  replies.bulk("mode");
  replies.bulk("standalone");
  replies.bulk("role");
  replies.bulk("master");
  replies.bulk("modules");
  replies.array(0);
}

/**
 * Logs in. If it fails, it appends the error, with a delay that makes guessing slow, and logs it.
 */
function logIn({ server, session, replies }: Call, name: string, password: string): boolean {
  const user = server.access.logIn(name, password);
  if (user !== undefined) {
    session.user = user;
    return true;
  }
  server.summaries.warning("wrong password", { client: session.address, user: toText(name) });
  // EXEC cannot wait. To be queued there, the client has logged in before.
  if (session.isInTransaction) replies.error(WRONG_PASSWORD);
  else session.block(server.sleep(WRONG_ANSWERED_AFTER_MS).then(() => answerWrong(replies)));
  return false;
}

/** Apart, so that what waits does not keep the password that was tried. */
function answerWrong(replies: Call["replies"]): () => void {
  return () => replies.error(WRONG_PASSWORD);
}

function authenticate(call: Call): void {
  const { server, replies, args } = call;
  const [first, second] = args as [string, string | undefined];
  if (args.length > 2) return replies.error(SYNTAX_ERROR);
  if (second === undefined && !server.access.hasDefaultPassword) return replies.error(NO_PASSWORD);
  const [user, password] = second === undefined ? [DEFAULT_USER, first] : [first, second];
  if (logIn(call, user, password)) replies.simple("OK");
}

function selectDatabase({ replies, args }: Call): void {
  const index = readInteger(args[0]!);
  if (index === undefined) return replies.error("ERR value is not an integer or out of range");
  if (index < INT32_MIN || index > INT32_MAX) {
    return replies.error(
      `ERR value is out of range, value must between ${INT32_MIN} and ${INT32_MAX}`,
    );
  }
  if (index !== 0n) return replies.error("ERR DB index is out of range");
  replies.simple("OK");
}

function reset({ server, session, replies }: Call): void {
  session.user = server.access.anonymous;
  session.transaction = undefined;
  // As in Redis, CLIENT REPLY SKIP hides this reply, too.
  if (session.replyMode !== "skip") session.replyMode = "on";
  session.name = "";
  replies.version = 2;
  replies.simple("RESET");
}

const common = { keys: [0, 0], group: "connection" } as const;

export const connectionCommands: readonly Command[] = [
  {
    ...common,
    name: "hello",
    arity: -1,
    flags: ["fast", "loading", "stale", "noscript", "no_auth"],
    summary: "Chooses the protocol, RESP2 or RESP3, logs in and names the client",
    run: hello,
  },
  {
    ...common,
    name: "auth",
    arity: -2,
    flags: ["fast", "loading", "stale", "noscript", "no_auth"],
    summary: "Logs in, as the default user or as the one named",
    run: authenticate,
  },
  {
    ...common,
    name: "ping",
    arity: -1,
    flags: ["fast"],
    summary: "Answers PONG, or the message",
    run: ({ replies, args }) => {
      if (args.length > 1) replies.error("ERR wrong number of arguments for 'ping' command");
      else if (args.length === 1) replies.bulk(args[0]!);
      else replies.simple("PONG");
    },
  },
  {
    ...common,
    name: "echo",
    arity: 2,
    flags: ["fast"],
    summary: "Answers the message",
    run: ({ replies, args }) => replies.bulk(args[0]!),
  },
  {
    ...common,
    name: "select",
    arity: 2,
    flags: ["fast", "loading", "stale"],
    summary: "Chooses the database; there is only 0",
    run: selectDatabase,
  },
  {
    ...common,
    name: "reset",
    arity: 1,
    flags: ["fast", "loading", "stale", "noscript", "no_auth"],
    summary: "Makes the connection as it was when it began",
    run: reset,
  },
  {
    ...common,
    name: "quit",
    arity: -1,
    flags: ["fast", "loading", "stale", "noscript", "no_auth"],
    summary: "Ends the connection",
    run: ({ session, replies }) => {
      session.closes = true;
      replies.simple("OK");
    },
  },
];
