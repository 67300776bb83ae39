/** The table of commands, and how a request becomes a call of one. */

import type { Engine } from "../engine.ts";
import type { Command, Server, Session } from "./command.ts";
import { connectionCommands } from "./commands/connection.ts";
import { dispenserCommands } from "./commands/dispensers.ts";
import { introspectionCommands } from "./commands/introspection.ts";
import { nameCommands } from "./commands/names.ts";
import { serverCommands } from "./commands/server.ts";

/** An error quotes at most so many bytes of a command it does not know, as in Redis. */
const UNKNOWN_QUOTED_BYTES_MAX = 128;

/** All commands by their names in lower case. */
export const commands: ReadonlyMap<string, Command> = buildTable();

function buildTable(): Map<string, Command> {
  const table = new Map<string, Command>();
  const lists = [
    dispenserCommands,
    nameCommands,
    connectionCommands,
    serverCommands,
    introspectionCommands(table),
  ];
  for (const command of lists.flat()) table.set(command.name, command);
  return table;
}

/** Runs one request; its reply is appended to the session's. */
export function execute(
  engine: Engine,
  server: Server,
  session: Session,
  request: readonly string[],
): void {
  const { replies } = session;
  const [name, ...args] = request as [string, ...string[]];
  const command = commands.get(name) ?? commands.get(name.toLowerCase());
  if (command === undefined && isHttp(name)) {
    session.closes = true;
    return;
  }
  if (command === undefined) return replies.error(unknownCommand(name, args));
  const isRightCount =
    command.arity > 0 ? request.length === command.arity : request.length >= -command.arity;
  if (!isRightCount) {
    return replies.error(`ERR wrong number of arguments for '${command.name}' command`);
  }
  command.run({ engine, server, session, replies, args });
}

/**
 * A browser that was talked into sending a request here, with commands in its body: as in Redis
 * the connection ends before they are read.
 */
function isHttp(name: string): boolean {
  return /^(post|host:)$/i.test(name);
}

function unknownCommand(name: string, args: readonly string[]): string {
  let shown = "";
  for (const arg of args) {
    if (shown.length >= UNKNOWN_QUOTED_BYTES_MAX) break;
    shown += `'${arg.slice(0, UNKNOWN_QUOTED_BYTES_MAX - shown.length)}' `;
  }
  const quotedName = name.slice(0, UNKNOWN_QUOTED_BYTES_MAX);
  return `ERR unknown command '${quotedName}', with args beginning with: ${shown}`;
}
