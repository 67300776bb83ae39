/** Unix sockets at paths: whether a server listens there, or what is there was left by one that was killed. */

import { lstatSync, readFileSync, type Stats, unlinkSync } from "node:fs";
import type { Socket } from "bun";
import { CannotStart, reasonOf } from "../base/errors.ts";
import { type Address, addressText } from "../config/address.ts";

/** Where Linux lists the sockets that are bound. */
const BOUND = "/proc/self/net/unix";

/** Removes what a killed server left at the paths of unix sockets. Throws CannotStart where one is in use. */
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
  // Not what a link leads to: it is the link that would be removed.
  const found = present(path);
  if (found === undefined) return;
  if (!found.isSocket()) throw new Error("there is a file that is no socket");
  if (!(await isDead(path, bound))) throw new Error("the address is in use");
  if (present(path)?.ino === found.ino) unlinkSync(path);
}

/** What is at a path; undefined for nothing, and where its folder is none, as opening it then tells. */
function present(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch {
    return undefined;
  }
}

/** Whether nobody has that socket. One who is too busy to answer has it all the same. */
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

/** Whether Linux knows of one; elsewhere a connection alone shows it. */
function isBound(unix: string, bound: string): boolean {
  try {
    const sockets = readFileSync(bound, "utf8").split("\n");
    return sockets.some((line) => line.endsWith(` ${unix}`));
  } catch {
    return false;
  }
}
