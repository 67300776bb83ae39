/**
 * Clients that are refused because of TLS, or because they speak it where nobody does: the one
 * place that counts them and tells the log.
 */

import type { Socket } from "bun";
import type { Address } from "../../config/address.ts";
import type { ServerForFrontends } from "../frontends/frontend.ts";
import { endpointsOf } from "./sockets.ts";

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
