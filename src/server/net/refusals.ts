/**
 * Clients that are refused because of TLS, or because they speak it, or begin with a PROXY header,
 * where nobody does: the one place that counts them and tells the log.
 */

import type { Socket } from "bun";
import type { Address } from "../../config/address.ts";
import type { ServerForFrontends } from "../frontends/frontend.ts";
import { endpointsOf } from "./sockets.ts";
import { beginsTls } from "./tls.ts";

/** How a PROXY header of version 2 begins (haproxy.org, "The PROXY protocol"). */
const PROXY = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");

/**
 * Why a client may not go on whose bytes begin so, where a request should begin; undefined if it
 * may. A PROXY header of version 1 is a request, and refused as one.
 */
export function refusalOfStart(chunk: Buffer): string | undefined {
  if (beginsTls(chunk)) return "it speaks TLS, and this address is for plain RESP";
  const isProxy = chunk[0] === PROXY[0] && PROXY.equals(chunk.subarray(0, PROXY.length));
  return isProxy ? "it speaks the PROXY protocol: send none to this address" : undefined;
}

export class Refusals {
  private readonly server: Pick<ServerForFrontends, "counters" | "summaries">;
  /** The addresses of clients over TLS: one that broke off its handshake has none any more. */
  private readonly clients = new WeakMap<Socket<unknown>, string>();

  constructor(server: Pick<ServerForFrontends, "counters" | "summaries">) {
    this.server = server;
  }

  /** To be called with a socket over TLS that was accepted. */
  watch(socket: Socket<unknown>, listening: Address): void {
    const address = endpointsOf(socket, listening)?.address;
    if (address !== undefined) this.clients.set(socket, address);
  }

  /** Counts a client that is refused, and logs it. */
  add(socket: Socket<unknown>, listening: Address, reason: string): void {
    const { counters, summaries } = this.server;
    counters.refusedConnections++;
    const client = this.clients.get(socket) ?? endpointsOf(socket, listening)?.address ?? "?";
    summaries.warning("client refused", { client, reason });
  }
}
