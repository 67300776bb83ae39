/** The commands that tell of a line's numbers, and take none. */

import { notFound, quoted, Refusal } from "../../base/errors.ts";
import { foretold, numbersLeft } from "../../dispenser/definition.ts";
import type { Dispenser } from "../../dispenser/dispenser.ts";
import { NO_PERIOD } from "../../dispenser/types/type.ts";
import { parseNumber, refuseNumber } from "../../dispenser/types/whole-number.ts";
import type { Engine } from "../../engine/engine.ts";
import { type Call, type Command, lookUp, waitFor, whenDone } from "./command.ts";

/** The line that a command is about; undefined if there is none, which is answered. */
function lineOf(call: Call, command: string, isRight: (dispenser: Dispenser) => boolean) {
  const { replies, args } = call;
  const name = args[0]!;
  const dispenser = lookUp(call, name);
  if (dispenser === undefined) replies.error(notFound(name).message);
  else if (isRight(dispenser)) return dispenser;
  else {
    const { code } = dispenser.definition.type;
    replies.error(`ERR ${command} does not apply to type ${code}: ${quoted(name)}`);
  }
  return undefined;
}

/** Adds the numbers that come next, at most so many, one in each step. */
function* foresee(engine: Engine, dispenser: Dispenser, count: number, numbers: string[]) {
  const { definition, position } = dispenser;
  const { allocation, when } = engine.upcoming(dispenser);
  const many = Math.min(count, numbersLeft(definition, allocation, position));
  for (let ahead = 0; ahead < many; ahead++) {
    const number = foretold(definition, allocation.toLine(position + BigInt(ahead)), when);
    yield void numbers.push(number);
  }
}

/** PEEK: the numbers that come next, which nobody is promised. */
function peek(call: Call): void {
  const { engine, server, session, replies, args } = call;
  const given = args[1];
  if (args.length > 2)
    return replies.error("ERR syntax error: PEEK takes a name and maybe a count");
  const dispenser = lineOf(call, "PEEK", ({ definition }) => definition.type.isOrdered);
  if (dispenser === undefined) return;
  const most = server.config.takeMax;
  const count = given === undefined ? 1n : parseNumber(given);
  if (count === undefined || count < 1n || count > most) {
    return replies.error(refuseNumber("count", given!, 1n, BigInt(most)).message);
  }
  const numbers: string[] = [];
  session.runJob(foresee(engine, dispenser, Number(count), numbers), () => {
    if (numbers.length === 0) return replies.error(engine.exhausted(dispenser).message);
    if (given !== undefined) replies.array(numbers.length);
    for (const number of numbers) replies.bulk(number);
  });
}

/** VERIFY: whether a line has handed out a number, or skipped it. */
function verify(call: Call): void {
  const { engine, server, session, replies, args } = call;
  const [name, number] = args as [string, string];
  const dispenser = lineOf(call, "VERIFY", ({ hasPositions }) => hasPositions);
  if (dispenser === undefined) return;
  const { series, format } = dispenser.definition;
  const latest = engine.periods.latest(dispenser);
  const period = format === undefined ? NO_PERIOD : format.periodIn(number, latest);
  const position = period === undefined ? undefined : series.positionOnceOf(number, period);
  if (period === undefined || position === undefined) return replies.integer(0);
  whenDone(call, server.catalog.verify(dispenser, position, period), (found) => {
    waitFor(session, engine.dependsOn(name, dispenser));
    if (found instanceof Refusal) replies.error(found.message);
    else replies.integer(Number(found));
  });
}

export const numberCommands: readonly Command[] = [
  {
    name: "peek",
    arity: -2,
    flags: ["readonly"],
    keys: [1, 1],
    group: "dispenser",
    right: "inspect",
    summary: "Shows the numbers of a line that come next, and takes none",
    needs: "numbers",
    run: peek,
  },
  {
    name: "verify",
    arity: 3,
    flags: ["readonly"],
    keys: [1, 1],
    group: "dispenser",
    right: "verify",
    summary: "Tells whether a line has handed out a number, or skipped it",
    needs: "names",
    isShared: true,
    run: verify,
  },
];
