/** The commands that define dispensers, take numbers from them and show their definitions. */

import { notFound, Refusal } from "../../base/errors.ts";
import { type Definition, shownFieldsOf } from "../../dispenser/definition.ts";
import type { Dispenser } from "../../dispenser/dispenser.ts";
import { type Fields, withoutReuse } from "../../dispenser/fields.ts";
import { refuseLeap } from "../../dispenser/leap.ts";
import { toText } from "../../dispenser/name.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Replies } from "../../resp/encode.ts";
import { isInfoSection } from "../metrics.ts";
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
  const bytes = dispenser === undefined ? 0 : engine.nextBytes(dispenser);
  if (dispenser !== undefined && bytes > 0) {
    const at = replies.bulkRoom(bytes);
    engine.take(dispenser, replies.bytes, at);
  } else {
    const refusal = dispenser === undefined ? notFound(name) : engine.exhausted(dispenser);
    replies.error(refusal.message);
  }
  return engine.dependsOn(name, dispenser);
}

/** MGET: takes one number of each dispenser, of all or of none. */
function takeEach({ engine, session, replies, args }: Call): void {
  const wanted = new Map<Dispenser, number>();
  const taken: Dispenser[] = [];
  for (const name of args) {
    const dispenser = engine.find(name);
    // A line with periods may begin one now, and has all of it then.
    const bytes = dispenser === undefined ? 0 : engine.nextBytes(dispenser);
    waitFor(session, engine.dependsOn(name, dispenser));
    if (dispenser === undefined) return replies.error(notFound(name).message);
    const count = (wanted.get(dispenser) ?? 0) + 1;
    if (bytes === 0 || count > dispenser.remaining) {
      return replies.error(engine.exhausted(dispenser).message);
    }
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
  const before = engine.find(name)?.definition;
  const answer = (set: number | Refusal) => {
    waitFor(call.session, engine.dependsOnName(name));
    if (set instanceof Refusal) return replies.error(set.message);
    noteDefinition(call, name, before, wanted instanceof Refusal ? false : wanted.reuse);
    success(set);
  };
  if (wanted instanceof Refusal) return answer(wanted);
  const { fields, reuse } = wanted;
  if (isInfoSection(name) && engine.find(name) === undefined) {
    server.log.warning("this dispenser has the name of a section: INFO dispenser NAME shows it", {
      dispenser: toText(name),
    });
  }
  whenDone(call, server.catalog.define(name, fields, reuse), answer);
}

/** Tells the audit of a definition that is new, or has changed. */
function noteDefinition(
  { engine, server, session }: Call,
  name: string,
  before: Definition | undefined,
  reuse: boolean,
): void {
  const definition = engine.find(name)?.definition;
  if (definition === undefined || definition === before) return;
  const action = before === undefined ? "dispenser defined" : "dispenser changed";
  const told = {
    dispenser: toText(name),
    definition: shownText(definition),
    ...(reuse && { reuse }),
  };
  server.audit.note(session, action, told, engine.dependsOnName(name) > 0);
}

/** A definition as the log has it, in the words of HSET. */
const shownText = (definition: Definition) =>
  [...shownFieldsOf(definition)].map(([field, value]) => `${field} ${toText(value)}`).join(" ");

/** Tells the audit what was deleted, with all that is needed to define it again. */
function noteRemoved({ engine, server, session }: Call, removed: readonly Dispenser[]): void {
  for (const { name, definition, hasPositions, position, current } of removed) {
    const stood = definition.type.isOrdered ? { next: current } : { position };
    const told = {
      dispenser: toText(name),
      definition: shownText(definition),
      ...(hasPositions && stood),
    };
    server.audit.note(session, "dispenser deleted", told, engine.dependsOnName(name) > 0);
  }
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
  const takesLong = args.length > NAMES_AT_ONCE_MAX && !session.isInTransaction;
  if (takesLong && !server.catalog.isShared) return session.block(removeMany(call));
  whenDone(call, server.catalog.remove(args, session), (removed) => {
    for (const name of args) waitFor(session, engine.dependsOnName(name));
    noteRemoved(call, removed);
    replies.integer(removed.length);
  });
}

async function removeMany(call: Call): Promise<() => void> {
  const { server, session, replies, args } = call;
  let removed = 0;
  try {
    for (let at = 0; at < args.length && session.isServed; at += NAMES_AT_ONCE_MAX) {
      const part = args.slice(at, at + NAMES_AT_ONCE_MAX);
      const some = await server.catalog.remove(part, session);
      noteRemoved(call, some);
      const failure = await server.committed();
      if (failure !== undefined) throw failure;
      removed += some.length;
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
    return replies.error(notFound(name).message);
  }
  const { position } = dispenser;
  const before = engine.next(dispenser);
  const answer = (next: string | Refusal) => {
    waitFor(session, engine.dependsOn(name, dispenser));
    if (next instanceof Refusal) return replies.error(next.message);
    if (next !== before || dispenser.position !== position) {
      // Of codes neither is to be told.
      const { isOrdered } = dispenser.definition.type;
      const told = { dispenser: toText(name), ...(isOrdered && { from: before, to: next }) };
      server.audit.note(session, "dispenser advanced", told, engine.dependsOnName(name) > 0);
    }
    replies.bulk(next);
  };
  const { allocation } = engine.upcoming(dispenser);
  const target = dispenser.definition.series.positionFrom(number, allocation.period);
  if (target instanceof Refusal) return answer(target);
  const leap = force === undefined ? refuseLeap(dispenser, allocation, target, number) : undefined;
  if (leap !== undefined) return answer(leap);
  whenDone(call, server.catalog.advance(dispenser, number), answer);
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
    summary: "Defines a dispenser, or changes the strategy, length or format of one",
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
      const fields: Fields = dispenser ? shownFieldsOf(dispenser.definition) : new Map();
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
      const fields: Fields = dispenser ? shownFieldsOf(dispenser.definition) : new Map();
      const value = fields.get(call.args[1]!.toLowerCase());
      if (value === undefined) call.replies.null();
      else call.replies.bulk(value);
    },
  },
];
