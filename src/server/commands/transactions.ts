/** The commands MULTI, EXEC and DISCARD. */

import { type Call, type Command, callCommand } from "./command.ts";
import { refuse } from "./permission.ts";
import { Transaction } from "./transaction.ts";

function multi({ server, session, replies }: Call): void {
  if (session.transaction !== undefined) {
    return replies.error("ERR MULTI calls can not be nested");
  }
  session.transaction = new Transaction(server.config.transactionBytesMax, session.memory);
  replies.simple("OK");
}

function exec(call: Call): void {
  const { server, session, replies } = call;
  const { transaction } = session;
  if (transaction === undefined) return replies.error("ERR EXEC without MULTI");
  const queue = [...transaction.queue];
  session.transaction = undefined;
  if (transaction.isBroken) {
    return replies.error("EXECABORT Transaction discarded because of previous errors.");
  }
  replies.array(queue.length);
  for (const { command, args } of queue) {
    session.runQueued(() => {
      // An AUTH, also one in this queue, may have changed the user since the request was allowed.
      const refusal = refuse(server, session, command, args);
      if (refusal === undefined) return callCommand(command, { ...call, args });
      server.commandStats.of(command.name).rejected++;
      replies.error(refusal.message);
    });
  }
}

function discard({ session, replies }: Call): void {
  if (session.transaction === undefined) return replies.error("ERR DISCARD without MULTI");
  session.transaction = undefined;
  replies.simple("OK");
}

const common = { arity: 1, keys: [0, 0], group: "transactions" } as const;

export const transactionCommands: readonly Command[] = [
  {
    ...common,
    name: "multi",
    flags: ["noscript", "loading", "stale", "fast"],
    summary: "Begins a transaction: the requests until EXEC are queued",
    run: multi,
  },
  {
    ...common,
    name: "exec",
    flags: ["noscript", "loading", "stale"],
    summary: "Runs the queued requests, with nothing between them, and commits them as one",
    run: exec,
  },
  {
    ...common,
    name: "discard",
    flags: ["noscript", "loading", "stale", "fast"],
    summary: "Forgets the queued requests",
    run: discard,
  },
];
