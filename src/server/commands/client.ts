/** CLIENT: shows connections, names them, ends them and sets their modes. */

import { quoted, Refusal } from "../../base/errors.ts";
import {
  type Call,
  type ReplyMode,
  readInteger,
  type ServerForCommands,
  type Session,
  upToNul,
} from "./command.ts";
import { container } from "./subcommands.ts";

const TRACKING_REFUSED =
  "ERR client-side caching is not available: a client that caches a GET would repeat its number";
const SYNTAX_ERROR = "ERR syntax error";

/** Whether a text has no spaces and control characters, which would break a line of CLIENT LIST. */
function isPrintable(text: string): boolean {
  return /^[!-~]*$/.test(text);
}

function unprintable(what: string): Refusal {
  return new Refusal(`ERR ${what} cannot contain spaces, newlines or special characters.`);
}

/** How many bytes the names of a client, its library and the version of that may have. */
const NAME_BYTES_MAX = 255;

/** Why a client, or its library, may not have this name; undefined if it may. */
export function refuseName(name: string, what = "Client names"): Refusal | undefined {
  if (!isPrintable(name)) return unprintable(what);
  if (name.length <= NAME_BYTES_MAX) return undefined;
  return new Refusal(
    `ERR ${what} may have at most ${NAME_BYTES_MAX} bytes, and this has ${name.length}`,
  );
}

/** A line of CLIENT LIST: the fields of Redis 7; those that do not apply have constant values. */
function describeSession({ server }: Call, session: Session): string {
  const seconds = (sinceMs: number) => Math.floor((server.now() - sinceMs) / 1000);
  const { requestBytes, replyBytes, transaction } = session;
  const fields = {
    id: session.id,
    addr: session.address,
    laddr: session.localAddress,
    fd: -1,
    name: session.name,
    age: seconds(session.connectedAtMs),
    idle: seconds(session.lastActiveMs),
    flags: transaction === undefined ? "N" : "x",
    db: 0,
    sub: 0,
    psub: 0,
    ssub: 0,
    multi: transaction === undefined ? -1 : transaction.queue.length,
    qbuf: requestBytes,
    "qbuf-free": 0,
    "argv-mem": 0,
    "multi-mem": transaction?.bytes ?? 0,
    obl: replyBytes,
    oll: 0,
    omem: 0,
    "tot-mem": requestBytes + replyBytes + (transaction?.bytes ?? 0),
    events: "r",
    cmd: session.lastCommand === "" ? "NULL" : session.lastCommand,
    user: session.user?.name ?? "(none)",
    redir: -1,
    resp: session.replies.version,
    "lib-name": session.library,
    "lib-ver": session.libraryVersion,
  };
  return Object.entries(fields)
    .map(([field, value]) => `${field}=${value}`)
    .join(" ");
}

function list(call: Call): void {
  const { session, replies } = call;
  let refusal: Refusal | undefined;
  const job = function* () {
    const isWanted = yield* listFilter(call.args);
    if (isWanted instanceof Refusal) {
      refusal = isWanted;
      return;
    }
    session.leaveRoom();
    for (const each of [...call.server.sessions]) {
      if (isWanted(each)) replies.raw(`${describeSession(call, each)}\n`);
      yield undefined;
    }
    session.fillRoom(replies.verbatimHeader(session.bytesBehindRoom));
    replies.raw("\r\n");
  };
  session.runJob(job(), () => {
    if (refusal !== undefined) replies.error(refusal.message);
  });
}

/** The clients that CLIENT LIST shows: all, or TYPE type, or ID id ... */
function* listFilter(args: readonly string[]): Generator<undefined, Filter | Refusal> {
  const [word, ...values] = args;
  const filter = word?.toLowerCase();
  if (filter === undefined) return () => true;
  if (filter === "type" && values.length === 1) {
    const type = values[0]!.toLowerCase();
    if (!isClientType(type)) {
      return new Refusal(`ERR Unknown client type '${upToNul(values[0]!)}'`);
    }
    return () => type === "normal";
  }
  if (filter !== "id" || values.length === 0) return new Refusal(SYNTAX_ERROR);
  const ids = new Set<number>();
  for (const value of values) {
    const id = readInteger(value);
    if (id === undefined) return new Refusal("ERR Invalid client ID");
    ids.add(Number(id));
    yield undefined;
  }
  return ({ id }) => ids.has(id);
}

/** Whether Redis knows this type of client; here all clients are of the type normal. */
function isClientType(text: string): boolean {
  return ["normal", "master", "slave", "replica", "pubsub"].includes(text);
}

/** Ends one client's connection. What was answered arrives. */
function end(call: Call, session: Session): void {
  if (session === call.session) session.closes = true;
  else session.end("CLIENT KILL", { by: call.session.address });
}

/** CLIENT KILL addr, or with filters: KILL ID n, ADDR a, LADDR a, USER u, TYPE t, SKIPME y. */
function kill(call: Call): void {
  const { server, session, replies, args } = call;
  if (args.length === 1) {
    const found = [...server.sessions].find(({ address }) => address === args[0]);
    if (found === undefined) return replies.error("ERR No such client");
    server.audit.note(session, "clients killed", { clients: 1 });
    end(call, found);
    return replies.simple("OK");
  }
  let count = 0;
  let endsItself = false;
  let refusal: Refusal | undefined;
  const job = function* () {
    const isWanted = yield* killFilter(call);
    if (isWanted instanceof Refusal) {
      refusal = isWanted;
      return;
    }
    for (const each of [...server.sessions]) {
      yield undefined;
      if (!server.sessions.has(each) || !isWanted(each)) continue;
      count++;
      // The client itself gets the reply first.
      if (each === session) endsItself = true;
      else end(call, each);
    }
  };
  session.runJob(job(), () => {
    if (refusal !== undefined) return replies.error(refusal.message);
    if (count > 0) server.audit.note(session, "clients killed", { clients: count });
    replies.integer(count);
    if (endsItself) end(call, session);
  });
}

type Filter = (session: Session) => boolean;

/** For each option of CLIENT KILL, a function that makes a filter from its value, or refuses it. */
const filterMakers: Record<string, (value: string, server: ServerForCommands) => Filter | Refusal> =
  {
    id: (value) => {
      const wanted = readInteger(value);
      return wanted !== undefined && wanted > 0n
        ? ({ id }) => BigInt(id) === wanted
        : new Refusal("ERR client-id should be greater than 0");
    },
    addr:
      (value) =>
      ({ address }) =>
        address === value,
    laddr:
      (value) =>
      ({ localAddress }) =>
        localAddress === value,
    user: (value, { access }) =>
      access.knows(value)
        ? ({ user }) => user?.name === value
        : new Refusal(`ERR No such user '${upToNul(value)}'`),
    type: (value) =>
      isClientType(value.toLowerCase())
        ? () => value.toLowerCase() === "normal"
        : new Refusal(`ERR Unknown client type '${upToNul(value)}'`),
  };

/** The clients that CLIENT KILL ends. As in Redis, the last value of each option counts. */
function* killFilter(call: Call): Generator<undefined, Filter | Refusal> {
  const { server, session, args } = call;
  const filters = new Map<string, Filter>();
  let skipsMe = true;
  for (let at = 0; at < args.length; at += 2) {
    const option = args[at]!.toLowerCase();
    const value = args[at + 1];
    const isSwitch = option === "skipme" && /^(yes|no)$/i.test(value ?? "");
    const maker = Object.hasOwn(filterMakers, option) ? filterMakers[option] : undefined;
    if (value === undefined || (maker === undefined && !isSwitch)) return new Refusal(SYNTAX_ERROR);
    if (isSwitch) skipsMe = value.toLowerCase() === "yes";
    const filter = maker?.(value, server);
    if (filter instanceof Refusal) return filter;
    if (filter !== undefined) filters.set(option, filter);
    yield undefined;
  }
  const all = [...filters.values()];
  return (each) => (!skipsMe || each !== session) && all.every((fits) => fits(each));
}

function setInfo({ session, replies, args }: Call): void {
  const [option, value] = args as [string, string];
  const field = option.toLowerCase();
  if (field !== "lib-name" && field !== "lib-ver") {
    return replies.error(`ERR Unrecognized option ${quoted(option)}`);
  }
  const refusal = refuseName(value, field);
  if (refusal !== undefined) return replies.error(refusal.message);
  session[field === "lib-name" ? "library" : "libraryVersion"] = value;
  replies.simple("OK");
}

function setReplyMode({ session, replies, args }: Call): void {
  const modes: Record<string, ReplyMode> = { on: "on", off: "off", skip: "skip next" };
  const lower = args[0]!.toLowerCase();
  if (!Object.hasOwn(modes, lower)) return replies.error(SYNTAX_ERROR);
  // As in Redis, SKIP does nothing while all replies are off.
  if (lower !== "skip" || session.replyMode !== "off") session.replyMode = modes[lower]!;
  replies.simple("OK");
}

/** How many words CLIENT TRACKING reads. */
const TRACKING_WORDS_MAX = 1024;

/** CLIENT TRACKING: reads its options as Redis does, and refuses ON. */
function track({ replies, args }: Call): void {
  if (args.length > TRACKING_WORDS_MAX) return replies.error(SYNTAX_ERROR);
  const [state, ...options] = args.map((arg) => arg.toLowerCase()) as [string, ...string[]];
  for (let at = 0; at < options.length; at++) {
    const takesValue = ["redirect", "prefix"].includes(options[at]!);
    const isOption = takesValue || ["bcast", "optin", "optout", "noloop"].includes(options[at]!);
    if (!isOption || (takesValue && ++at === options.length)) return replies.error(SYNTAX_ERROR);
  }
  if (state === "off") replies.simple("OK");
  else replies.error(state === "on" ? TRACKING_REFUSED : SYNTAX_ERROR);
}

/** CLIENT NO-EVICT and NO-TOUCH have no effect, because nothing is ever evicted or touched. */
function answerSwitch({ replies, args }: Call): void {
  if (/^(on|off)$/i.test(args[0]!)) replies.simple("OK");
  else replies.error(SYNTAX_ERROR);
}

const flags = ["noscript", "loading", "stale"] as const;

export const clientCommand = container(
  {
    name: "client",
    flags,
    group: "connection",
    summary: "Names this client, lists and ends clients",
  },
  {
    id: {
      arity: 2,
      summary: "The number of this connection",
      run: ({ session, replies }) => replies.integer(session.id),
    },
    info: {
      arity: 2,
      summary: "Describes this connection",
      run: (call) => call.replies.verbatim(`${describeSession(call, call.session)}\n`),
    },
    list: {
      arity: -2,
      flags: ["admin", ...flags, "no_multi"],
      right: "admin",
      summary: "Describes connections: all, or TYPE type, or ID id ...",
      run: list,
    },
    kill: {
      arity: -3,
      flags: ["admin", ...flags, "no_multi"],
      right: "admin",
      summary: "Ends connections: addr, or ID, ADDR, LADDR, USER, TYPE, SKIPME with values",
      run: kill,
    },
    getname: {
      arity: 2,
      summary: "The name of this connection",
      run: ({ session, replies }) =>
        session.name === "" ? replies.null() : replies.bulk(session.name),
    },
    setname: {
      arity: 3,
      summary: "Names this connection",
      run: ({ session, replies, args }) => {
        const refusal = refuseName(args[0]!);
        if (refusal !== undefined) return replies.error(refusal.message);
        session.name = args[0]!;
        replies.simple("OK");
      },
    },
    setinfo: {
      arity: 4,
      summary: "Names the client's library: LIB-NAME or LIB-VER",
      run: setInfo,
    },
    reply: {
      arity: 3,
      flags: [...flags, "no_multi"],
      summary: "Which replies are wanted: ON, OFF, or SKIP the next",
      run: setReplyMode,
    },
    "no-evict": { arity: 3, summary: "Accepted: nothing is evicted", run: answerSwitch },
    "no-touch": { arity: 3, summary: "Accepted: nothing is touched", run: answerSwitch },
    tracking: {
      arity: -3,
      summary: "Only OFF: a cached GET would repeat its number",
      run: track,
    },
    caching: {
      arity: 3,
      summary: "Refused: a cached GET would repeat its number",
      run: ({ replies }) => replies.error(TRACKING_REFUSED),
    },
  },
);
