/**
 * Whether a client may run a command: asked when the request comes, and of one that waits between MULTI and EXEC again
 * when it is run, because its client may be somebody else by then, or have other rights.
 */

import { Refusal } from "../../base/errors.ts";
import { type Command, keysIn, type ServerForCommands, type Session } from "./command.ts";

const NO_AUTH = "NOAUTH Authentication required.";
const NO_MULTI = "ERR Command not allowed inside a transaction";

/** Why a client may not run a command with these arguments here; in the order in which Redis asks. */
export function refuse(
  { catalog }: ServerForCommands,
  { user, transaction }: Session,
  command: Command,
  args: readonly string[],
): Refusal | undefined {
  const { flags, name, right, isShared } = command;
  if (user === undefined && !flags.includes("no_auth")) return new Refusal(NO_AUTH);
  if (transaction !== undefined && flags.includes("no_multi")) return new Refusal(NO_MULTI);
  if (transaction !== undefined && isShared && catalog.isShared) {
    return new Refusal(`ERR ${name.toUpperCase()} is not allowed in a transaction in a cluster`);
  }
  const refusal = user?.refuse(name, right, keysIn(command, args));
  if (refusal !== undefined) return refusal;
  const more = command.needsMore?.(args);
  return more === undefined ? undefined : user?.refuse(more.what, more.right, more.names);
}
