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
import { Lingering } from "./lingering.ts";
import { endpointsOf } from "./sockets.ts";
import { type Unauthenticated, UnauthenticatedClients } from "./unauthenticated.ts";

/** How long a TLS handshake may take. */
const HANDSHAKE_MS_MAX = 10_000;
/** Places past limits.clients for clients on this machine, who can see what is going on there. */
export const RESERVED_PLACES = 8;
/** So long a client in such a place may be silent if others on this machine want it. */
const RESERVED_SILENT_MS_MAX = 1000;
/** How many refused sockets may wait for their clients to end their side. */
const SPARE_SOCKETS = 32;
/** The server is not full any more once so many of its places are taken. */
const FULL_UNTIL_SHARE = 0.95;

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
  /** Whether it is past limits.clients. */
  readonly isReserved: boolean;
  /** Present during a TLS handshake. */
  readonly pending: Unauthenticated | undefined;
}

/** A client past limits.clients. */
interface Reserved extends Unauthenticated {
  readonly session: { readonly lastActiveMs: number };
}

/** Turns an admitted socket into a client. */
type LetIn<Data> = (
  socket: Socket<Data>,
  endpoints: Endpoints,
  arrival: { readonly isTls: boolean; readonly isReserved: boolean },
) => void;

export class Admission<Data> {
  readonly unauthenticated = new UnauthenticatedClients();
  /** The clients in places past limits.clients; none of them is among the unauthenticated. */
  readonly reserved = new Set<Reserved>();
  readonly lingering: Lingering;
  /** Whether all places are taken; from the first client too many until places are free again. */
  isFull = false;
  private refusedWhileFull = 0;
  /** How many of the arriving sockets will have such a place. */
  private reservedArriving = 0;
  private readonly arriving = new Map<Socket<Data>, Arrival>();
  private readonly server: ServerForFrontends;
  private readonly jobs: TimeSlices;
  private readonly letIn: LetIn<Data>;

  constructor(server: ServerForFrontends, letIn: LetIn<Data>) {
    this.server = server;
    this.jobs = server.slices();
    this.letIn = letIn;
    this.lingering = new Lingering(server.now);
  }

  /** Places that are taken, but for those past limits.clients. */
  private get taken(): number {
    return this.server.sessions.size + this.arriving.size - this.takenReserved;
  }

  private get takenReserved(): number {
    return this.reserved.size + this.reservedArriving;
  }

  /**
   * Takes an accepted socket, which counts as a client from now on, or refuses it as one too many.
   */
  arrive(socket: Socket<Data>, listening: Address, isTls: boolean): void {
    const { server } = this;
    if (server.isStopping) return void socket.terminate();
    const hasPlace = this.taken < server.clientsMax || this.unauthenticated.makePlace();
    if (!hasPlace) this.noteFull();
    const isReserved = !hasPlace && this.makeReservedPlace(socket, listening);
    if (!hasPlace && !isReserved) return this.refuseAsFull(socket, isTls);
    const pending = isTls ? this.handshaking(socket, listening) : undefined;
    const sinceMs = server.now();
    this.arriving.set(socket, { listening, isTls, sinceMs, isReserved, pending });
    if (isReserved) this.reservedArriving++;
    this.limitLingering();
    if (isReserved && pending !== undefined) return;
    if (pending !== undefined) {
      return this.unauthenticated.add(pending, server.config.unauthenticatedPerAddressMax);
    }
    this.jobs.add(() => {
      this.admit(socket);
      return true;
    });
  }

  /**
   * Whether a client on this machine may come in though all places are taken. If those kept for it
   * are taken, too, the client in one of them that was silent longest gives way, if it was silent for
   * a while.
   */
  private makeReservedPlace(socket: Socket<Data>, listening: Address): boolean {
    if (endpointsOf(socket, listening)?.isLocal !== true) return false;
    if (this.takenReserved < RESERVED_PLACES) return true;
    const byActivity = [...this.reserved].sort(
      (one, other) => one.session.lastActiveMs - other.session.lastActiveMs,
    );
    const [silent] = byActivity;
    if (silent === undefined) return false;
    if (this.server.now() - silent.session.lastActiveMs < RESERVED_SILENT_MS_MAX) return false;
    silent.giveWay();
    return true;
  }

  private handshaking(socket: Socket<Data>, listening: Address): Unauthenticated {
    const giveWay = () => {
      this.forget(socket);
      socket.terminate();
    };
    return { host: endpointsOf(socket, listening)?.host ?? "", giveWay };
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
    if (refusal === undefined) this.letIn(socket, endpoints, arrival);
    else this.refuse(socket, endpoints.address, refusal);
  }

  /** To be called when a socket closes. */
  closed(socket: Socket<Data>): void {
    this.forget(socket);
    this.lingering.delete(socket);
  }

  /** A socket does not wait to be admitted any more. */
  private forget(socket: Socket<Data>): void {
    const { pending, isReserved } = this.arriving.get(socket) ?? {};
    if (pending !== undefined) this.unauthenticated.delete(pending);
    if (isReserved === true) this.reservedArriving--;
    this.arriving.delete(socket);
  }

  /** Closes sockets whose TLS handshake takes too long, and those that have lingered. */
  sweep(): void {
    const { server } = this;
    const nowMs = server.now();
    for (const [socket, { sinceMs }] of this.arriving) {
      if (nowMs - sinceMs > HANDSHAKE_MS_MAX) socket.terminate();
    }
    this.lingering.sweep();
    if (this.isFull && this.taken < server.clientsMax * FULL_UNTIL_SHARE) {
      server.log.info("new clients are let in again", { refused: this.refusedWhileFull });
      this.isFull = false;
      this.refusedWhileFull = 0;
    }
  }

  /** Sockets that linger have the descriptors that clients do not need, and a few more. */
  limitLingering(): void {
    this.lingering.limit(SPARE_SOCKETS + Math.max(0, this.server.clientsMax - this.taken));
  }

  /** All places are taken: that is told once, when it begins. */
  private noteFull(): void {
    const { log, clientsMax: limit } = this.server;
    if (!this.isFull) {
      log.warning("full: new clients are refused", { clients: this.taken, limit });
    }
    this.isFull = true;
  }

  private refuseAsFull(socket: Socket<Data>, isTls: boolean): void {
    this.refusedWhileFull++;
    // Before the handshake no message can be sent over TLS.
    const message = isTls ? "" : TOO_MANY_CLIENTS.message;
    this.refuse(socket, "a new one", { ...TOO_MANY_CLIENTS, message });
  }

  private refuse(socket: Socket<Data>, client: string, { why, message }: Denial): void {
    const { server, lingering } = this;
    server.counters.refusedConnections++;
    server.log.debug("client refused", { client, reason: why });
    socket.write(message);
    lingering.add(socket, () => void socket.end());
    socket.shutdown();
    this.limitLingering();
  }
}
