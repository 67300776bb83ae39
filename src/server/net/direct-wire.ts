/**
 * Direct system calls on client sockets, on Linux. A plain socket sends by the system call, because
 * Bun's own write costs almost two microseconds more, a seventh of all that one GET takes
 * (docs/PERFORMANCE.md). Bytes that the kernel does not accept at once are written through Bun,
 * which reports when there is room again. A second call bounds the kernel's receive buffer.
 */

import type { Socket } from "bun";
import { openLibc } from "../../platform/libc.ts";
import type { ClientTransport } from "../session/connection.ts";

/** MSG_DONTWAIT | MSG_NOSIGNAL on Linux: send() never waits and raises no SIGPIPE. */
const FLAGS = 0x40 | 0x4000;
/** SOL_SOCKET and SO_RCVBUF on Linux. */
const [SOCKET_LEVEL, RECEIVE_BUFFER] = [1, 8];

/**
 * The receive buffer of a client's socket; the kernel doubles it. Without a bound the kernel keeps
 * megabytes, and Bun reads all of them at once, paused or not, while every other client waits.
 */
const RECEIVE_BUFFER_BYTES = Int32Array.of(32 * 1024);

// An i32 holds whatever send() returns: a connection never has 2 GiB to send.
const libc =
  process.platform === "linux"
    ? openLibc({
        send: { args: ["i32", "buffer", "u32", "i32"], returns: "i32" },
        setsockopt: { args: ["i32", "i32", "i32", "buffer", "u32"], returns: "i32" },
      })
    : undefined;
const send = libc?.send;

/** Bounds how many unread bytes of a client the kernel keeps, where that is possible. */
export function boundReceiving(socket: Socket<unknown>): void {
  const bytes = RECEIVE_BUFFER_BYTES;
  const descriptor = descriptorOf(socket);
  if (descriptor < 0) return;
  libc?.setsockopt(descriptor, SOCKET_LEVEL, RECEIVE_BUFFER, bytes, bytes.byteLength);
}

/** IPPROTO_TCP and the options of keepalive on Linux. */
const [TCP, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT] = [6, 4, 5, 6];
/** As in Redis: three probes, a third of the time of silence apart. */
const PROBES = 3;

/** After so many seconds of silence TCP asks whether the client is there; 0 for never. */
export function keepAlive(socket: Socket<unknown>, seconds: number): void {
  if (seconds === 0) return;
  socket.setKeepAlive(true, seconds * 1000);
  const descriptor = descriptorOf(socket);
  if (descriptor < 0 || libc === undefined) return;
  const set = (option: number, value: number) =>
    libc.setsockopt(descriptor, TCP, option, Int32Array.of(value), Int32Array.BYTES_PER_ELEMENT);
  set(TCP_KEEPIDLE, seconds);
  set(TCP_KEEPINTVL, Math.max(1, Math.floor(seconds / PROBES)));
  set(TCP_KEEPCNT, PROBES);
}

/** The socket's file descriptor; -1 once it is closed, because the number may be reused then. */
function descriptorOf(socket: Socket<unknown>): number {
  return (socket as unknown as { readonly fd: number }).fd;
}

/** The transport of a socket without TLS: a DirectWire, or the socket itself without libc. */
export function wireOf(socket: Socket<unknown>): ClientTransport {
  return send === undefined ? socket : new DirectWire(socket, send);
}

class DirectWire implements ClientTransport {
  private readonly socket: Socket<unknown>;
  private readonly call: NonNullable<typeof send>;

  constructor(socket: Socket<unknown>, call: NonNullable<typeof send>) {
    this.socket = socket;
    this.call = call;
  }

  write(bytes: Uint8Array, from: number, count: number): number {
    const { socket } = this;
    const descriptor = descriptorOf(socket);
    if (descriptor < 0) return -1;
    const part = from === 0 ? bytes : bytes.subarray(from);
    const sent = Math.max(0, this.call(descriptor, part, count, FLAGS));
    if (sent === count) return count;
    return sent + Math.max(0, socket.write(bytes, from + sent, count - sent));
  }

  end(): void {
    this.socket.end();
  }

  shutdown(): void {
    this.socket.shutdown();
  }

  terminate(): void {
    this.socket.terminate();
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }
}
