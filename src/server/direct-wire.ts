/**
 * The wire of a plain socket on Linux: sends by the system call itself, as Bun's own way to it costs
 * almost two microseconds, a seventh of all that one GET takes (docs/PERFORMANCE.md). Whatever the
 * kernel does not take at once goes Bun's way, which tells when there is room again.
 */

import type { Socket } from "bun";
import { openLibc } from "../libc.ts";
import type { Wire } from "./connection.ts";

/** MSG_DONTWAIT and MSG_NOSIGNAL of Linux: never wait, and no SIGPIPE. */
const FLAGS = 0x40 | 0x4000;

// What it returns fits: a connection never has 2 GiB to send.
const send =
  process.platform === "linux"
    ? openLibc({ send: { args: ["i32", "buffer", "u32", "i32"], returns: "i32" } })?.send
    : undefined;

/** A wire of its own for a socket without TLS; the socket itself where there is no such call. */
export function wireOf(socket: Socket<unknown>): Wire {
  return send === undefined ? socket : new DirectWire(socket, send);
}

class DirectWire implements Wire {
  private readonly socket: Socket<unknown>;
  private readonly call: NonNullable<typeof send>;

  constructor(socket: Socket<unknown>, call: NonNullable<typeof send>) {
    this.socket = socket;
    this.call = call;
  }

  write(bytes: Uint8Array, from: number, count: number): number {
    const { socket } = this;
    // Asked for each time: a closed socket has none, and its number may be another's by now.
    const descriptor = (socket as unknown as { readonly fd: number }).fd;
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
