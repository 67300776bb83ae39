/** The commands that list, count and look up the names of dispensers. */

import { Refusal } from "../../base/errors.ts";
import { Pattern } from "../../resp/glob.ts";
import { type Call, type Command, lookUp, readInteger, upToNul, waitFor } from "./command.ts";

const SCAN_COUNT_DEFAULT = 10;
/**
 * How long a SCAN may take: it may answer fewer than COUNT names, as its callers have to expect.
 */
const SCAN_MS_MAX = 1;
/** How many names pass between two looks at the clock: a bad pattern takes 0.1 ms for each name. */
const NAMES_PER_LOOK = 8;
const CURSOR_MAX = 2n ** 64n - 1n;

/** A cursor as Redis reads it, by C's strtoul; undefined if that would not read all of the text. */
function readCursor(text: string): bigint | undefined {
  const [, sign, digits] = /^([+-]?)([0-9]+)$/.exec(upToNul(text)) ?? [];
  if (digits === undefined) return upToNul(text) === "" ? 0n : undefined;
  const value = BigInt(digits);
  if (value > CURSOR_MAX) return undefined;
  return sign === "-" ? BigInt.asUintN(64, -value) : value;
}

function scan({ engine, server, session, replies, args }: Call): void {
  const [cursorText, ...options] = args as [string, ...string[]];
  const cursor = readCursor(cursorText);
  if (cursor === undefined) return replies.error("ERR invalid cursor");
  const wanted = scanOptions(options);
  if (wanted instanceof Refusal) return replies.error(wanted.message);
  waitFor(session, engine.dependsOnNames());

  const endMs = server.now() + SCAN_MS_MAX;
  const names: string[] = [];
  let count = 0;
  let last = 0;
  let next = 0;
  for (const { id, name } of engine.list(Number(cursor))) {
    const isTimeUp = count > 0 && count % NAMES_PER_LOOK === 0 && server.now() > endMs;
    if (count === wanted.count || isTimeUp) {
      next = last;
      break;
    }
    last = id;
    count++;
    if (session.user!.mayUse(name) && wanted.pattern.matches(name)) names.push(name);
  }
  replies.array(2);
  replies.bulk(String(next));
  listNames(replies, wanted.type === "dispenser" ? names : []);
}

/** KEYS: lists the names that match. */
function keys(call: Call): void {
  const { engine, session, replies, args } = call;
  search(call, new Pattern(args[0]!), (found) => {
    waitFor(session, engine.dependsOnNames());
    listNames(
      replies,
      found.filter((name) => engine.has(name)),
    );
  });
}

/** DBSIZE: counts all names, or those that the user may use. */
function countNames(call: Call): void {
  const { engine, session, replies } = call;
  if (session.user!.mayUseAll) {
    waitFor(session, engine.dependsOnNames());
    return replies.integer(engine.size);
  }
  if (session.isInTransaction) {
    return replies.error(
      `NOPERM User '${session.user!.name}' may not run 'dbsize' in a transaction: it may use some names alone`,
    );
  }
  search(call, new Pattern("*"), (found) => {
    waitFor(session, engine.dependsOnNames());
    replies.integer(found.filter((name) => engine.has(name)).length);
  });
}

/**
 * Searches, a few names at a time, all names that exist when the search begins. `answer` gets those
 * that match and that the user may use.
 */
function search(
  { engine, server, session }: Call,
  pattern: Pattern,
  answer: (found: readonly string[]) => void,
): void {
  const { user } = session;
  const found: string[] = [];
  const job = function* () {
    const { lastId } = engine;
    let count = 0;
    for (const { id, name } of engine.list()) {
      if (id > lastId) break;
      if (user!.mayUse(name) && pattern.matches(name)) found.push(name);
      if (count++ % NAMES_PER_LOOK > 0) continue;
      // The client has left.
      if (!server.sessions.has(session)) return;
      yield undefined;
    }
  };
  session.block(server.jobs.run(job()).then(() => () => answer(found)));
}

function listNames(replies: Call["replies"], names: readonly string[]): void {
  replies.array(names.length);
  for (const name of names) replies.bulk(name);
}

function scanOptions(options: readonly string[]) {
  const wanted = { pattern: new Pattern("*"), count: SCAN_COUNT_DEFAULT, type: "dispenser" };
  for (let at = 0; at < options.length; at += 2) {
    const value = options[at + 1];
    if (value === undefined) return new Refusal("ERR syntax error");
    switch (options[at]!.toLowerCase()) {
      case "match":
        wanted.pattern = new Pattern(value);
        break;
      case "type":
        wanted.type = value.toLowerCase();
        break;
      case "count":
        if (readInteger(value) === undefined) {
          return new Refusal("ERR value is not an integer or out of range");
        }
        wanted.count = Number(value);
        if (wanted.count < 1) return new Refusal("ERR syntax error");
        break;
      default:
        return new Refusal("ERR syntax error");
    }
  }
  return wanted;
}

export const nameCommands: readonly Command[] = [
  {
    name: "exists",
    arity: -2,
    flags: ["readonly", "fast"],
    keys: [1, -1],
    group: "dispenser",
    right: "inspect",
    summary: "Counts which of the names are dispensers",
    needs: "names",
    run: (call) => {
      const found = call.args.filter((name) => lookUp(call, name) !== undefined);
      call.replies.integer(found.length);
    },
  },
  {
    name: "type",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: [1, 1],
    group: "dispenser",
    right: "inspect",
    summary: "Says whether a name is a dispenser",
    needs: "names",
    run: (call) => call.replies.simple(lookUp(call, call.args[0]!) ? "dispenser" : "none"),
  },
  {
    name: "dbsize",
    arity: 1,
    flags: ["readonly", "fast"],
    keys: [0, 0],
    group: "dispenser",
    right: "inspect",
    summary: "Counts the dispensers",
    run: countNames,
  },
  {
    name: "keys",
    arity: 2,
    flags: ["readonly", "no_multi"],
    keys: [0, 0],
    group: "dispenser",
    right: "inspect",
    summary: "Lists the names that match a pattern",
    run: keys,
  },
  {
    name: "scan",
    arity: -2,
    flags: ["readonly", "no_multi"],
    keys: [0, 0],
    group: "dispenser",
    right: "inspect",
    summary: "Lists the names page by page",
    run: scan,
  },
];
