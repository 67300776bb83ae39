/**
 * Decides whether a client may run a command. A request is checked when it comes, and a queued one
 * again when EXEC runs it, because an AUTH may have changed the client's user by then.
 */

import { Refusal } from "../../base/errors.ts";
import type { Right } from "../../config/settings.ts";
import { type Command, keysIn, type ServerForCommands, type Session } from "./command.ts";

const NO_AUTH = "NOAUTH Authentication required.";
const FULL =
  "ERR max number of clients reached: this connection was let in past limits.clients, to look and to repair; " +
  "raise the limit with CONFIG SET maxclients, or end clients with CLIENT KILL, and connect again";
/** Rights of which a client in a reserved place may use none. */
const NUMBERS: readonly (Right | undefined)[] = ["take", "verify", "create", "manage"];
const NO_MULTI = "ERR Command not allowed inside a transaction";

/** The refusal of a command; undefined if it may run. The checks are in the order of Redis. */
export function refuse(
  { catalog }: ServerForCommands,
  session: Session,
  command: Command,
  args: readonly string[],
): Refusal | undefined {
  const { user, transaction } = session;
  const { flags, name, right, isShared } = command;
  if (user === undefined && !flags.includes("no_auth")) return new Refusal(NO_AUTH);
  if (transaction !== undefined && flags.includes("no_multi")) return new Refusal(NO_MULTI);
  if (transaction !== undefined && isShared && catalog.isShared) {
    return new Refusal(`ERR ${name.toUpperCase()} is not allowed in a transaction in a cluster`);
  }
  if (session.isReserved && NUMBERS.includes(right)) {
    session.closes = true;
    return new Refusal(FULL);
  }
  const refusal = user?.refuse(name, right, keysIn(command, args));
  if (refusal !== undefined) return refusal;
  const more = command.needsMore?.(args);
  return more === undefined ? undefined : user?.refuse(more.what, more.right, more.names);
}
