/** The command about the period that a line is in. */

import { notFound, quoted, Refusal } from "../../base/errors.ts";
import { toText } from "../../dispenser/name.ts";
import { type Call, type Command, waitFor, whenDone } from "./command.ts";

/** PERIOD: takes a line back into a period, after a clock that was wrong. */
function period(call: Call): void {
  const { engine, server, session, replies, args } = call;
  const [name, text, force] = args as [string, string, string | undefined];
  const dispenser = engine.find(name);
  const before = dispenser?.allocation;
  const answer = (refusal: Refusal | undefined) => {
    waitFor(session, engine.dependsOn(name, dispenser));
    if (refusal !== undefined) return replies.error(refusal.message);
    if (dispenser!.allocation !== before) {
      const told = { dispenser: toText(name), period: text };
      server.audit.note(session, "dispenser taken back", told, engine.dependsOnName(name) > 0);
    }
    replies.bulk(engine.next(dispenser!));
  };
  if (args.length > 3 || (force !== undefined && force.toLowerCase() !== "force")) {
    return replies.error("ERR syntax error: PERIOD takes a name, a period, and the word FORCE");
  }
  if (dispenser === undefined) return answer(notFound(name));
  const { format, hasPeriods } = dispenser.definition;
  if (!hasPeriods) return answer(new Refusal(`ERR ${quoted(name)} has no periods`));
  const wanted = format!.periods!.from(text);
  if (wanted === undefined) {
    const present = format!.periods!.text(engine.upcoming(dispenser).when.period);
    return answer(
      new Refusal(
        `ERR invalid period ${quoted(text)}: must be written as the present one of ${quoted(name)}, ${present}`,
      ),
    );
  }
  if (force === undefined) {
    return answer(
      new Refusal(
        `ERR PERIOD takes ${quoted(name)} back behind its last number of ${text}: add FORCE where that is meant`,
      ),
    );
  }
  whenDone(call, server.catalog.goBack(dispenser, wanted), answer);
}

export const periodCommands: readonly Command[] = [
  {
    name: "period",
    arity: -3,
    flags: ["write"],
    keys: [1, 1],
    group: "dispenser",
    right: "manage",
    summary: "Takes a line back into a period that it has been in",
    needs: "names",
    isShared: true,
    run: period,
  },
];
