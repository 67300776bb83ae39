/** Requests that take numbers. */

import type { Reply, ReplyError } from "../../../testkit/resp.ts";
import type { AskedOf, Checker } from "./checker.ts";
import type { SimulatedClient } from "./client.ts";
import type { Model, Send } from "./model.ts";
import { told } from "./order.ts";
import { EXHAUSTED, expects, NOT_FOUND } from "./replies.ts";
import type { Standing } from "./spent.ts";

export function take(model: Model, send: Send, client: SimulatedClient): void {
  const name = model.someName();
  const checker = model.state.checkers.get(name);
  if (checker === undefined) return send(["GET", name], { answered: expects(NOT_FOUND) });
  takeOf(model, send, client, checker);
}

/** Takes a number of a line; `came` is told the reply. */
export function takeOf(
  model: Model,
  send: Send,
  client: SimulatedClient,
  checker: Checker,
  came: (reply: Reply) => void = () => {},
): void {
  const asked = model.ask(checker);
  let after: Standing | undefined;
  const answered = (reply: Reply) => {
    came(reply);
    if (typeof reply === "string") return received(client, checker, reply, asked);
    expects(EXHAUSTED)(reply);
    // It may be answered at once, before the request is known to be processed.
    checker.checkExhausted((reply as ReplyError).message, asked, after ?? standing());
  };
  const standing = () => model.standingOf(checker);
  send(["GET", checker.name], { takes: [checker], answered });
  after = standing();
}

/** On one connection numbers come in their order. */
function received(client: SimulatedClient, checker: Checker, text: string, asked: AskedOf): void {
  const rank = checker.acknowledge(text, asked);
  if (!checker.hasPositions) return;
  const last = client.lastOf.get(checker);
  const isInOrder = last?.stretch !== asked.stretch || rank > last.rank;
  if (!isInOrder) checker.fail(`${told(rank)} after ${told(last.rank)}`);
  client.lastOf.set(checker, { stretch: asked.stretch, rank });
}

export function takeEach(model: Model, send: Send, client: SimulatedClient): void {
  const { prng, state } = model;
  const names = Array.from({ length: 1 + prng.below(4) }, () => model.someName());
  const checkers = names.map((name) => state.checkers.get(name));
  if (checkers.some((checker) => checker === undefined))
    return send(["MGET", ...names], { answered: expects(NOT_FOUND, EXHAUSTED) });
  const takes = checkers.filter((checker) => checker !== undefined);
  const asked = takes.map((checker) => model.ask(checker));
  const answered = (reply: Reply) => {
    if (!Array.isArray(reply)) return expects(EXHAUSTED)(reply);
    for (const [index, checker] of takes.entries())
      received(client, checker, String(reply[index]), asked[index]!);
  };
  // What it took of lines whose reservation stands is wasted.
  const failed = () => {
    for (const [index, checker] of takes.entries())
      if (asked[index]!.strategy !== "elegant_close") checker.life.excused++;
  };
  send(["MGET", ...names], { takes, answered, failed });
}
