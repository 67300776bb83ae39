/**
 * What is asked of the kernel itself, on Linux. The wire of a plain socket sends by the system call, as
 * Bun's own way to it costs almost two microseconds, a seventh of all that one GET takes
 * (docs/PERFORMANCE.md). Whatever the kernel does not take at once goes Bun's way, which tells when
 * there is room again. And the kernel is told how much to receive ahead.
 */

import type { Socket } from "bun";
import { openLibc } from "../../platform/libc.ts";
import type { ClientTransport } from "../session/connection.ts";

/** MSG_DONTWAIT and MSG_NOSIGNAL of Linux: never wait, and no SIGPIPE. */
const FLAGS = 0x40 | 0x4000;
/** SOL_SOCKET and SO_RCVBUF of Linux. */
const [SOCKET_LEVEL, RECEIVE_BUFFER] = [1, 8];

/**
 * The kernel keeps about twice so much of what a client sent and was not read yet. Without a bound it is
 * megabytes, and Bun reads all of it at once, paused or not, while everybody else waits.
 */
const RECEIVE_BUFFER_BYTES = Int32Array.of(32 * 1024);

// What send() returns fits: a connection never has 2 GiB to send.
const libc =
  process.platform === "linux"
    ? openLibc({
        send: { args: ["i32", "buffer", "u32", "i32"], returns: "i32" },
        setsockopt: { args: ["i32", "i32", "i32", "buffer", "u32"], returns: "i32" },
      })
    : undefined;
const send = libc?.send;

/** Bounds what the kernel receives for a client ahead of the server, where that is possible. */
export function boundReceiving(socket: Socket<unknown>): void {
  const bytes = RECEIVE_BUFFER_BYTES;
  const descriptor = descriptorOf(socket);
  if (descriptor < 0) return;
  libc?.setsockopt(descriptor, SOCKET_LEVEL, RECEIVE_BUFFER, bytes, bytes.byteLength);
}

/** The number of its descriptor; -1 once it is closed, when that may be another's. */
function descriptorOf(socket: Socket<unknown>): number {
  return (socket as unknown as { readonly fd: number }).fd;
}

/** A wire of its own for a socket without TLS; the socket itself where there is no such call. */
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
