/** The commands that define dispensers, take from them and show what they are. */

import { type Fields, fieldsOf, parseNumber } from "../../dispenser/definition.ts";
import type { Dispenser } from "../../dispenser/dispenser.ts";
import { NUMBER_MAX } from "../../dispenser/line.ts";
import { type Engine, exhausted, notFound } from "../../engine.ts";
import { quoted, Refusal } from "../../refusal.ts";
import type { Replies } from "../../resp/encode.ts";
import { type Call, type Command, lookUp, waitFor } from "../command.ts";

/**
 * GET: takes the next number of what was found by this name. Also what the decoder's fast lane leads
 * to. Answers the commit that the reply waits for; 0 for none.
 */
export function takeOne(
  engine: Engine,
  replies: Replies,
  dispenser: Dispenser | undefined,
  name: string,
): number {
  const digits = dispenser === undefined ? 0 : dispenser.digits;
  if (dispenser !== undefined && digits > 0) {
    const at = replies.bulkRoom(digits);
    engine.take(dispenser, replies.bytes, at);
  } else {
    replies.error((dispenser === undefined ? notFound : exhausted).message);
  }
  return engine.dependsOn(name, dispenser);
}

/** MGET: one number of each, all or none. */
function takeEach({ engine, session, replies, args }: Call): void {
  const wanted = new Map<Dispenser, number>();
  const taken: Dispenser[] = [];
  for (const name of args) {
    const dispenser = engine.find(name);
    waitFor(session, engine.dependsOn(name, dispenser));
    if (dispenser === undefined) return replies.error(notFound.message);
    const count = (wanted.get(dispenser) ?? 0) + 1;
    if (count > dispenser.remaining) return replies.error(exhausted.message);
    wanted.set(dispenser, count);
    taken.push(dispenser);
  }
  const covered: Dispenser[] = [];
  replies.array(taken.length);
  for (const dispenser of taken) {
    const commit = takeOne(engine, replies, dispenser, dispenser.name);
    waitFor(session, commit);
    if (commit === 0) covered.push(dispenser);
  }
  if (session.dependsOn > 0) for (const dispenser of covered) engine.stakeOnCommit(dispenser);
}

/** HSET and HMSET; undefined where the words behind the name are not pairs. */
function defineFrom({ engine, session, args }: Call): number | Refusal | undefined {
  const [name, ...pairs] = args as [string, ...string[]];
  if (pairs.length % 2 !== 0) return undefined;
  const fields = new Map<string, string>();
  for (let at = 0; at < pairs.length; at += 2) fields.set(pairs[at]!.toLowerCase(), pairs[at + 1]!);
  const set = engine.define(name, fields);
  waitFor(session, engine.dependsOnName(name));
  return set;
}

function answerDefine(call: Call, command: string, success: (set: number) => void): void {
  const set = defineFrom(call);
  if (set === undefined) {
    call.replies.error(`ERR wrong number of arguments for '${command}' command`);
  } else if (set instanceof Refusal) {
    call.replies.error(set.message);
  } else {
    success(set);
  }
}

function remove({ engine, session, replies, args }: Call): void {
  let removed = 0;
  for (const name of args) {
    if (engine.remove(name)) removed++;
    waitFor(session, engine.dependsOnName(name));
  }
  replies.integer(removed);
}

function advance({ engine, session, replies, args }: Call): void {
  const [name, text] = args as [string, string];
  const dispenser = engine.find(name);
  if (dispenser === undefined) {
    waitFor(session, engine.dependsOnName(name));
    return replies.error(notFound.message);
  }
  const number = parseNumber(text);
  if (number === undefined) {
    const allowed = `must be a whole number from 0 to ${NUMBER_MAX}`;
    return replies.error(`ERR invalid number ${quoted(text)}: ${allowed}`);
  }
  const refusal = engine.advance(dispenser, number);
  waitFor(session, engine.dependsOn(name, dispenser));
  if (refusal !== undefined) replies.error(refusal.message);
  else replies.bulk(dispenser.current);
}

/** INFO of one dispenser: lines of field:value. */
export function describe(dispenser: Dispenser): string {
  const { definition, counts, current, name } = dispenser;
  const position = counts.generated + counts.wasted;
  const hundredths = position === 0n ? 0n : (counts.wasted * 20000n + position) / (2n * position);
  const rate = `${hundredths / 100n}.${String(hundredths % 100n).padStart(2, "0")}%`;
  const lines = {
    name,
    type: definition.type.code,
    length: definition.length,
    starting: definition.starting,
    step: definition.step,
    current,
    auto_disk: definition.strategy,
    generated: counts.generated,
    wasted: counts.wasted,
    waste_rate: rate,
  };
  return Object.entries(lines)
    .map(([field, value]) => `${field}:${value}\r\n`)
    .join("");
}

export const dispenserCommands: readonly Command[] = [
  {
    name: "hset",
    arity: -4,
    flags: ["write"],
    keys: [1, 1],
    group: "dispenser",
    right: "define",
    summary: "Defines a dispenser, or changes the strategy of one",
    run: (call) => answerDefine(call, "hset", (set) => call.replies.integer(set)),
  },
  {
    name: "hmset",
    arity: -4,
    flags: ["write"],
    keys: [1, 1],
    group: "dispenser",
    right: "define",
    summary: "As HSET, but answers OK",
    run: (call) => answerDefine(call, "hmset", () => call.replies.simple("OK")),
  },
  {
    name: "get",
    arity: 2,
    flags: ["write", "fast"],
    keys: [1, 1],
    group: "dispenser",
    right: "take",
    summary: "Takes the next number of a dispenser",
    run: ({ engine, session, replies, args }) =>
      waitFor(session, takeOne(engine, replies, engine.find(args[0]!), args[0]!)),
  },
  {
    name: "mget",
    arity: -2,
    flags: ["write", "fast"],
    keys: [1, -1],
    group: "dispenser",
    right: "take",
    summary: "Takes one number of each dispenser, of all or of none",
    run: takeEach,
  },
  {
    name: "del",
    arity: -2,
    flags: ["write"],
    keys: [1, -1],
    group: "dispenser",
    right: "define",
    summary: "Deletes dispensers",
    run: remove,
  },
  {
    name: "advance",
    arity: 3,
    flags: ["write"],
    keys: [1, 1],
    group: "dispenser",
    right: "define",
    summary: "Lets a line go on at its first number that is not below the given one",
    run: advance,
  },
  {
    name: "hgetall",
    arity: 2,
    flags: ["readonly"],
    keys: [1, 1],
    group: "dispenser",
    right: "inspect",
    summary: "Shows the definition of a dispenser",
    run: (call) => {
      const dispenser = lookUp(call, call.args[0]!);
      const fields: Fields = dispenser ? fieldsOf(dispenser.definition) : new Map();
      call.replies.map(fields.size);
      for (const text of [...fields].flat()) call.replies.bulk(text);
    },
  },
  {
    name: "hget",
    arity: 3,
    flags: ["readonly", "fast"],
    keys: [1, 1],
    group: "dispenser",
    right: "inspect",
    summary: "Shows one field of a definition",
    run: (call) => {
      const dispenser = lookUp(call, call.args[0]!);
      const fields: Fields = dispenser ? fieldsOf(dispenser.definition) : new Map();
      const value = fields.get(call.args[1]!.toLowerCase());
      if (value === undefined) call.replies.null();
      else call.replies.bulk(value);
    },
  },
];
