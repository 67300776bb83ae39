/**
 * What the service manager that started the process is told: sd_notify(3) of systemd, a datagram to the
 * socket that NOTIFY_SOCKET names. Where there is none, nothing is told.
 */

import { ptr } from "bun:ffi";
import { openLibc } from "./libc.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
/** sockaddr_un: its family and a path of at most 108 bytes. */
const PATH_AT = 2;
const PATH_BYTES_MAX = 108;

/** Tells the service manager a state, as `READY=1`. Answers whether somebody was told. */
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
