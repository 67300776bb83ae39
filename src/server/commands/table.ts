/** The table of commands, and the way from a request to the command that it calls. */

import { Refusal } from "../../base/errors.ts";
import type { Demand, Need } from "../../engine/catalog.ts";
import type { Engine } from "../../engine/engine.ts";
import { clientCommand } from "./client.ts";
import {
  type Call,
  type Command,
  callCommand,
  failureOf,
  keysIn,
  type ServerForCommands,
  type Session,
  upToNul,
} from "./command.ts";
import { configCommand } from "./config.ts";
import { connectionCommands } from "./connection.ts";
import { dispenserCommands } from "./dispensers.ts";
import { introspectionCommands } from "./introspection.ts";
import { nameCommands } from "./names.ts";
import { numberCommands } from "./numbers.ts";
import { periodCommands } from "./periods.ts";
import { refuse } from "./permission.ts";
import { serverCommands } from "./server.ts";
import { transactionCommands } from "./transactions.ts";

/** How many bytes of an unknown command an error quotes at most, as in Redis. */
const UNKNOWN_QUOTED_BYTES_MAX = 128;

/** Commands that run at once between MULTI and EXEC. */
const notQueued = ["exec", "discard", "multi", "quit", "reset"];

/** All commands by their names in lower case. */
export const commands: ReadonlyMap<string, Command> = buildTable();

function buildTable(): Map<string, Command> {
  const table = new Map<string, Command>();
  const lists = [
    dispenserCommands,
    numberCommands,
    periodCommands,
    nameCommands,
    connectionCommands,
    [clientCommand],
    transactionCommands,
    serverCommands,
    [configCommand],
    introspectionCommands(table),
  ];
  for (const command of lists.flat()) table.set(command.name, command);
  return table;
}

/** Runs one request, or queues it in a transaction; its reply is appended to the session's. */
export function execute(
  engine: Engine,
  server: ServerForCommands,
  session: Session,
  request: readonly string[],
): void {
  const { replies, transaction } = session;
  const protocol = foreignProtocol(request[0]!);
  if (protocol !== undefined) return session.end(`it speaks ${protocol}`);
  const command = find(request);
  if (command instanceof Refusal) return refuseWith(command.message, session, request[0]!);
  const args = request.slice(command.name.includes("|") ? 2 : 1);
  const refusal =
    refuse(server, session, command, args) ?? tooMany(command, args, server, transaction);
  if (refusal !== undefined) {
    server.commandStats.of(command.name).rejected++;
    return refuseWith(refusal.message, session, request[0]!);
  }
  session.lastCommand = command.name;
  if (transaction === undefined || notQueued.includes(command.name)) {
    run(command, { engine, server, session, replies, args }, false);
  } else if (transaction.add({ command, args })) {
    replies.simple("QUEUED");
  } else {
    const { transactionBytesMax } = server.config;
    replies.error(
      `ERR transaction too large: limits.transaction_bytes is ${transactionBytesMax}; EXEC will refuse it`,
    );
  }
}

/**
 * Refuses a command that takes more numbers than one, or one transaction, may: all of them are taken
 * in one turn.
 */
function tooMany(
  { name, needs }: Command,
  { length }: readonly string[],
  { config: { takeMax } }: ServerForCommands,
  transaction: Session["transaction"],
): Refusal | undefined {
  if (needs !== "numbers") return undefined;
  const numbers = length + (transaction?.numbers ?? 0);
  if (numbers <= takeMax) return undefined;
  const [who, count] = length > takeMax ? [name.toUpperCase(), length] : ["a transaction", numbers];
  return new Refusal(
    `ERR ${who} takes at most ${takeMax} numbers at a time, not ${count}: limits.take`,
  );
}

/** Answers with an error. It breaks a transaction under way; a refused EXEC ends it. */
function refuseWith(message: string, session: Session, name: string): void {
  if (name.toLowerCase() === "exec") {
    session.transaction = undefined;
    const reason = message.replace(/^ERR /, "");
    return session.replies.error(`EXECABORT Transaction discarded because of: ${reason}`);
  }
  if (session.transaction !== undefined) session.transaction.isBroken = true;
  session.replies.error(message);
}

/** Finds the command of a request, and checks the number of words. */
function find(request: readonly string[]): Command | Refusal {
  const [name, second] = request as [string, ...string[]];
  let command = commands.get(name) ?? commands.get(name.toLowerCase());
  if (command === undefined) return unknownCommand(name, request.slice(1));
  if (command.subcommands !== undefined && second !== undefined) {
    const subcommand = command.subcommands.get(second.toLowerCase());
    if (subcommand === undefined) {
      const quotedName = upToNul(second).slice(0, UNKNOWN_QUOTED_BYTES_MAX);
      const help = `${command.name.toUpperCase()} HELP`;
      return new Refusal(`ERR unknown subcommand '${quotedName}'. Try ${help}.`);
    }
    command = subcommand;
  }
  const { arity } = command;
  const isRightCount = arity > 0 ? request.length === arity : request.length >= -arity;
  if (isRightCount) return command;
  return new Refusal(`ERR wrong number of arguments for '${command.name}' command`);
}

/**
 * Runs a command once the catalog has what it needs. `isKnown` says that it waited before; the
 * catalog is asked again, because other clients may have taken the numbers in the meantime.
 */
function run(command: Command, call: Call, isKnown: boolean): void {
  const { catalog } = call.server;
  const waits = catalog.isShared
    ? catalog.prepare(demandOf(command, call), isKnown, call.session)
    : undefined;
  if (waits === undefined) return callCommand(command, call);
  call.session.block(
    waits.then(
      () => () => run(command, call, true),
      (error: unknown) => () => {
        const { message } = failureOf(error);
        refuseWith(message, call.session, command.name);
      },
    ),
  );
}

/** The demand of a command; the demand of EXEC is that of its whole transaction. */
function demandOf(command: Command, { session, args }: Call): Demand {
  const { transaction } = session;
  const isRun = command.name === "exec" && transaction?.isBroken === false;
  const demand: Need[] = [];
  for (const queued of isRun ? transaction.queue : [{ command, args }]) {
    const { needs } = queued.command;
    if (needs === undefined) continue;
    demand.push({ names: keysIn(queued.command, queued.args), takes: needs === "numbers" });
  }
  return demand;
}

/**
 * The protocol that a request is in if it is no request of Redis: a web page can make a browser send
 * commands in the body of a POST, and a balancer may send a PROXY header (haproxy.org, "The PROXY
 * protocol"), whose reply would be taken for that of the first request. The connection is then
 * closed before more is read, and replies under way are dropped.
 */
function foreignProtocol(name: string): string | undefined {
  if (name.length < 4 || name.length > 5) return undefined;
  if (/^(post|host:)$/i.test(name)) return "HTTP";
  return name === "PROXY" ? "the PROXY protocol: send none to this address" : undefined;
}

function unknownCommand(name: string, args: readonly string[]): Refusal {
  let shown = "";
  for (const arg of args) {
    if (shown.length >= UNKNOWN_QUOTED_BYTES_MAX) break;
    shown += `'${upToNul(arg).slice(0, UNKNOWN_QUOTED_BYTES_MAX - shown.length)}' `;
  }
  const quotedName = upToNul(name).slice(0, UNKNOWN_QUOTED_BYTES_MAX);
  return new Refusal(`ERR unknown command '${quotedName}', with args beginning with: ${shown}`);
}
