/** Whether a new client is let in, and what one is told that is not. */

const DENIED =
  "-DENIED Number Dispenser is in protected mode, as no password is set: it accepts connections only over " +
  "the loopback interface of its machine (127.0.0.1, ::1) and over unix sockets. To accept others, set " +
  "access.requirepass or users, or set protected_mode: false in the server section of its " +
  "configuration file, or NUMBER_DISPENSER_PROTECTED_MODE=false, and restart it; without a password everyone " +
  "who can reach the port may then take and delete dispensers. To stay protected, let it listen on " +
  "127.0.0.1 alone.\r\n";
const TOO_MANY_CLIENTS = "-ERR max number of clients reached\r\n";

/** Why a new client is not let in, and what it is answered; undefined for one that is. */
export function refusalFor(
  isLocal: boolean,
  clients: number,
  rule: { readonly isProtected: boolean; readonly clientsMax: number },
): { readonly why: string; readonly message: string } | undefined {
  if (rule.isProtected && !isLocal) return { why: "protected mode", message: DENIED };
  if (clients < rule.clientsMax) return undefined;
  return { why: "too many clients", message: TOO_MANY_CLIENTS };
}
