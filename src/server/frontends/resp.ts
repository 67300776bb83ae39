/**
 * RESP over TCP, TLS and unix sockets: opens and closes the connections of clients. Whatever they
 * stage in one turn of the event loop is committed once, at its end (commit-turn.ts).
 */

import type { Socket, SocketHandler } from "bun";
import { CannotStart } from "../../base/errors.ts";
import type { TimeSlices } from "../../base/time-slices.ts";
import type { Address } from "../../config/address.ts";
import { Admission } from "../net/admission.ts";
import { acknowledge, boundReceiving, keepAlive, wireOf } from "../net/direct-wire.ts";
import { Refusals, refusalOfStart } from "../net/refusals.ts";
import { Sockets } from "../net/sockets.ts";
import { handshakeRefusal } from "../net/tls.ts";
import { MemoryBudget } from "../session/client-memory.ts";
import { type ClientTransport, Connection, type Host } from "../session/connection.ts";
import type { Endpoints } from "../session/peer.ts";
import { TurnLoad } from "../session/turn-load.ts";
import { FINISH_MS_MAX, type Frontend, type ServerForFrontends } from "./frontend.ts";

/**
 * How many of the clients with much left to read go on in one turn. All of them together would send
 * more bytes (direct-wire.ts bounds each) than the server can handle in a few milliseconds.
 */
const READ_ON_MAX = 8;
/** The interval at which clients that were silent for too long are closed. */
const SWEEP_EVERY_MS = 1000;

/** The parts of the budgets of memory that stay in use when clients are closed for want of room. */
const USERS_KEPT = 15 / 16;
const UNAUTHENTICATED_KEPT = 1 / 2;

type Data = Connection | undefined;
type ClientSocket = Socket<Data>;

export class RespFrontend implements Frontend {
  private readonly server: ServerForFrontends;
  private readonly connections = new Set<Connection>();
  private readonly sockets: Sockets<Data>;
  private readonly admission: Admission<Data>;
  private readonly refusals: Refusals;
  /** Connections with requests left over from their turn, in the order in which they go on. */
  private readonly deferred: TimeSlices;
  /** The same of clients that have not logged in, which take no time from the others. */
  private readonly deferredUnauthenticated: TimeSlices;
  private readonly budgets: {
    readonly users: MemoryBudget;
    readonly unauthenticated: MemoryBudget;
  };
  private readonly host: Host;
  private lastId = 0;
  /** Resolves when the server is being stopped and the last client has left. */
  private readonly allGone = Promise.withResolvers<void>();

  constructor(server: ServerForFrontends) {
    this.server = server;
    const { config } = server;
    this.deferred = server.slices(READ_ON_MAX);
    this.deferredUnauthenticated = server.slices();
    this.refusals = new Refusals(server);
    this.admission = new Admission<Data>(server, (socket, endpoints, arrival) =>
      this.letIn(socket, endpoints, arrival),
    );
    this.budgets = {
      users: new MemoryBudget(() => server.config.bufferBytesMax, USERS_KEPT),
      unauthenticated: new MemoryBudget(
        () => server.config.unauthenticatedBytesMax,
        UNAUTHENTICATED_KEPT,
      ),
    };
    this.sockets = new Sockets(config, (address, isTls) => this.handlers(address, isTls));
    this.host = this.makeHost();
  }

  private makeHost(): Host {
    const { server, budgets, connections } = this;
    const { engine, turn, guarded, now } = server;
    const { unauthenticated } = this.admission;
    return {
      ...{ engine, server, turn, guarded, budgets },
      load: new TurnLoad(now, (work) => server.later(work)),
      onDeferred: (connection, isShort) => {
        const isUnauthenticated = connection.session.isUnauthenticated;
        const queue = isUnauthenticated ? this.deferredUnauthenticated : this.deferred;
        const goOn = () => {
          connection.goOn();
          return true;
        };
        queue.add(goOn, isShort);
      },
      onOverBudget: ({ memory }) => memory.budget.makeRoom(connections),
      onUserChanged: (connection) => {
        const { isReserved, isUnauthenticated } = connection.session;
        if (isReserved) return;
        if (isUnauthenticated) this.addUnauthenticated(connection);
        else unauthenticated.delete(connection);
      },
      onSpoken: (connection) => unauthenticated.spoke(connection),
      onSent: (connection) => {
        this.remove(connection);
        this.admission.lingering.add(connection, () => connection.leave());
        this.admission.limitLingering();
      },
    };
  }

  /** The port it listens on; 0 if it listens only on unix sockets. */
  get port(): number {
    return this.sockets.port;
  }

  get addresses(): readonly string[] {
    return this.sockets.addresses;
  }

  /** Memory that clients make the server keep. */
  get heldBytes(): number {
    const { users, unauthenticated } = this.budgets;
    return users.bytes + unauthenticated.bytes;
  }

  /** Whether new clients are refused because there is no place. */
  get isFull(): boolean {
    return this.admission.isFull;
  }

  start(): void {
    this.sockets.open();
    this.server.every(SWEEP_EVERY_MS, () => this.sweep());
  }

  /** Reads the certificates again for new connections. If that fails, the old ones stay in use. */
  reloadTls(): void {
    const { log } = this.server;
    try {
      this.sockets.reloadTls();
      log.info("certificates read again");
    } catch (error) {
      if (!(error instanceof CannotStart)) throw error;
      log.error("certificates not changed", { reason: error.message });
    }
  }

  refuseClients(): void {
    this.sockets.stop();
  }

  async stop(): Promise<void> {
    for (const connection of [...this.connections]) connection.finish();
    if (this.connections.size + this.admission.lingering.size > 0) {
      await Promise.race([this.allGone.promise, this.server.sleep(FINISH_MS_MAX)]);
    }
    this.sockets.stop(true);
  }

  /** Makes the connection of an admitted client, which sends through `transport`. */
  connect(transport: ClientTransport, endpoints: Endpoints, isReserved = false): Connection {
    const { server } = this;
    server.counters.connections++;
    const id = ++this.lastId;
    const connection = new Connection(this.host, transport, { id, ...endpoints, isReserved });
    this.connections.add(connection);
    server.sessions.add(connection.session);
    if (isReserved) this.admission.reserved.add(connection);
    else if (connection.session.isUnauthenticated) this.addUnauthenticated(connection);
    server.log.debug("client connected", { client: endpoints.address, id });
    return connection;
  }

  private addUnauthenticated(connection: Connection): void {
    const { unauthenticated } = this.admission;
    unauthenticated.add(connection, this.server.config.unauthenticatedPerAddressMax);
    if (connection.hasSpoken) unauthenticated.spoke(connection);
  }

  /** To be called when the transport of a connection has closed. */
  disconnect(connection: Connection): void {
    const { server } = this;
    const { session } = connection;
    this.remove(connection);
    this.admission.lingering.delete(connection);
    connection.gone();
    this.noteWhenAllGone();
    server.log.debug("client left", { client: session.address, id: session.id });
  }

  /** The connection is no client's any more. */
  private remove(connection: Connection): void {
    this.connections.delete(connection);
    this.server.sessions.delete(connection.session);
    this.admission.unauthenticated.delete(connection);
    this.admission.reserved.delete(connection);
  }

  private noteWhenAllGone(): void {
    const left = this.connections.size + this.admission.lingering.size;
    if (this.server.isStopping && left === 0) this.allGone.resolve();
  }

  private handlers(address: Address, isTls: boolean): SocketHandler<Data> {
    const { guarded, log } = this.server;
    return {
      open: (socket) =>
        guarded(() => {
          if (isTls) this.refusals.watch(socket, address);
          this.admission.arrive(socket, address, isTls);
        }),
      ...(isTls && {
        // Bun calls this for a failed handshake, too.
        handshake: (socket: ClientSocket, isWhole: boolean, error: Error | null) =>
          guarded(() => {
            // So it ends at once for a socket that was refused.
            if (this.admission.lingering.has(socket)) return;
            const wantsCertificate = this.server.config.tlsClientCa !== "";
            const refusal = handshakeRefusal(socket, isWhole, error, wantsCertificate);
            if (refusal !== undefined) return this.refuse(socket, address, refusal);
            acknowledge(socket);
            this.admission.admit(socket);
          }),
      }),
      data: (socket, chunk) =>
        guarded(() => {
          if (socket.data === undefined) this.admission.admit(socket);
          const connection = socket.data;
          const isStart = !isTls && connection?.session.requestBytes === 0;
          const refusal = isStart ? refusalOfStart(chunk) : undefined;
          if (refusal !== undefined) return this.refuse(socket, address, refusal);
          connection?.receive(chunk);
        }),
      drain: (socket) => guarded(() => socket.data?.drain()),
      end: (socket) => guarded(() => (socket.data ? socket.data.endInput() : void socket.end())),
      close: (socket) => guarded(() => this.closed(socket)),
      error: (socket, error) => {
        log.debug("client error", {
          client: socket.data?.session.address ?? "?",
          error: error.message,
        });
      },
    };
  }

  /** Closes a client's socket, and logs the reason; none if the client left by itself. */
  private refuse(socket: ClientSocket, address: Address, reason: string): void {
    if (reason !== "") this.refusals.add(socket, address, reason);
    socket.terminate();
  }

  private letIn(
    socket: ClientSocket,
    endpoints: Endpoints,
    { isTls, isReserved }: { readonly isTls: boolean; readonly isReserved: boolean },
  ): void {
    boundReceiving(socket);
    socket.data = this.connect(isTls ? socket : wireOf(socket), endpoints, isReserved);
    keepAlive(socket, this.server.config.keepaliveSeconds);
  }

  private closed(socket: ClientSocket): void {
    this.admission.closed(socket);
    if (socket.data === undefined) this.noteWhenAllGone();
    else this.disconnect(socket.data);
  }

  /** Ends clients that take too long for what they owe the server. */
  private sweep(): void {
    const { budgets, connections, server } = this;
    const nowMs = server.now();
    this.admission.sweep();
    for (const connection of connections) {
      const reason = this.overdue(connection, nowMs);
      if (reason === undefined) continue;
      if (connection.session.isServed) connection.onEnded(reason);
      else connection.onKilled(reason);
    }
    for (const budget of [budgets.users, budgets.unauthenticated]) budget.check(connections);
  }

  /** The time limit that a client has passed; undefined if it has passed none. */
  private overdue(connection: Connection, nowMs: number): string | undefined {
    const { idleSecondsMax, loginSecondsMax, requestSecondsMax } = this.server.config;
    const { session } = connection;
    const isPast = (seconds: number, sinceMs: number) =>
      seconds > 0 && nowMs - sinceMs > seconds * 1000;
    if (isPast(requestSecondsMax, connection.owesSinceMs(nowMs))) {
      return "it did not go on with a request or a reply within limits.request_seconds";
    }
    // Of a connection that ends only the replies are left.
    if (!session.isServed) return undefined;
    if (session.isUnauthenticated && isPast(loginSecondsMax, session.connectedAtMs)) {
      return "it did not log in within limits.login_seconds";
    }
    if (session.isReserved && isPast(loginSecondsMax, session.lastActiveMs)) {
      return "the server is full, and it was silent";
    }
    if (!connection.isWaiting && isPast(idleSecondsMax, session.lastActiveMs)) {
      return "it was silent for limits.idle_seconds";
    }
    return undefined;
  }
}
