/** A client that reads nothing until it is told to, and then tells how its connection ended. */

import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";

export type Place =
  | { readonly port: number; readonly isTls?: boolean }
  | { readonly unix: string; readonly isTls?: boolean };

/** What a client got in the end. */
export interface Ending {
  /** All bytes that arrived, as a byte string. */
  readonly received: string;
  /** "FIN" for a clean end, otherwise the error, such as ECONNRESET. */
  readonly end: string;
}

export class LateReader {
  /** What has arrived since read() or next() was called. */
  received = "";
  private readonly socket: net.Socket;
  private readonly ended = Promise.withResolvers<string>();

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.pause();
    socket.on("end", () => this.ended.resolve("FIN"));
    socket.on("close", () => this.ended.resolve("closed without an end"));
    socket.on("error", (error: NodeJS.ErrnoException) => {
      this.ended.resolve(error.code ?? error.message);
    });
  }

  static async connect(place: Place): Promise<LateReader> {
    const where = "unix" in place ? { path: place.unix } : { host: "127.0.0.1", port: place.port };
    const isTls = place.isTls === true;
    const options = { ...where, rejectUnauthorized: false, allowHalfOpen: true };
    // The types do not have allowHalfOpen for TLS.
    const socket = isTls ? tls.connect(options as tls.ConnectionOptions) : net.connect(options);
    const reader = new LateReader(socket);
    await once(socket, isTls ? "secureConnect" : "connect");
    return reader;
  }

  /** Sends bytes; resolves when the kernel has all of them, or never will. */
  async send(bytes: string): Promise<void> {
    const { socket } = this;
    const written = new Promise<void>((resolve) => {
      socket.write(Buffer.from(bytes, "latin1"), () => resolve());
    });
    await Promise.race([written, this.ended.promise]);
  }

  /** Reads one line, and stops reading again. Fails if the connection ends before. */
  async line(): Promise<string> {
    await this.readUntil(() => this.received.endsWith("\n"));
    const { received } = this;
    this.received = "";
    return received.trim();
  }

  /** Reads until so many bytes have arrived, and stops reading again. Fails as line() does. */
  async readTo(bytes: number): Promise<void> {
    await this.readUntil(() => this.received.length >= bytes);
  }

  private async readUntil(isEnough: () => boolean): Promise<void> {
    const ended = this.ended.promise.then((end) => {
      throw new Error(`the connection ended: ${end}`);
    });
    this.readOn();
    while (!isEnough()) await Promise.race([once(this.socket, "data"), ended]);
    ended.catch(() => {});
    this.socket.pause();
  }

  /** Ends the sending side. */
  shutdown(): void {
    this.socket.end();
  }

  /** Reads to the end, and closes. */
  async read(): Promise<Ending> {
    this.readOn();
    const end = await this.ended.promise;
    this.close();
    return { received: this.received, end };
  }

  close(): void {
    this.socket.destroy();
  }

  private readOn(): void {
    const { socket } = this;
    if (socket.listenerCount("data") === 0) {
      socket.on("data", (chunk) => {
        this.received += chunk.toString("latin1");
      });
    }
    socket.resume();
  }
}
