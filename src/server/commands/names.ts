/** The commands about names: which there are, and which of them are dispensers. */

import type { Dispenser } from "../../dispenser/dispenser.ts";
import { Refusal } from "../../refusal.ts";
import { matches } from "../../resp/glob.ts";
import { type Call, type Command, lookUp, waitFor } from "../command.ts";

const SCAN_COUNT_DEFAULT = 10;
const CURSOR_MAX = 2n ** 64n - 1n;

function scan({ engine, session, replies, args }: Call): void {
  const [cursorText, ...options] = args as [string, ...string[]];
  const cursor = /^[0-9]{1,20}$/.test(cursorText) ? BigInt(cursorText) : CURSOR_MAX + 1n;
  if (cursor > CURSOR_MAX) return replies.error("ERR invalid cursor");
  const wanted = scanOptions(options);
  if (wanted instanceof Refusal) return replies.error(wanted.message);
  waitFor(session, engine.dependsOnNames());

  const all = engine.all();
  const from = firstAfter(all, cursor);
  const page = all.slice(from, from + wanted.count);
  const names = page.map(({ name }) => name).filter((name) => matches(wanted.pattern, name));
  const isLast = from + page.length === all.length;
  replies.array(2);
  replies.bulk(isLast ? "0" : String(page.at(-1)!.id));
  listNames(replies, wanted.type === "dispenser" ? names : []);
}

function listNames(replies: Call["replies"], names: readonly string[]): void {
  replies.array(names.length);
  for (const name of names) replies.bulk(name);
}

function scanOptions(options: readonly string[]) {
  const wanted = { pattern: "*", count: SCAN_COUNT_DEFAULT, type: "dispenser" };
  for (let at = 0; at < options.length; at += 2) {
    const value = options[at + 1];
    if (value === undefined) return new Refusal("ERR syntax error");
    switch (options[at]!.toLowerCase()) {
      case "match":
        wanted.pattern = value;
        break;
      case "type":
        wanted.type = value.toLowerCase();
        break;
      case "count":
        if (!/^-?[0-9]{1,15}$/.test(value)) {
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

/** Where, in dispensers sorted by id, the first one with an id above the cursor is. */
function firstAfter(all: readonly Dispenser[], cursor: bigint): number {
  let low = 0;
  let high = all.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (BigInt(all[middle]!.id) <= cursor) low = middle + 1;
    else high = middle;
  }
  return low;
}

export const nameCommands: readonly Command[] = [
  {
    name: "exists",
    arity: -2,
    flags: ["readonly", "fast"],
    keys: [1, -1],
    group: "dispenser",
    summary: "Counts which of the names are dispensers",
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
    summary: "Says whether a name is a dispenser",
    run: (call) => call.replies.simple(lookUp(call, call.args[0]!) ? "dispenser" : "none"),
  },
  {
    name: "dbsize",
    arity: 1,
    flags: ["readonly", "fast"],
    keys: [0, 0],
    group: "dispenser",
    summary: "Counts the dispensers",
    run: ({ engine, session, replies }) => {
      waitFor(session, engine.dependsOnNames());
      replies.integer(engine.size);
    },
  },
  {
    name: "keys",
    arity: 2,
    flags: ["readonly"],
    keys: [0, 0],
    group: "dispenser",
    summary: "Lists the names that match a pattern",
    run: ({ engine, session, replies, args }) => {
      waitFor(session, engine.dependsOnNames());
      const names = engine.all().map(({ name }) => name);
      listNames(
        replies,
        names.filter((name) => matches(args[0]!, name)),
      );
    },
  },
  {
    name: "scan",
    arity: -2,
    flags: ["readonly"],
    keys: [0, 0],
    group: "dispenser",
    summary: "Lists the names page by page",
    run: scan,
  },
];
