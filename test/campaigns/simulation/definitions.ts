/** Requests that define lines, change and delete them. */

import { type StrategyName, strategyNames } from "../../../src/dispenser/strategy.ts";
import type { Reply } from "../../../testkit/resp.ts";
import { Broken } from "./broken.ts";
import { Checker } from "./checker.ts";
import type { Model, Send } from "./model.ts";
import { told } from "./order.ts";
import { expects, isNumber } from "./replies.ts";
import { fieldsOf, isSameShape, type Shape, someShape } from "./shapes.ts";
import { type Deleted, mayMeet } from "./state.ts";

export function define(model: Model, send: Send): void {
  const { prng, state, engine } = model;
  const name = model.someFreeName();
  if (name === undefined) return;
  const deleted = state.deleted.get(name) ?? [];
  const isSame = deleted.length > 0 && prng.once(2);
  const shape = isSame ? prng.pick(deleted).shape : someShape(prng);
  const { type } = shape;
  const strategy = prng.pick(strategyNames.filter((name) => type !== "4" || name !== "memory"));
  const reuse = prng.once(8);
  const fields: Record<string, string> = { ...fieldsOf(shape), auto_disk: strategy };
  // A deleted line goes on without anybody giving its key.
  if (type === "4" && isSame && !reuse && prng.once(2)) delete fields.key;
  if (reuse) fields.reuse = "yes";
  let reply: (reply: Reply) => void = expects(`ERR '${name}' was deleted`);
  const answered = (found: Reply) => reply(found);
  send(["HSET", name, ...Object.entries(fields).flat()], { answered });
  const kept = reuse ? [] : deleted;
  const same =
    strategy === "memory" ? undefined : kept.findLast((line) => isSameShape(line.shape, shape));
  if (!engine.has(name)) {
    if (!isMet(shape, same, kept)) throw new Broken(`${name}: refused for nothing`);
    return;
  }
  model.changes(name);
  if (reuse) state.deleted.delete(name);
  const inUse = (reuse ? undefined : state.inUse.get(name)) ?? new Set<bigint>();
  state.inUse.set(name, inUse);
  const checker = new Checker(name, shape, strategy, inUse);
  state.checkers.set(name, checker);
  reply = checker.hasPositions ? begins(model, checker, same) : isNumber;
}

/** A line of this name was let in: it is new, or goes on. Answers what its reply has to be. */
function begins(model: Model, checker: Checker, same: Deleted | undefined): (reply: Reply) => void {
  const { deleted } = model.state;
  const { name, inUse } = checker;
  const standing = model.standingOf(checker);
  const { position } = standing;
  for (const rank of inUse)
    if (checker.has(rank, standing)) checker.fail(`let in though ${told(rank)} is in use`);
  if (same === undefined) {
    if (position !== 0n) checker.fail(`is new, and begins at position ${position}`);
    return isNumber;
  }
  if (position < same.spentBelow || (same.position ?? position) !== position)
    checker.fail(`goes on at position ${position}, and was deleted at ${same.position}`);
  const { counts, definition } = model.dispenserOf(checker);
  checker.goesOn(standing, counts.generated, definition.strategy);
  deleted.set(
    name,
    // One in memory that the server did not keep may stand there, too.
    deleted.get(name)!.filter((line) => !isSameShape(line.shape, same.shape)),
  );
  return (reply) => {
    isNumber(reply);
    checker.spent.upTo(position);
  };
}

/** Whether a line may meet one that was deleted, and is another one, from where it would begin on. */
function isMet(shape: Shape, same: Deleted | undefined, deleted: readonly Deleted[]): boolean {
  if (shape.type === "1") return false;
  return deleted.some((line) => line !== same && mayMeet(shape, same?.position ?? 0n, line));
}

export function switchStrategy(model: Model, send: Send): void {
  const { prng } = model;
  const checker = model.someChecker();
  if (checker === undefined) return;
  const strategy = prng.pick(strategyNames);
  const dispenser = model.dispenserOf(checker);
  const { current, position } = dispenser;
  const before = dispenser.definition.strategy;
  const reuse = prng.once(2);
  const isRefused = isSwitchRefused(model, checker, strategy, reuse);
  const answered = (reply: Reply) => {
    if (isRefused && checker.shape.type === "4")
      return expects("ERR invalid auto_disk 'memory'")(reply);
    if (isRefused) return expects("ERR cannot change 'auto_disk' of ")(reply);
    isNumber(reply);
    if (strategy !== before) checker.spent.upTo(position);
  };
  const { countedFrom } = checker;
  const changes = strategy !== before && !isRefused;
  if (changes) {
    model.changes(checker.name, () => {
      checker.countedFrom = countedFrom;
    });
  }
  const words = ["HSET", checker.name, "auto_disk", strategy];
  send(reuse ? [...words, "reuse", "yes"] : words, { answered });
  if (model.dispenserOf(checker).current !== current) checker.fail("a switch moved the position");
  if (!changes) return;
  checker.switched(strategy);
  checker.countedFrom = 0n;
}

/** A durable line whose numbers are in use becomes none in memory without a word, and codes never. */
function isSwitchRefused(
  model: Model,
  checker: Checker,
  strategy: StrategyName,
  reuse: boolean,
): boolean {
  const { definition, counts } = model.dispenserOf(checker);
  if (strategy !== "memory" || definition.strategy === "memory") return false;
  const isInUse = checker.hasPositions && counts.generated > 0n;
  return checker.shape.type === "4" || (isInUse && !reuse);
}

export function grow(model: Model, send: Send): void {
  const { prng, state } = model;
  const checker = model.someThat(({ shape }) => shape.type === "2");
  if (checker === undefined) return;
  const { shape } = checker;
  const length = Math.min(18, shape.length + prng.pick([-1, 0, 1, 1, 5]));
  const { position } = model.dispenserOf(checker);
  // One that grew is answered after its commit; what is refused, at once.
  let reply: (reply: Reply) => void = isNumber;
  if (length !== shape.length) reply = expects("ERR cannot change 'length' of ", "ERR invalid ");
  const answered = (found: Reply) => reply(found);
  send(["HSET", checker.name, "length", String(length)], { answered });
  const now = model.dispenserOf(checker);
  if (now.position !== position) checker.fail("growing moved it");
  const longer = { ...shape, length };
  const hasGrown = Number(now.definition.values.length) === length && length !== shape.length;
  if (length > shape.length && !hasGrown) {
    const deleted = state.deleted.get(checker.name) ?? [];
    if (!deleted.some((line) => mayMeet(longer, position, line)))
      checker.fail("may not grow, for nothing");
  }
  if (!hasGrown) return;
  reply = isNumber;
  checker.shape = longer;
  model.changes(checker.name, () => {
    checker.shape = shape;
  });
  const standing = model.standingOf(checker);
  for (const rank of checker.inUse)
    if (checker.has(rank, standing)) checker.fail(`grows into ${told(rank)}, in use`);
}

export function remove(model: Model, send: Send): void {
  const { checkers } = model.state;
  const name = model.someName();
  const checker = checkers.get(name);
  if (checker !== undefined) {
    model.changes(name);
    keep(model, checker);
    checkers.delete(name);
  }
  send(["DEL", name], {
    answered: (reply) => {
      if (reply !== Number(checker !== undefined))
        throw new Broken(`DEL ${name}: ${String(reply)}`);
    },
  });
}

/** What is kept of a line that DEL takes. */
function keep({ engine, state }: Model, { name, shape, hasPositions, spent }: Checker): void {
  const { position, definition } = engine.find(name)!;
  const isMemory = definition.strategy === "memory";
  if (!hasPositions || (!isMemory && position === 0n)) return;
  const line = {
    shape,
    position: isMemory ? undefined : position,
    spentBelow: spent.below,
  };
  state.deleted.set(name, [...(state.deleted.get(name) ?? []), line]);
}
