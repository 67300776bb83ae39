/** Whose programs listen at a TCP address of this machine, by Linux's list of sockets. */

import { readFileSync } from "node:fs";
import { isIPv4 } from "node:net";
import { endianness } from "node:os";

const TABLES = ["/proc/self/net/tcp", "/proc/self/net/tcp6"];
/** TCP_LISTEN, as the table writes it. */
const LISTENING = "0A";

/**
 * The user ids of all sockets that listen at an IP address and a port, or at that port on all
 * interfaces; undefined if the system has no such list.
 */
export function listenersAt(
  host: string,
  port: number,
  tables: readonly string[] = TABLES,
): ReadonlySet<number> | undefined {
  const bytes = bytesOf(host);
  const mapped = bytes.length === 4 ? [...MAPPED, ...bytes] : bytes;
  const all = [new Array(4).fill(0), new Array(16).fill(0)];
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const places = [bytes, mapped, ...all].map((address) => hexOf(address) + suffix);
  const found = new Set<number>();
  try {
    for (const table of tables) {
      for (const line of readFileSync(table, "latin1").split("\n")) {
        const [, local, , state, , , , uid] = line.trim().split(/\s+/);
        if (state === LISTENING && places.includes(local!)) found.add(Number(uid));
      }
    }
  } catch {
    return undefined;
  }
  return found;
}

/** What stands before an IPv4 address that is written as one of IPv6. */
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255];

/** The bytes of an IP address: 4, also of one that is mapped into IPv6, or 16. */
function bytesOf(host: string): number[] {
  const plain = host.replace(/^::ffff:(?=[0-9.]+$)/i, "");
  if (isIPv4(plain)) return plain.split(".").map(Number);
  // URL writes an address of IPv6 in one form: groups in hex, the longest run of zeros as "::".
  const [head, tail = ""] = new URL(`http://[${plain.replace(/%.*$/, "")}]`).hostname
    .slice(1, -1)
    .split("::");
  const groups = (text: string) => text.split(":").filter((group) => group !== "");
  const [first, last] = [groups(head!), groups(tail)];
  const zeros = new Array(8 - first.length - last.length).fill("0");
  return [...first, ...zeros, ...last].flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 255];
  });
}

/** Bytes as the table writes them: words of 4 bytes, each as a number of this processor. */
function hexOf(bytes: readonly number[]): string {
  const words = Buffer.from(bytes);
  if (endianness() === "LE") words.swap32();
  return words.toString("hex").toUpperCase();
}
