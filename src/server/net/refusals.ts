/**
 * Clients that are refused because of TLS, or because they speak it where nobody does: the one
 * place that tells the log of them, at most once a second.
 */

import type { Socket } from "bun";
import type { Address } from "../../config/address.ts";
import type { ServerForFrontends } from "../frontends/frontend.ts";
import { endpointsOf } from "./sockets.ts";

/** The log has at most one line in so much time. */
const EVERY_MS = 1000;

export class Refusals {
  private readonly server: Pick<ServerForFrontends, "counters" | "log" | "now">;
  /** The addresses of clients over TLS: one that broke off its handshake has none any more. */
  private readonly clients = new WeakMap<Socket<unknown>, string>();
  private loggedAtMs = Number.NEGATIVE_INFINITY;
  /** How many were refused since the last line. */
  private unlogged = 0;

  constructor(server: Pick<ServerForFrontends, "counters" | "log" | "now">) {
    this.server = server;
  }

  /** To be called with a socket over TLS that was accepted. */
  watch(socket: Socket<unknown>, listening: Address): void {
    const address = endpointsOf(socket, listening)?.address;
    if (address !== undefined) this.clients.set(socket, address);
  }

  /** Counts a client that is refused, and logs it. */
  add(socket: Socket<unknown>, listening: Address, reason: string): void {
    const { counters, log, now } = this.server;
    counters.refusedConnections++;
    const nowMs = now();
    if (nowMs - this.loggedAtMs < EVERY_MS) return void this.unlogged++;
    const client = this.clients.get(socket) ?? endpointsOf(socket, listening)?.address ?? "?";
    const more = this.unlogged === 0 ? {} : { refused_before: this.unlogged };
    log.warning("client refused", { client, reason, ...more });
    this.loggedAtMs = nowMs;
    this.unlogged = 0;
  }
}
