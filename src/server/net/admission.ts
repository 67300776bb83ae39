/**
 * Who is let in: sockets from when they are accepted until they are clients, or are refused. Bun
 * accepts all that wait in one go, and thousands at once would keep everybody waiting; so they are
 * let in a few a turn, or when their first bytes come.
 */

import type { Socket } from "bun";
import type { TimeSlices } from "../../base/time-slices.ts";
import type { Address } from "../../config/address.ts";
import type { ServerForFrontends } from "../frontends/frontend.ts";
import type { Endpoints } from "../session/peer.ts";
import { endpointsOf } from "./sockets.ts";

/** A client over TLS has so long to introduce itself. */
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

/** Why a client is not let in, and what it is answered. */
interface Denial {
  readonly why: string;
  readonly message: string;
}

/** What protected mode has against a client of this machine, or of another; undefined for nothing. */
export function denialFor(isLocal: boolean, isProtected: boolean): Denial | undefined {
  return isProtected && !isLocal ? { why: "protected mode", message: DENIED } : undefined;
}

/** A socket that is not let in yet. */
interface Arrival {
  readonly listening: Address;
  readonly isTls: boolean;
  readonly sinceMs: number;
}

export class Admission<Data> {
  private readonly arriving = new Map<Socket<Data>, Arrival>();
  private readonly server: ServerForFrontends;
  private readonly jobs: TimeSlices;
  private readonly letIn: (socket: Socket<Data>, ends: Endpoints, isTls: boolean) => void;

  /** `letIn` makes a client of a socket. */
  constructor(
    server: ServerForFrontends,
    letIn: (socket: Socket<Data>, ends: Endpoints, isTls: boolean) => void,
  ) {
    this.server = server;
    this.jobs = server.slices();
    this.letIn = letIn;
  }

  /** A socket was accepted: from now on it counts as a client, if there may be one more. */
  arrive(socket: Socket<Data>, listening: Address, isTls: boolean): void {
    const { server } = this;
    if (server.isStopping) return void socket.terminate();
    if (server.sessions.size + this.arriving.size >= server.clientsMax) {
      // Nothing can be said before the handshake.
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

  /** Lets in one that is arriving, or tells it why not; any other is left as it is. */
  admit(socket: Socket<Data>): void {
    const arrival = this.arriving.get(socket);
    if (arrival === undefined) return;
    this.forget(socket);
    const { server } = this;
    const ends = endpointsOf(socket, arrival.listening);
    if (ends === undefined || server.isStopping) return void socket.terminate();
    const isProtected = server.config.protectedMode && server.access.anonymous !== undefined;
    const refusal = denialFor(ends.isLocal, isProtected);
    if (refusal === undefined) this.letIn(socket, ends, arrival.isTls);
    else this.refuse(socket, ends.address, refusal);
  }

  /** The socket is closed. */
  forget(socket: Socket<Data>): void {
    this.arriving.delete(socket);
  }

  /** Closes those that take too long. */
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
