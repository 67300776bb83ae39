/**
 * Talks to the service manager as systemd defines it: tells it the server's state by a datagram to
 * the socket in NOTIFY_SOCKET (sd_notify(3)), and takes over the sockets that it passes
 * (sd_listen_fds(3)).
 */

import { ptr } from "bun:ffi";
import { CannotStart } from "../base/errors.ts";
import type { Address } from "../config/address.ts";
import { openLibc } from "./libc.ts";

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_ACCEPTCONN = 30;
/** The first descriptor that is passed (SD_LISTEN_FDS_START). */
const FIRST_DESCRIPTOR = 3;
/** The name of a socket for TLS: FileDescriptorName= in its unit. */
const TLS_NAME = "tls";
/** sockaddr_un: its family and a path of at most 108 bytes. */
const PATH_AT = 2;
const PATH_BYTES_MAX = 108;

/** Tells the service manager a state such as `READY=1`. Answers whether there was one to tell. */
export function notify(state: string, socket = process.env.NOTIFY_SOCKET): boolean {
  if (socket === undefined || socket === "" || process.platform !== "linux") return false;
  const path = Buffer.from(socket);
  if (path.length > PATH_BYTES_MAX) return false;
  // @ stands for the NUL with which the address of an abstract socket begins.
  if (path[0] === 0x40) path[0] = 0;
  const address = Buffer.alloc(PATH_AT + path.length);
  address.writeUInt16LE(AF_UNIX);
  path.copy(address, PATH_AT);
  const libc = openLibc({
    socket: { args: ["int", "int", "int"], returns: "int" },
    sendto: { args: ["int", "ptr", "u64", "int", "ptr", "u32"], returns: "i64" },
    close: { args: ["int"], returns: "int" },
  });
  const descriptor = libc?.socket(AF_UNIX, SOCK_DGRAM, 0) ?? -1;
  if (libc === undefined || descriptor < 0) return false;
  const message = Buffer.from(state);
  const to = [ptr(address), address.length] as const;
  const sent = libc.sendto(descriptor, ptr(message), BigInt(message.length), 0, ...to);
  libc.close(descriptor);
  return Number(sent) === message.length;
}

/** The addresses of the sockets that were passed: they are open already. */
export interface PassedSockets {
  readonly addr?: readonly Address[];
  readonly tlsAddr?: readonly Address[];
}

/**
 * The sockets that the service manager passed to this process; those named "tls" are for TLS.
 * Undefined if there are none. Throws CannotStart if one of them is not a listening TCP or unix
 * socket.
 */
export function passedSockets(
  environment: Readonly<Record<string, string | undefined>>,
  pid = process.pid,
  first = FIRST_DESCRIPTOR,
): PassedSockets | undefined {
  const { LISTEN_PID, LISTEN_FDS = "", LISTEN_FDNAMES = "" } = environment;
  const count = Number(LISTEN_FDS);
  if (Number(LISTEN_PID) !== pid || !(count > 0) || process.platform !== "linux") return undefined;
  const names = LISTEN_FDNAMES.split(":");
  const addr: Address[] = [];
  const tlsAddr: Address[] = [];
  for (let index = 0; index < count; index++) {
    const address = addressOf(first + index);
    (names[index] === TLS_NAME ? tlsAddr : addr).push(address);
  }
  return { ...(addr.length > 0 && { addr }), ...(tlsAddr.length > 0 && { tlsAddr }) };
}

/** The address on which a socket listens: getsockname(2). */
function addressOf(descriptor: number): Address {
  const libc = openLibc({
    getsockname: { args: ["int", "ptr", "ptr"], returns: "int" },
    getsockopt: { args: ["int", "int", "int", "ptr", "ptr"], returns: "int" },
  });
  const name = Buffer.alloc(128);
  const length = new Uint32Array([name.length]);
  const [listens, bytes] = [new Int32Array(1), new Uint32Array([4])];
  const status =
    (libc?.getsockname(descriptor, ptr(name), ptr(length)) ?? -1) |
    (libc?.getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, ptr(listens), ptr(bytes)) ?? -1);
  const family = status === 0 && listens[0] === 1 ? name.readUInt16LE(0) : undefined;
  if (family === AF_UNIX) {
    const path = name.toString("utf8", PATH_AT, length[0]!).replace(/\0$/, "");
    return { unix: path.replace("\0", "@"), descriptor };
  }
  if (family !== AF_INET && family !== AF_INET6) {
    throw new CannotStart(
      `descriptor ${descriptor} of the service manager is no TCP or unix socket that listens`,
    );
  }
  // The port is at the same place in both. An IPv4 address follows it; before an IPv6 address are 4
  // bytes more.
  const port = name.readUInt16BE(2);
  const host = family === AF_INET ? name.subarray(4, 8).join(".") : ipv6Text(name.subarray(8, 24));
  return { host: host === "0.0.0.0" || host === "::" ? undefined : host, port, descriptor };
}

function ipv6Text(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) =>
    bytes.readUInt16BE(2 * index).toString(16),
  );
  // URL shortens the address.
  return new URL(`http://[${groups.join(":")}]/`).hostname.slice(1, -1);
}
