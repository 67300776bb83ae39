/** Unix sockets at paths: whether a server listens there, or what is there was left by one that was killed. */

import { lstatSync, readFileSync, type Stats, unlinkSync } from "node:fs";
import { CannotStart, reasonOf } from "../base/errors.ts";
import { type Address, addressText } from "../config/address.ts";

/** Removes what a killed server left at the path of a unix socket. Throws CannotStart. */
export async function clearUnixSockets(addresses: readonly Address[]): Promise<void> {
  for (const address of addresses) {
    if (!("unix" in address) || address.descriptor !== undefined) continue;
    const shown = `cannot listen on ${addressText(address)}`;
    try {
      await clear(address.unix);
    } catch (error) {
      throw new CannotStart(`${shown}: ${reasonOf(error)}`);
    }
  }
}

async function clear(path: string): Promise<void> {
  // Not what a link leads to: it is the link that would be removed.
  const found = present(path);
  if (found === undefined) return;
  if (!found.isSocket()) throw new Error("there is a file that is no socket");
  if (!(await isDead(path))) throw new Error("the address is in use");
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
async function isDead(unix: string): Promise<boolean> {
  if (isBound(unix)) return false;
  try {
    const socket = await Bun.connect({ unix, socket: { data() {} } });
    socket.terminate();
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ECONNREFUSED";
  }
}

/** Whether Linux knows of one; elsewhere a connection alone shows it. */
function isBound(unix: string): boolean {
  try {
    const sockets = readFileSync("/proc/self/net/unix", "utf8").split("\n");
    return sockets.some((line) => line.endsWith(` ${unix}`));
  } catch {
    return false;
  }
}
