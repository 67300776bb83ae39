/** Requests that take a line elsewhere: ADVANCE and PERIOD. */

import type { Reply } from "../../../testkit/resp.ts";
import type { Checker } from "./checker.ts";
import type { Model, Send } from "./model.ts";
import { Stretch } from "./order.ts";
import { EXHAUSTED, expects } from "./replies.ts";
import { calendarOf, limitOf, numberAt, positionOf, rankOf, textOf } from "./shapes.ts";
import type { Standing } from "./spent.ts";

const NUMBER_MAX = 2n ** 63n - 1n;

export function advance(model: Model, send: Send): void {
  const { prng } = model;
  const checker = model.someChecker();
  if (checker === undefined || !checker.hasPositions) return;
  const { shape } = checker;
  const before = model.dispenserOf(checker).position;
  const { k, period } = model.upcoming(checker);
  const skip = BigInt(prng.pick([0, 1, 50, 100_000]));
  const number = numberAt(shape, k + skip);
  const limit = limitOf(shape);
  const isCode = shape.type === "4";
  // A line of codes goes on behind one: there is none in front of the first, nor behind the last.
  if (isCode && (number === 0n || number > limit + 1n)) return;
  let skipped = 0n;
  const answered = (reply: Reply) => {
    if (typeof reply !== "string") return expects(EXHAUSTED)(reply);
    const next = checker.next(reply);
    const to = k + skipped;
    if (next !== undefined && positionOf(shape, next.number) !== to)
      checker.fail(`ADVANCE came to ${reply}, and not to position ${to}`);
    if (next !== undefined && next.period !== period)
      checker.fail(`ADVANCE came to ${reply}, and not to period ${period}`);
    if (skipped > 0n) checker.spent.upTo(before + skipped);
  };
  if (skip > 0n && number <= limit) model.changes(checker.name);
  const plain = number < NUMBER_MAX ? number : NUMBER_MAX;
  const isText = isCode || prng.once(2);
  const target = isText ? textOf(shape, isCode ? plain - 1n : plain, period) : String(plain);
  send(["ADVANCE", checker.name, target, "FORCE"], { answered });
  skipped = model.dispenserOf(checker).position - before;
  const { life } = checker;
  life.excused += skipped;
  model.changesBack(() => {
    life.excused -= skipped;
  });
}

export function goBack(model: Model, send: Send): void {
  const checker = model.someThat(({ hasPeriods }) => hasPeriods);
  if (checker === undefined) return;
  const calendar = calendarOf(checker.shape)!;
  const { clock, prng } = model;
  const present = calendar.periodAt(clock.moment.presentMs);
  const been = [...checker.spent.inPeriods.keys()];
  const isAllowed = prng.once(2);
  const wanted = prng.pick([
    ...[present, present, present + 1, present - 1],
    ...been.filter((period) => period >= present || !isAllowed).slice(-6),
  ]);
  const { stretch } = checker;
  const before = model.standingOf(checker);
  let after: Standing | undefined;
  let isAnswered = false;
  const answered = (reply: Reply) => {
    isAnswered = true;
    // What is refused is answered at once, before the request is known to be processed.
    const { run } = after ?? model.standingOf(checker);
    if (run?.period !== wanted || wanted < present)
      return expects(`ERR cannot take '${checker.name}' back into `)(reply);
    const next = checker.next(String(reply));
    if (next !== undefined && next.period !== wanted)
      checker.fail(`PERIOD ${wanted} came to ${String(reply)}`);
  };
  send(["PERIOD", checker.name, calendar.textOf(wanted), "FORCE"], { answered });
  after = model.standingOf(checker);
  if (after.position !== before.position) checker.fail("PERIOD moved the position");
  const { period } = after.run ?? {};
  if (period === before.run?.period) {
    if (wanted >= present && wanted !== period) checkStays(checker, wanted);
    return;
  }
  if (period !== wanted || wanted < present)
    checker.fail(`PERIOD ${wanted} took it to ${period}, and it is ${present}`);
  if (model.strategyOf(checker) === "memory")
    checker.fail("is in memory, where nothing is kept of what it leaves, and went back");
  if (isAnswered) checker.fail("answered PERIOD before its commit");
  const { inPeriods } = checker.spent;
  checker.stretch = new Stretch(rankOf(wanted, inPeriods.get(wanted) ?? 0n) - 1n, inPeriods);
  model.changes(checker.name, () => {
    checker.stretch = stretch;
  });
}

/** A line may not refuse to go where it has been, as far as it has to know that. */
function checkStays(checker: Checker, wanted: number): void {
  const { inPeriods, mayBeForgotten } = checker.spent;
  if (inPeriods.has(wanted) && !mayBeForgotten)
    checker.fail(`does not go back into ${wanted}, which it has been in`);
}
