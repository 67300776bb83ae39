/**
 * Admission holds accepted sockets until they become clients or are refused. Bun accepts all
 * waiting sockets at once, and to admit thousands in one turn would keep every client waiting; so a
 * few are admitted in each turn, and any other as soon as its first bytes arrive.
 */

import type { Socket } from "bun";
import type { TimeSlices } from "../../base/time-slices.ts";
import type { Address } from "../../config/address.ts";
import type { ServerForFrontends } from "../frontends/frontend.ts";
import type { Endpoints } from "../session/peer.ts";
import { endpointsOf } from "./sockets.ts";

/** How long a TLS handshake may take. */
const HANDSHAKE_MS_MAX = 10_000;

const DENIED =
  "-DENIED Number Dispenser is in protected mode, as no password is set: it accepts connections only over " +
  "the loopback interface of its machine (127.0.0.1, ::1) and over unix sockets. To accept others, set " +
  "access.requirepass or users, or set protected_mode: false in the server section of its " +
  "configuration file, or NUMBER_DISPENSER_PROTECTED_MODE=false, and restart it; without a password everyone " +
  "who can reach the port may then take and delete dispensers. To stay protected, let it listen on " +
  "127.0.0.1 alone.\r\n";

const TOO_MANY_CLIENTS: Denial = {
  why: "too many clients",
  message: "-ERR max number of clients reached\r\n",
};

/** The reason why a client is refused, for the log, and the reply that it gets. */
interface Denial {
  readonly why: string;
  readonly message: string;
}

/** The denial that protected mode gives a client; undefined if the client may enter. */
export function denialFor(isLocal: boolean, isProtected: boolean): Denial | undefined {
  return isProtected && !isLocal ? { why: "protected mode", message: DENIED } : undefined;
}

/** A socket that is accepted, but not admitted yet. */
interface Arrival {
  readonly listening: Address;
  readonly isTls: boolean;
  readonly sinceMs: number;
}

export class Admission<Data> {
  private readonly arriving = new Map<Socket<Data>, Arrival>();
  private readonly server: ServerForFrontends;
  private readonly jobs: TimeSlices;
  private readonly letIn: (socket: Socket<Data>, endpoints: Endpoints, isTls: boolean) => void;

  /** `letIn` turns an admitted socket into a client. */
  constructor(
    server: ServerForFrontends,
    letIn: (socket: Socket<Data>, endpoints: Endpoints, isTls: boolean) => void,
  ) {
    this.server = server;
    this.jobs = server.slices();
    this.letIn = letIn;
  }

  /**
   * Takes an accepted socket, which counts as a client from now on, or refuses it as one too many.
   */
  arrive(socket: Socket<Data>, listening: Address, isTls: boolean): void {
    const { server } = this;
    if (server.isStopping) return void socket.terminate();
    if (server.sessions.size + this.arriving.size >= server.clientsMax) {
      // Before the handshake no message can be sent over TLS.
      const message = isTls ? "" : TOO_MANY_CLIENTS.message;
      return this.refuse(socket, "a new one", { ...TOO_MANY_CLIENTS, message });
    }
    this.arriving.set(socket, { listening, isTls, sinceMs: server.now() });
    if (isTls) return;
    this.jobs.add(() => {
      this.admit(socket);
      return true;
    });
  }

  /** Admits or refuses a socket that is still waiting; does nothing with any other. */
  admit(socket: Socket<Data>): void {
    const arrival = this.arriving.get(socket);
    if (arrival === undefined) return;
    this.forget(socket);
    const { server } = this;
    const endpoints = endpointsOf(socket, arrival.listening);
    if (endpoints === undefined || server.isStopping) return void socket.terminate();
    const isProtected = server.config.protectedMode && server.access.anonymous !== undefined;
    const refusal = denialFor(endpoints.isLocal, isProtected);
    if (refusal === undefined) this.letIn(socket, endpoints, arrival.isTls);
    else this.refuse(socket, endpoints.address, refusal);
  }

  /** To be called when a socket closes. */
  forget(socket: Socket<Data>): void {
    this.arriving.delete(socket);
  }

  /** Closes sockets whose TLS handshake takes too long. */
  sweep(): void {
    const nowMs = this.server.now();
    for (const [socket, { sinceMs }] of this.arriving) {
      if (nowMs - sinceMs > HANDSHAKE_MS_MAX) socket.terminate();
    }
  }

  private refuse(socket: Socket<Data>, client: string, { why, message }: Denial): void {
    this.server.counters.refusedConnections++;
    this.server.log.debug("client refused", { client, reason: why });
    socket.end(message);
  }
}
