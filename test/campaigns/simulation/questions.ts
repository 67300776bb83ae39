/** Requests that take nothing: INFO, PEEK and VERIFY. */

import { type Reply, ReplyError } from "../../../testkit/resp.ts";
import { Broken } from "./broken.ts";
import type { Checker } from "./checker.ts";
import type { SimulatedClient } from "./client.ts";
import type { Model, Send } from "./model.ts";
import { expects, NOT_FOUND } from "./replies.ts";
import { calendarOf, limitOf, numberAt, textOf } from "./shapes.ts";
import { takeOf } from "./taking.ts";

export function inform(model: Model, send: Send): void {
  const name = model.someName();
  const checker = model.state.checkers.get(name);
  if (checker === undefined) return send(["INFO", name], { answered: expects(NOT_FOUND) });
  const { countedFrom } = checker;
  const asked = model.ask(checker);
  const answered = (reply: Reply) => {
    const lines = String(reply).trim().split("\r\n");
    // A value may have a colon itself.
    const fields = lines.map((line) => /^([^:]*):(.*)$/.exec(line)!.slice(1) as [string, string]);
    checker.checkInfo(Object.fromEntries(fields), countedFrom, asked);
  };
  send(["INFO", name], { answered });
}

/** PEEK tells what a GET right after it brings. */
export function peek(model: Model, send: Send, client: SimulatedClient): void {
  const name = model.someName();
  const checker = model.state.checkers.get(name);
  if (checker === undefined) return send(["PEEK", name], { answered: expects(NOT_FOUND) });
  if (!["2", "3"].includes(checker.shape.type))
    return send(["PEEK", name], { answered: expects("ERR PEEK does not apply to type ") });
  const { isSeen } = model.clock.moment;
  let told: Reply = null;
  const answered = (reply: Reply) => {
    told = reply;
  };
  send(["PEEK", name], { answered });
  takeOf(model, send, client, checker, (reply) => {
    if (!isSeen || told === null) return;
    if (messageOf(reply) !== messageOf(told))
      checker.fail(`PEEK told ${messageOf(told)}, and ${messageOf(reply)} came`);
    told = null;
  });
}

const messageOf = (reply: Reply) => (reply instanceof ReplyError ? reply.message : String(reply));

export function verify(model: Model, send: Send): void {
  const checker = model.someChecker();
  if (checker === undefined) return;
  if (!checker.hasPositions)
    return send(["VERIFY", checker.name, "1"], { answered: expects("ERR VERIFY does not apply") });
  if (model.prng.once(2)) verifyReceived(model, send, checker);
  else verifyNext(model, send, checker);
}

/** A number that a client has, of the present period or of one that ended. */
function verifyReceived({ prng, state }: Model, send: Send, checker: Checker): void {
  if (checker.received.size === 0 || state.checkers.get(checker.name) !== checker) return;
  const text = prng.pick([...checker.received.values()]);
  const answered = (reply: Reply) => {
    const mayNotTell = checker.hasPeriods && checker.spent.mayBeForgotten;
    if (mayNotTell && reply instanceof ReplyError) return expects("ERR cannot tell: ")(reply);
    if (reply !== 1) throw new Broken(`${checker.name}: VERIFY ${text}: ${String(reply)}`);
  };
  send(["VERIFY", checker.name, text], { answered });
}

/** A number that nobody has yet, of the present period or of the next one. */
function verifyNext(model: Model, send: Send, checker: Checker): void {
  const { prng } = model;
  const { shape } = checker;
  const { k, period } = model.upcoming(checker);
  const isLater = calendarOf(shape) !== undefined && prng.once(3);
  const number = numberAt(shape, isLater ? 0n : k + BigInt(prng.pick([0, 1, 1000])));
  if (number > limitOf(shape)) return;
  const of = isLater ? period + 1 : period;
  // It may have been in the next one, too.
  if (isLater && (model.standingOf(checker).passedIn!(of) ?? 0n) > 0n) return;
  const text = textOf(shape, number, of);
  const answered = (reply: Reply) => {
    const mayNotTell = isLater && checker.spent.mayBeForgotten && reply instanceof ReplyError;
    if (mayNotTell) return expects("ERR cannot tell: ")(reply);
    if (reply !== 0) throw new Broken(`${checker.name}: VERIFY ${text}: ${String(reply)}`);
  };
  send(["VERIFY", checker.name, text], { answered });
}
