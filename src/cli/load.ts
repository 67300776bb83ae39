/** Load for a server: connections that each keep so many GETs under way. */

import type { Socket } from "bun";
import { CannotStart } from "../base/errors.ts";

/** A batch that takes longer has failed. */
const PATIENCE_SECONDS = 30;

const LINE_END = 0x0a;
const MINUS = 0x2d;

export interface LoadOptions {
  readonly port: number;
  readonly name: string;
  readonly connections: number;
  /** How many requests of a connection are under way at a time. */
  readonly depth: number;
  readonly seconds: number;
  /** How long it waits for the last batches beyond that. */
  readonly patienceSeconds?: number;
}

/** What a load got: numbers, in how many seconds, and how long it waited for each batch of `depth`, sorted. */
export interface LoadResult {
  readonly numbers: number;
  readonly seconds: number;
  readonly waitsMs: Float64Array;
}

/**
 * Takes numbers of a dispenser for some seconds; each batch that was begun is finished. Throws CannotStart where the
 * server answers anything else than a number.
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

/** How long each batch of one connection took, in milliseconds. */
function loadOfOne({ port, name, depth }: LoadOptions, untilMs: number): Promise<number[]> {
  const request = `*2\r\n$3\r\nGET\r\n$${name.length}\r\n${name}\r\n`;
  const batch = Buffer.from(request.repeat(depth));
  const waits: number[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<number[]>();
  /** Of a reply with a number, "$4\r\n1000\r\n", there are two lines, and no minus. */
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
        // Before it ends: then it is closed at once.
        resolve(waits);
        socket.end();
      },
      close: () => reject(new CannotStart("the server closed the connection")),
      connectError: (_, error) => reject(new CannotStart(`cannot connect: ${error.message}`)),
    },
  }).catch(reject);
  return promise;
}
