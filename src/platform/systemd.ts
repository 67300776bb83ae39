/**
 * The service manager that started the process, as systemd has it: what it is told (sd_notify(3), a datagram to
 * the socket that NOTIFY_SOCKET names), and the sockets that it listens on for the server (sd_listen_fds(3)).
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

/** Tells the service manager a state, as `READY=1`; nobody where there is none. Answers whether somebody was told. */
export function notify(state: string, socket = process.env.NOTIFY_SOCKET): boolean {
  if (socket === undefined || socket === "" || process.platform !== "linux") return false;
  const path = Buffer.from(socket);
  if (path.length > PATH_BYTES_MAX) return false;
  // A name that begins with @ is none of the file system: there it begins with a NUL.
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

/** Addresses to listen on, of sockets that are open; of those that were passed. */
export interface PassedSockets {
  readonly addr?: readonly Address[];
  readonly tlsAddr?: readonly Address[];
}

/**
 * The sockets that the service manager passed to this process, those named "tls" for TLS; undefined for none.
 * Throws CannotStart where one of them is no TCP or unix socket that listens.
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

/** Where a socket listens: getsockname(2). */
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
  // A port is at the same place in both, then an IPv4 address of 4 bytes, or 4 bytes and an IPv6 one of 16.
  const port = name.readUInt16BE(2);
  const host = family === AF_INET ? name.subarray(4, 8).join(".") : ipv6Text(name.subarray(8, 24));
  return { host: host === "0.0.0.0" || host === "::" ? undefined : host, port, descriptor };
}

function ipv6Text(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) =>
    bytes.readUInt16BE(2 * index).toString(16),
  );
  // In the short form, as the URL standard has it.
  return new URL(`http://[${groups.join(":")}]/`).hostname.slice(1, -1);
}
