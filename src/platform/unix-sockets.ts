/**
 * Tells a unix socket on which a server listens from one that a killed server left, and removes the
 * latter.
 */

import { lstatSync, readFileSync, type Stats, unlinkSync } from "node:fs";
import type { Socket } from "bun";
import { CannotStart, reasonOf } from "../base/errors.ts";
import { type Address, addressText } from "../config/address.ts";

/** Where Linux lists the sockets that are bound. */
const BOUND = "/proc/self/net/unix";

/**
 * Removes the unix sockets that killed servers left at these addresses. Throws CannotStart if one
 * is in use.
 */
export async function clearUnixSockets(
  addresses: readonly Address[],
  bound = BOUND,
): Promise<void> {
  for (const address of addresses) {
    if (!("unix" in address) || address.descriptor !== undefined) continue;
    const shown = `cannot listen on ${addressText(address)}`;
    try {
      await clear(address.unix, bound);
    } catch (error) {
      throw new CannotStart(`${shown}: ${reasonOf(error)}`);
    }
  }
}

async function clear(path: string, bound: string): Promise<void> {
  // The entry itself, not what a link leads to: unlinking would remove the link.
  const found = present(path);
  if (found === undefined) return;
  if (!found.isSocket()) throw new Error("there is a file that is no socket");
  if (!(await isDead(path, bound))) throw new Error("the address is in use");
  if (present(path)?.ino === found.ino) unlinkSync(path);
}

/** The entry at a path; undefined if it cannot be read: listening on it will say why. */
function present(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch {
    return undefined;
  }
}

/** Whether no process has the socket. A process that is too busy to answer still has it. */
async function isDead(unix: string, bound: string): Promise<boolean> {
  if (isBound(unix, bound)) return false;
  try {
    const end = (socket: Socket) => void socket.terminate();
    await Bun.connect({ unix, socket: { open: end, data: end } });
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ECONNREFUSED";
  }
}

/** Whether the socket is in Linux's list; on other systems only a connection can tell. */
function isBound(unix: string, bound: string): boolean {
  try {
    const sockets = readFileSync(bound, "utf8").split("\n");
    return sockets.some((line) => line.endsWith(` ${unix}`));
  } catch {
    return false;
  }
}
