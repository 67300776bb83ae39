/** The commands about the connection itself: what clients send when they connect, and small talk. */

import { quoted, Refusal } from "../../refusal.ts";
import { version } from "../../version.ts";
import type { Call, Command, Session } from "../command.ts";
import { writeHelp } from "./help.ts";

const NO_PASSWORD =
  "ERR AUTH <password> called without any password configured for the default user. " +
  "Are you sure your configuration is correct?";
const WRONG_PASSWORD = "WRONGPASS invalid username-password pair or user is disabled.";
const TRACKING_REFUSED =
  "ERR client-side caching is not available: a client that caches a GET would repeat its number";
const SYNTAX_ERROR = "ERR syntax error";

/** No passwords are kept, so the default user, whom Redis calls nopass, may have any. */
function mayLogIn(user: string): boolean {
  return user === "default";
}

function hello(call: Call): void {
  const { session, replies, args } = call;
  const refusal = greet(session, args);
  if (refusal !== undefined) return replies.error(refusal.message);
  replies.map(7);
  replies.bulk("server");
  replies.bulk("number-dispenser");
  replies.bulk("version");
  replies.bulk(version);
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

/** HELLO's options; nothing of them takes effect unless all of them are right. */
function greet(session: Session, args: readonly string[]): Refusal | undefined {
  const [protocol, ...options] = args;
  if (protocol === undefined) return undefined;
  if (!/^-?[0-9]{1,18}$/.test(protocol)) {
    return new Refusal("ERR Protocol version is not an integer or out of range");
  }
  const wanted = Number(protocol);
  if (wanted !== 2 && wanted !== 3) return new Refusal("NOPROTO unsupported protocol version");
  let name: string | undefined;
  for (let at = 0; at < options.length; ) {
    const option = options[at]!.toLowerCase();
    if (option === "auth" && at + 2 < options.length) {
      if (!mayLogIn(options[at + 1]!)) return new Refusal(WRONG_PASSWORD);
      at += 3;
    } else if (option === "setname" && at + 1 < options.length) {
      name = options[at + 1]!;
      if (!isPrintable(name)) return unprintable("Client names");
      at += 2;
    } else {
      return new Refusal(`ERR Syntax error in HELLO option ${quoted(options[at]!)}`);
    }
  }
  session.name = name ?? session.name;
  session.replies.version = wanted;
  return undefined;
}

/** Without spaces and control characters, as a line of CLIENT LIST needs it. */
function isPrintable(text: string): boolean {
  return /^[!-~]*$/.test(text);
}

function unprintable(what: string): Refusal {
  return new Refusal(`ERR ${what} cannot contain spaces, newlines or special characters.`);
}

function authenticate({ replies, args }: Call): void {
  if (args.length > 2) return replies.error(SYNTAX_ERROR);
  if (args.length === 1) return replies.error(NO_PASSWORD);
  if (!mayLogIn(args[0]!)) return replies.error(WRONG_PASSWORD);
  replies.simple("OK");
}

function describeSession(call: Call, session: Session): string {
  const { server } = call;
  const age = Math.floor((server.now() - session.connectedAtMs) / 1000);
  return [
    `id=${session.id}`,
    `addr=${session.address}`,
    `name=${session.name}`,
    `age=${age}`,
    "db=0",
    "user=default",
    `resp=${session.replies.version}`,
    `lib-name=${session.library}`,
    `lib-ver=${session.libraryVersion}`,
  ].join(" ");
}

/** Subcommands of CLIENT: how many words each takes, and what it does. */
const clientCommands: Record<
  string,
  { words: number; run: (call: Call, words: string[]) => void }
> = {
  id: { words: 0, run: ({ session, replies }) => replies.integer(session.id) },
  getname: {
    words: 0,
    run: ({ session, replies }) =>
      session.name === "" ? replies.null() : replies.bulk(session.name),
  },
  setname: {
    words: 1,
    run: ({ session, replies }, [name]) => {
      if (!isPrintable(name!)) return replies.error(unprintable("Client names").message);
      session.name = name!;
      replies.simple("OK");
    },
  },
  setinfo: {
    words: 2,
    run: ({ session, replies }, [option, value]) => {
      const field = option!.toLowerCase();
      if (field !== "lib-name" && field !== "lib-ver") {
        return replies.error(`ERR Unrecognized option ${quoted(option!)}`);
      }
      if (!isPrintable(value!)) return replies.error(unprintable(field).message);
      session[field === "lib-name" ? "library" : "libraryVersion"] = value!;
      replies.simple("OK");
    },
  },
  info: {
    words: 0,
    run: (call) => call.replies.verbatim(`${describeSession(call, call.session)}\n`),
  },
  list: {
    words: 0,
    run: (call) => {
      const lines = [...call.server.sessions].map((session) => describeSession(call, session));
      call.replies.verbatim(`${lines.join("\n")}\n`);
    },
  },
  // Nothing is ever evicted or touched: both are true however they are set.
  "no-evict": { words: 1, run: answerSwitch },
  "no-touch": { words: 1, run: answerSwitch },
  tracking: {
    words: 1,
    run: ({ replies }, [state]) =>
      state!.toLowerCase() === "off" ? replies.simple("OK") : replies.error(TRACKING_REFUSED),
  },
  help: {
    words: 0,
    run: ({ replies }) => writeHelp(replies, "client", Object.keys(clientCommands)),
  },
  caching: { words: 1, run: ({ replies }) => replies.error(TRACKING_REFUSED) },
};

function answerSwitch({ replies }: Call, [state]: string[]): void {
  if (/^(on|off)$/i.test(state!)) replies.simple("OK");
  else replies.error(SYNTAX_ERROR);
}

function client(call: Call): void {
  const [name, ...words] = call.args as [string, ...string[]];
  const lower = name.toLowerCase();
  const command = Object.hasOwn(clientCommands, lower) ? clientCommands[lower] : undefined;
  if (command === undefined) {
    return call.replies.error(`ERR unknown subcommand ${quoted(name)}. Try CLIENT HELP.`);
  }
  // TRACKING takes options behind ON, which is refused whatever they are.
  if (words.length !== command.words && !(lower === "tracking" && words.length > 0)) {
    return call.replies.error(`ERR wrong number of arguments for 'client|${lower}' command`);
  }
  command.run(call, words);
}

function selectDatabase({ replies, args }: Call): void {
  if (!/^-?[0-9]{1,9}$/.test(args[0]!)) {
    return replies.error("ERR value is not an integer or out of range");
  }
  if (Number(args[0]) !== 0) return replies.error("ERR DB index is out of range");
  replies.simple("OK");
}

export const connectionCommands: readonly Command[] = [
  {
    name: "hello",
    arity: -1,
    flags: ["fast", "loading", "stale", "noscript"],
    keys: [0, 0],
    group: "connection",
    summary: "Chooses the protocol, RESP2 or RESP3, and names the client",
    run: hello,
  },
  {
    name: "auth",
    arity: -2,
    flags: ["fast", "loading", "stale", "noscript"],
    keys: [0, 0],
    group: "connection",
    summary: "Logs in",
    run: authenticate,
  },
  {
    name: "client",
    arity: -2,
    flags: ["loading", "stale", "noscript"],
    keys: [0, 0],
    group: "connection",
    summary: "Names this client and lists clients",
    run: client,
  },
  {
    name: "ping",
    arity: -1,
    flags: ["fast"],
    keys: [0, 0],
    group: "connection",
    summary: "Answers PONG, or the message",
    run: ({ replies, args }) => {
      if (args.length > 1) replies.error("ERR wrong number of arguments for 'ping' command");
      else if (args.length === 1) replies.bulk(args[0]!);
      else replies.simple("PONG");
    },
  },
  {
    name: "echo",
    arity: 2,
    flags: ["fast"],
    keys: [0, 0],
    group: "connection",
    summary: "Answers the message",
    run: ({ replies, args }) => replies.bulk(args[0]!),
  },
  {
    name: "select",
    arity: 2,
    flags: ["fast", "loading", "stale"],
    keys: [0, 0],
    group: "connection",
    summary: "Chooses the database; there is only 0",
    run: selectDatabase,
  },
  {
    name: "reset",
    arity: 1,
    flags: ["fast", "loading", "stale", "noscript"],
    keys: [0, 0],
    group: "connection",
    summary: "Makes the connection as it was when it began",
    run: ({ session, replies }) => {
      session.name = "";
      replies.version = 2;
      replies.simple("RESET");
    },
  },
  {
    name: "quit",
    arity: -1,
    flags: ["fast", "loading", "stale", "noscript"],
    keys: [0, 0],
    group: "connection",
    summary: "Ends the connection",
    run: ({ session, replies }) => {
      session.closes = true;
      replies.simple("OK");
    },
  },
];
