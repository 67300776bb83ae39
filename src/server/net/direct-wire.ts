/**
 * Direct system calls on client sockets, on Linux. A plain socket sends by the system call, because
 * Bun's own write costs almost two microseconds more, a seventh of all that one GET takes
 * (docs/PERFORMANCE.md). Bytes that the kernel does not accept at once are written through Bun,
 * which reports when there is room again. Another call bounds the kernel's receive buffer, and ends
 * the wait of clients over TLS for an acknowledgement.
 */

import type { Socket } from "bun";
import { openLibc } from "../../platform/libc.ts";
import type { ClientTransport } from "../session/connection.ts";

/** MSG_DONTWAIT | MSG_NOSIGNAL on Linux: send() never waits and raises no SIGPIPE. */
const FLAGS = 0x40 | 0x4000;
/** SOL_SOCKET and SO_RCVBUF, IPPROTO_TCP and TCP_QUICKACK on Linux. */
const [SOCKET_LEVEL, RECEIVE_BUFFER] = [1, 8];
const [TCP_LEVEL, QUICK_ACK] = [6, 12];

/**
 * The receive buffer of a client's socket; the kernel doubles it. Without a bound the kernel keeps
 * megabytes, and Bun reads all of them at once, paused or not, while every other client waits.
 */
const RECEIVE_BUFFER_BYTES = Int32Array.of(32 * 1024);

const ON = Int32Array.of(1);

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
  setOption(socket, SOCKET_LEVEL, RECEIVE_BUFFER, RECEIVE_BUFFER_BYTES);
}

/**
 * Acknowledges at once what a client has sent, where that is possible. A handshake of TLS 1.3 ends
 * with bytes of the client that the server does not answer: Linux acknowledges them 40 ms later,
 * and a client that uses Nagle's algorithm sends its first request only then.
 */
export function acknowledge(socket: Socket<unknown>): void {
  setOption(socket, TCP_LEVEL, QUICK_ACK, ON);
}

/** Sets an option of the kernel's socket; does nothing where there is none such, as on a unix socket. */
function setOption(
  socket: Socket<unknown>,
  level: number,
  option: number,
  value: Int32Array,
): void {
  const descriptor = descriptorOf(socket);
  if (descriptor < 0) return;
  libc?.setsockopt(descriptor, level, option, value, value.byteLength);
}

/** The options of keepalive on Linux. */
const [KEEP_IDLE, KEEP_INTERVAL, KEEP_COUNT] = [4, 5, 6];
/** As in Redis: three probes, a third of the time of silence apart. */
const PROBES = 3;

/** After so many seconds of silence TCP asks whether the client is there; 0 for never. */
export function keepAlive(socket: Socket<unknown>, seconds: number): void {
  if (seconds === 0) return;
  socket.setKeepAlive(true, seconds * 1000);
  const interval = Math.max(1, Math.floor(seconds / PROBES));
  // Bun asks ten times, a second apart: a client that is cut off for so long would be lost.
  setOption(socket, TCP_LEVEL, KEEP_IDLE, Int32Array.of(seconds));
  setOption(socket, TCP_LEVEL, KEEP_INTERVAL, Int32Array.of(interval));
  setOption(socket, TCP_LEVEL, KEEP_COUNT, Int32Array.of(PROBES));
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
