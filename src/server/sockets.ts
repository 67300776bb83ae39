/** The sockets a server listens on: TCP, TLS and unix, opened from the settings. */

import { existsSync, lstatSync, readFileSync, unlinkSync } from "node:fs";
import type { Socket, SocketHandler, TCPSocketListener, TLSOptions, UnixSocketListener } from "bun";
import { type Address, addressText } from "../address.ts";
import { CannotStart, reasonOf } from "../refusal.ts";
import type { Config } from "../settings.ts";

export type ListeningSocket<Data> = TCPSocketListener<Data> | UnixSocketListener<Data>;

/** Removes what a killed server left at the path of a unix socket. Throws CannotStart. */
export async function clearUnixSockets(addresses: readonly Address[]): Promise<void> {
  for (const address of addresses) {
    if (!("unix" in address) || !existsSync(address.unix)) continue;
    const shown = `cannot listen on ${addressText(address)}`;
    if (!lstatSync(address.unix).isSocket()) {
      throw new CannotStart(`${shown}: there is a file that is no socket`);
    }
    if (await answers(address.unix)) throw new CannotStart(`${shown}: the address is in use`);
    unlinkSync(address.unix);
  }
}

async function answers(unix: string): Promise<boolean> {
  try {
    const socket = await Bun.connect({ unix, socket: { data() {} } });
    socket.terminate();
    return true;
  } catch {
    return false;
  }
}

/** Reads what TLS needs. Throws CannotStart where a file cannot be read. */
export function readTls({ tlsCert, tlsKey, tlsClientCa }: Config): TLSOptions {
  const read = (path: string, setting: string) => {
    try {
      return readFileSync(path, "utf8");
    } catch (error) {
      throw new CannotStart(`cannot read ${setting} ${path}: ${reasonOf(error)}`);
    }
  };
  const options = { cert: read(tlsCert, "tls.cert"), key: read(tlsKey, "tls.key") };
  if (tlsClientCa === "") return options;
  const ca = read(tlsClientCa, "tls.client_ca");
  return { ...options, ca, requestCert: true, rejectUnauthorized: true };
}

/** Opens one; throws CannotStart. */
export function listen<Data>(
  address: Address,
  config: Config,
  tls: TLSOptions | undefined,
  socket: SocketHandler<Data>,
): ListeningSocket<Data> {
  const common = { allowHalfOpen: true, socket, ...(tls === undefined ? {} : { tls }) };
  try {
    if ("unix" in address) {
      // Permissions from the first instant on: nobody gets in before they are set.
      const before = process.umask(0o777 & ~config.unixSocketMode);
      try {
        return Bun.listen<Data>({ unix: address.unix, ...common });
      } finally {
        process.umask(before);
      }
    }
    const { host: hostname, port } = address;
    if (hostname !== undefined) return Bun.listen<Data>({ hostname, port, ...common });
    return listenOnAll((all) => Bun.listen<Data>({ hostname: all, port, ...common }));
  } catch (error) {
    throw new CannotStart(`cannot listen on ${addressText(address)}: ${whyNot(error)}`);
  }
}

/** All interfaces: both of IPv6 and IPv4 where there is IPv6, otherwise IPv4. */
function listenOnAll<T>(open: (hostname: string) => T): T {
  try {
    return open("::");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") throw error;
    return open("0.0.0.0");
  }
}

function whyNot(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "EADDRINUSE") return "the address is in use";
  if (code === "EACCES") return "permission denied";
  if (code === "EADDRNOTAVAIL") return "it is not an address of this machine";
  if (code === "ENOENT") return "there is no such folder";
  if (code?.startsWith("ERR_OSSL")) return `tls.cert or tls.key is of no use: ${message}`;
  if (code === undefined) return "unknown host";
  return message;
}

/** Whether an address is of the loopback interface. */
export function isLoopback(address: string): boolean {
  return address === "::1" || /^(::ffff:)?127\./.test(address);
}

/** The two ends of a client's connection, as texts; undefined where it is over already. */
export function endsOf(socket: Socket<unknown>, address: Address) {
  if ("unix" in address) {
    const text = addressText(address);
    return { address: text, localAddress: text, host: text, isLocal: true };
  }
  // A client that left before it was let in has no address any more (the types do not say so).
  const remote = socket.remoteAddress as string | undefined;
  const own = socket.localAddress as string | undefined;
  if (remote === undefined || own === undefined) return undefined;
  const host = remote.replace(/^::ffff:/, "");
  const local = own.replace(/^::ffff:/, "");
  return {
    address: addressText({ host, port: socket.remotePort }),
    localAddress: addressText({ host: local, port: socket.localPort }),
    host,
    isLocal: isLoopback(host),
  };
}
