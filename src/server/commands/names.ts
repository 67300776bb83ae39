/** The commands that list, count and look up the names of dispensers. */

import { Refusal } from "../../base/errors.ts";
import { Pattern } from "../../resp/glob.ts";
import {
  type Call,
  type Command,
  lookUp,
  NAMES_AT_ONCE_MAX,
  readInteger,
  upToNul,
  waitFor,
} from "./command.ts";

const SCAN_COUNT_DEFAULT = 10;
/**
 * How long a SCAN may take: it may answer fewer than COUNT names, as its callers have to expect.
 */
const SCAN_MS_MAX = 1;
/** How many names pass between two looks at the clock: a bad pattern takes 0.1 ms for each name. */
const NAMES_PER_LOOK = 8;
const STALE_CURSOR =
  "ERR invalid cursor: it is not of this run of the server; begin again with SCAN 0";
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

  const { user } = session;
  const { cursors } = server.access;
  const after = user!.mayUseAll ? Number(cursor) : cursors.reveal(cursor);
  if (!user!.mayUseAll && after > engine.lastId) return replies.error(STALE_CURSOR);
  const endMs = server.now() + SCAN_MS_MAX;
  const names: string[] = [];
  let looked = 0;
  let count = 0;
  let last = 0;
  let next = 0;
  for (const { id, name } of engine.list(after)) {
    const isTimeUp = looked > 0 && looked % NAMES_PER_LOOK === 0 && server.now() > endMs;
    if (count === wanted.count || isTimeUp) {
      next = last;
      break;
    }
    last = id;
    looked++;
    // Names that the user may not use do not count: pages without any would tell of them.
    if (!user!.mayUse(name)) continue;
    count++;
    if (wanted.pattern.matches(name)) names.push(name);
  }
  replies.array(2);
  replies.bulk(String(user!.mayUseAll ? next : cursors.hide(next)));
  listNames(replies, wanted.type === "dispenser" ? names : []);
}

/** KEYS: lists the names that match. */
function keys(call: Call): void {
  const { session, replies, args } = call;
  let count = 0;
  session.leaveRoom();
  search(
    call,
    new Pattern(args[0]!),
    (name) => {
      replies.bulk(name);
      count++;
    },
    () => session.fillRoom(replies.arrayHeader(count)),
  );
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
  let count = 0;
  search(
    call,
    new Pattern("*"),
    () => void count++,
    () => replies.integer(count),
  );
}

/**
 * Searches all names that exist when the search begins, a few at a time: calls `found` with each
 * that matches and that the user may use, and then `atEnd`. Names that go meanwhile may be among
 * them.
 */
function search(
  { engine, session }: Call,
  pattern: Pattern,
  found: (name: string) => void,
  atEnd: () => void,
): void {
  const { user } = session;
  /** Names that a change under way makes or removes; the search ends in a turn that waits for it. */
  const changing: string[] = [];
  const job = function* () {
    const { lastId } = engine;
    let count = 0;
    for (const { id, name } of engine.list()) {
      if (id > lastId) break;
      if (user!.mayUse(name) && pattern.matches(name)) {
        if (engine.dependsOnName(name) === 0) found(name);
        else changing.push(name);
      }
      if (count++ % NAMES_PER_LOOK === 0) yield undefined;
    }
  };
  const end = () => {
    waitFor(session, engine.dependsOnNames());
    for (const name of changing) if (engine.has(name)) found(name);
    atEnd();
  };
  session.runJob(job(), end, pattern.bytes);
}

function listNames(replies: Call["replies"], names: readonly string[]): void {
  replies.array(names.length);
  for (const name of names) replies.bulk(name);
}

/** EXISTS: counts those of the names that are dispensers, many names some at a time. */
function countExisting(call: Call): void {
  const { server, session, replies, args } = call;
  const count = (names: readonly string[]) =>
    names.filter((name) => lookUp(call, name) !== undefined).length;
  if (args.length <= NAMES_AT_ONCE_MAX || session.isInTransaction) {
    return replies.integer(count(args));
  }
  const countAll = async () => {
    let total = 0;
    for (let at = 0; at < args.length && session.isServed; ) {
      const some = args.slice(at, at + NAMES_AT_ONCE_MAX);
      session.dependsOn = 0;
      const found = count(some);
      const isSure = session.dependsOn === 0;
      const failure = await server.committed();
      // What was found in a change that failed is not true: it is looked up again.
      if (!isSure && failure !== undefined) continue;
      total += found;
      at += some.length;
    }
    return () => replies.integer(total);
  };
  session.block(countAll());
}

function scanOptions(options: readonly string[]) {
  let pattern = "*";
  const wanted = { count: SCAN_COUNT_DEFAULT, type: "dispenser" };
  for (let at = 0; at < options.length; at += 2) {
    const value = options[at + 1];
    if (value === undefined) return new Refusal("ERR syntax error");
    switch (options[at]!.toLowerCase()) {
      case "match":
        pattern = value;
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
  return { ...wanted, pattern: new Pattern(pattern) };
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
    run: countExisting,
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
