/** The commands that define dispensers, take numbers from them and show their definitions. */

import { exhausted, notFound, Refusal } from "../../base/errors.ts";
import { type Fields, fieldsOf, withoutReuse } from "../../dispenser/definition.ts";
import type { Dispenser } from "../../dispenser/dispenser.ts";
import { refuseLeap } from "../../dispenser/leap.ts";

import type { InfoFields } from "../../engine/catalog.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Replies } from "../../resp/encode.ts";
import {
  type Call,
  type Command,
  failureOf,
  lookUp,
  type MoreNeeded,
  NAMES_AT_ONCE_MAX,
  waitFor,
  whenDone,
} from "./command.ts";

/**
 * GET, also on the fast path: appends the next number of the dispenser that was found by this name,
 * or an error. Answers the commit that the reply waits for; 0 for none.
 */
export function takeOne(
  engine: Engine,
  replies: Replies,
  dispenser: Dispenser | undefined,
  name: string,
): number {
  const bytes = dispenser === undefined ? 0 : dispenser.nextBytes;
  if (dispenser !== undefined && bytes > 0) {
    const at = replies.bulkRoom(bytes);
    engine.take(dispenser, replies.bytes, at);
  } else {
    replies.error((dispenser === undefined ? notFound : exhausted).message);
  }
  return engine.dependsOn(name, dispenser);
}

/** MGET: takes one number of each dispenser, of all or of none. */
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
  if (session.dependsOn > 0) for (const dispenser of covered) engine.markUncertain(dispenser);
}

/** How many pairs of a field and its value HSET takes: several times the fields that there are. */
const PAIRS_MAX = 128;

/** HSET and HMSET: defines a dispenser. */
function defineFrom(call: Call, command: string, success: (set: number) => void): void {
  const { engine, server, replies, args } = call;
  const [name, ...pairs] = args as [string, ...string[]];
  if (pairs.length % 2 !== 0) {
    return replies.error(`ERR wrong number of arguments for '${command}' command`);
  }
  if (pairs.length > 2 * PAIRS_MAX) {
    return replies.error(
      `ERR ${command.toUpperCase()} takes at most ${PAIRS_MAX} fields, not ${pairs.length / 2}`,
    );
  }
  const wanted = withoutReuse(fieldsIn(pairs));
  const answer = (set: number | Refusal) => {
    waitFor(call.session, engine.dependsOnName(name));
    if (set instanceof Refusal) replies.error(set.message);
    else success(set);
  };
  if (wanted instanceof Refusal) return answer(wanted);
  const { fields, reuse } = wanted;
  whenDone(call, server.catalog.define(name, fields, reuse), answer);
}

/** The fields from pairs of a field and its value; the last value of a repeated field counts. */
function fieldsIn(pairs: readonly string[]): Fields {
  const fields = new Map<string, string>();
  for (let at = 0; at + 1 < pairs.length; at += 2) {
    fields.set(pairs[at]!.toLowerCase(), pairs[at + 1]!);
  }
  return fields;
}

/** Asks for the right `manage` if a definition would hand out numbers again. */
function needsForReuse([, ...pairs]: readonly string[]): MoreNeeded | undefined {
  if (pairs.length > 2 * PAIRS_MAX) return undefined;
  const wanted = withoutReuse(fieldsIn(pairs));
  if (wanted instanceof Refusal || !wanted.reuse) return undefined;
  return { what: "hset ... reuse yes", right: "manage", names: [] };
}

/** DEL: many names are deleted some at a time, each some in one commit. */
function remove(call: Call): void {
  const { engine, server, session, replies, args } = call;
  if (args.length > NAMES_AT_ONCE_MAX && !session.isInTransaction) {
    return session.block(removeMany(call));
  }
  whenDone(call, server.catalog.remove(args), (removed) => {
    for (const name of args) waitFor(session, engine.dependsOnName(name));
    replies.integer(removed);
  });
}

async function removeMany({ server, session, replies, args }: Call): Promise<() => void> {
  let removed = 0;
  try {
    for (let at = 0; at < args.length && session.isServed; at += NAMES_AT_ONCE_MAX) {
      removed += await server.catalog.remove(args.slice(at, at + NAMES_AT_ONCE_MAX));
      const failure = await server.committed();
      if (failure !== undefined) throw failure;
    }
  } catch (error) {
    const { message } = failureOf(error);
    return () => replies.error(`${message}; ${removed} of the names were deleted before`);
  }
  return () => replies.integer(removed);
}

function advance(call: Call): void {
  const { engine, server, session, replies, args } = call;
  const [name, number, force] = args as [string, string, string | undefined];
  if (args.length > 3 || (force !== undefined && force.toLowerCase() !== "force")) {
    return replies.error("ERR syntax error: ADVANCE takes a name, a number, and maybe FORCE");
  }
  const dispenser = engine.find(name);
  if (dispenser === undefined) {
    waitFor(session, engine.dependsOnName(name));
    return replies.error(notFound.message);
  }
  const answer = (next: string | Refusal) => {
    waitFor(session, engine.dependsOn(name, dispenser));
    if (next instanceof Refusal) replies.error(next.message);
    else replies.bulk(next);
  };
  const target = dispenser.definition.series.positionFrom(number);
  if (target instanceof Refusal) return answer(target);
  const leap = force === undefined ? refuseLeap(dispenser, target, number) : undefined;
  if (leap !== undefined) return answer(leap);
  whenDone(call, server.catalog.advance(dispenser, number), answer);
}

/** The fields that INFO shows for every type, as 0 if a type has none; other fields come last. */
const SHOWN_ALWAYS: readonly string[] = ["length", "starting", "step"];

/** The INFO of one dispenser: lines of field:value. */
export function describe(dispenser: Dispenser, more: InfoFields): string {
  const { definition, counts, current, name } = dispenser;
  const { values } = definition;
  const others = Object.keys(values).filter((field) => !SHOWN_ALWAYS.includes(field));
  const position = counts.generated + counts.wasted;
  const hundredths = position === 0n ? 0n : (counts.wasted * 20000n + position) / (2n * position);
  const rate = `${hundredths / 100n}.${String(hundredths % 100n).padStart(2, "0")}%`;
  const lines = {
    name,
    type: definition.type.code,
    ...Object.fromEntries(SHOWN_ALWAYS.map((field) => [field, values[field] ?? 0])),
    current,
    auto_disk: definition.strategy,
    generated: counts.generated,
    wasted: counts.wasted,
    waste_rate: rate,
    ...Object.fromEntries(others.map((field) => [field, values[field]!])),
    ...more,
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
    right: "create",
    needsMore: needsForReuse,
    summary: "Defines a dispenser, or changes the strategy or the length of one",
    isShared: true,
    run: (call) => defineFrom(call, "hset", (set) => call.replies.integer(set)),
  },
  {
    name: "hmset",
    arity: -4,
    flags: ["write"],
    keys: [1, 1],
    group: "dispenser",
    right: "create",
    needsMore: needsForReuse,
    summary: "As HSET, but answers OK",
    isShared: true,
    run: (call) => defineFrom(call, "hmset", () => call.replies.simple("OK")),
  },
  {
    name: "get",
    arity: 2,
    flags: ["write", "fast"],
    keys: [1, 1],
    group: "dispenser",
    right: "take",
    summary: "Takes the next number of a dispenser",
    needs: "numbers",
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
    needs: "numbers",
    run: takeEach,
  },
  {
    name: "del",
    arity: -2,
    flags: ["write"],
    keys: [1, -1],
    group: "dispenser",
    right: "manage",
    summary: "Deletes dispensers; a line of the same definition goes on where one stood",
    isShared: true,
    run: remove,
  },
  {
    name: "advance",
    arity: -3,
    flags: ["write"],
    keys: [1, 1],
    group: "dispenser",
    right: "manage",
    summary: "Lets a line go on at its first number that is not below the given one",
    needs: "names",
    isShared: true,
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
    needs: "names",
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
    needs: "names",
    run: (call) => {
      const dispenser = lookUp(call, call.args[0]!);
      const fields: Fields = dispenser ? fieldsOf(dispenser.definition) : new Map();
      const value = fields.get(call.args[1]!.toLowerCase());
      if (value === undefined) call.replies.null();
      else call.replies.bulk(value);
    },
  },
];
