/**
 * The measuring client: one connection, one request under way, in a process of its own, so that
 * nothing else in its event loop is measured. Run it with port, milliseconds and the request's
 * words; it prints its measurements as JSON.
 */

import { encodeRequest } from "../../testkit/resp.ts";

/** The output of the probe; times in milliseconds. */
export interface Probed {
  readonly requests: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

const REQUESTS_MAX = 2_000_000;

function probe(port: number, forMs: number, request: Buffer): Promise<Float64Array> {
  const times = new Float64Array(REQUESTS_MAX);
  const { promise, resolve, reject } = Promise.withResolvers<Float64Array>();
  const beganMs = performance.now();
  let requests = 0;
  let sentMs = 0;
  const send = (socket: Bun.Socket) => {
    sentMs = performance.now();
    socket.write(request);
  };
  const data = (socket: Bun.Socket, chunk: Buffer) => {
    const nowMs = performance.now();
    if (chunk[0] === 0x2d) return reject(new Error(chunk.toString()));
    // A reply this short arrives in one piece.
    times[requests++] = nowMs - sentMs;
    if (nowMs - beganMs < forMs && requests < REQUESTS_MAX) return send(socket);
    resolve(times.subarray(0, requests).sort());
    socket.end();
  };
  const close = () => reject(new Error("the server closed the connection"));
  Bun.connect({ hostname: "127.0.0.1", port, socket: { open: send, data, close } }).catch(reject);
  return promise;
}

if (import.meta.main) {
  const [port, forMs, ...words] = process.argv.slice(2);
  const times = await probe(Number(port), Number(forMs), Buffer.from(encodeRequest(...words)));
  const at = (part: number) => times[Math.min(times.length - 1, Math.floor(times.length * part))]!;
  const probed: Probed = { requests: times.length, p50: at(0.5), p99: at(0.99), max: at(1) };
  console.log(JSON.stringify(probed));
}
