/** Loads a server with connections that each keep a number of GETs under way. */

import type { Socket } from "bun";
import { CannotStart } from "../base/errors.ts";

/** How long the last batches may take after the end of the load. */
const PATIENCE_SECONDS = 30;

const LINE_END = 0x0a;
const MINUS = 0x2d;

export interface LoadOptions {
  readonly port: number;
  readonly name: string;
  readonly connections: number;
  /** How many requests each connection has under way at a time. */
  readonly depth: number;
  readonly seconds: number;
  /** How long the last batches may take after `seconds`. */
  readonly patienceSeconds?: number;
}

/**
 * The result of a load: how many numbers came in how many seconds, and the sorted waits of batches.
 */
export interface LoadResult {
  readonly numbers: number;
  readonly seconds: number;
  readonly waitsMs: Float64Array;
}

/**
 * Takes numbers from a dispenser for some seconds, and waits for the batches under way. Throws
 * CannotStart if the server answers anything but a number.
 */
export async function load(options: LoadOptions): Promise<LoadResult> {
  const { connections, depth, seconds, patienceSeconds = PATIENCE_SECONDS } = options;
  const began = performance.now();
  const until = began + seconds * 1000;
  const guard = Promise.withResolvers<never>();
  const silence = new CannotStart(`the server does not answer in ${patienceSeconds} seconds`);
  const timer = setTimeout(() => guard.reject(silence), (seconds + patienceSeconds) * 1000);
  const all = Array.from({ length: connections }, () => loadOfOne(options, until));
  const waits = await Promise.race([Promise.all(all), guard.promise]);
  clearTimeout(timer);
  const took = (performance.now() - began) / 1000;
  const waitsMs = Float64Array.from(waits.flat()).sort();
  return { numbers: waitsMs.length * depth, seconds: took, waitsMs };
}

/** Runs the load of one connection. Answers how long each batch took, in milliseconds. */
function loadOfOne({ port, name, depth }: LoadOptions, untilMs: number): Promise<number[]> {
  const request = `*2\r\n$3\r\nGET\r\n$${name.length}\r\n${name}\r\n`;
  const batch = Buffer.from(request.repeat(depth));
  const waits: number[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<number[]>();
  /** A reply with a number, "$4\r\n1000\r\n", has two lines and no minus. */
  let linesLeft = 0;
  let sentAt = 0;
  const send = (socket: Socket) => {
    linesLeft = 2 * depth;
    sentAt = performance.now();
    if (socket.write(batch) < batch.length) reject(new CannotStart("the server does not read"));
  };
  Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      open: send,
      data(socket, chunk) {
        if (chunk.includes(MINUS)) {
          reject(new CannotStart(`the server answered '${chunk.toString().trim()}'`));
          socket.end();
          return;
        }
        for (const byte of chunk) if (byte === LINE_END) linesLeft--;
        if (linesLeft > 0) return;
        const now = performance.now();
        waits.push(now - sentAt);
        if (now < untilMs) return send(socket);
        // The promise is resolved before end() calls close(), which would reject it.
        resolve(waits);
        socket.end();
      },
      close: () => reject(new CannotStart("the server closed the connection")),
      connectError: (_, error) => reject(new CannotStart(`cannot connect: ${error.message}`)),
    },
  }).catch(reject);
  return promise;
}
