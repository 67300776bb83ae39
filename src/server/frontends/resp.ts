/**
 * RESP over TCP, TLS and unix sockets: opens and closes the connections of clients. Whatever they
 * stage in one turn of the event loop is committed once, at its end (commit-turn.ts).
 */

import type { Socket, SocketHandler } from "bun";
import { CannotStart } from "../../base/errors.ts";
import type { TimeSlices } from "../../base/time-slices.ts";
import type { Address } from "../../config/address.ts";
import { Admission } from "../net/admission.ts";
import { acknowledge, boundReceiving, wireOf } from "../net/direct-wire.ts";
import { Refusals } from "../net/refusals.ts";
import { Sockets } from "../net/sockets.ts";
import { beginsTls, handshakeRefusal } from "../net/tls.ts";
import { BufferLimit } from "../session/buffer-limit.ts";
import { type ClientTransport, Connection, type Host } from "../session/connection.ts";
import type { Endpoints } from "../session/peer.ts";
import { FINISH_MS_MAX, type Frontend, type ServerForFrontends } from "./frontend.ts";

/**
 * How many of the clients with much left to read go on in one turn. All of them together would send
 * more bytes (direct-wire.ts bounds each) than the server can handle in a few milliseconds.
 */
const READ_ON_MAX = 8;
/** The interval at which clients that were silent for too long are closed. */
const SWEEP_EVERY_MS = 1000;

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
  private readonly buffers: BufferLimit;
  private readonly host: Host;
  private lastId = 0;
  /** Resolves when the server is being stopped and the last client has left. */
  private readonly allGone = Promise.withResolvers<void>();

  constructor(server: ServerForFrontends) {
    this.server = server;
    const { engine, turn, guarded, log, config } = server;
    this.deferred = server.slices(READ_ON_MAX);
    this.refusals = new Refusals(server);
    this.admission = new Admission<Data>(server, (socket, endpoints, isTls) =>
      this.letIn(socket, endpoints, isTls),
    );
    const bytesMax = () => server.config.bufferBytesMax;
    this.buffers = new BufferLimit(this.connections, log, bytesMax);
    this.sockets = new Sockets(config, (address, isTls) => this.handlers(address, isTls));
    this.host = {
      ...{ engine, server, turn, guarded },
      onDeferred: (connection) =>
        this.deferred.add(() => {
          connection.goOn();
          return true;
        }),
      onBuffered: (bytes) => this.buffers.add(bytes),
    };
  }

  /** The port it listens on; 0 if it listens only on unix sockets. */
  get port(): number {
    return this.sockets.port;
  }

  get addresses(): readonly string[] {
    return this.sockets.addresses;
  }

  /** Memory that all connections hold for requests and replies under way. */
  get heldBytes(): number {
    return this.buffers.heldBytes;
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
    if (this.connections.size > 0) {
      await Promise.race([this.allGone.promise, this.server.sleep(FINISH_MS_MAX)]);
    }
    this.sockets.stop(true);
  }

  /** Makes the connection of an admitted client, which sends through `transport`. */
  connect(transport: ClientTransport, endpoints: Endpoints): Connection {
    const { server } = this;
    server.counters.connections++;
    const id = ++this.lastId;
    const connection = new Connection(this.host, transport, { id, ...endpoints });
    this.connections.add(connection);
    server.sessions.add(connection.session);
    server.log.debug("client connected", { client: endpoints.address, id });
    return connection;
  }

  /** To be called when the transport of a connection has closed. */
  disconnect(connection: Connection): void {
    const { server } = this;
    const { session } = connection;
    this.connections.delete(connection);
    server.sessions.delete(session);
    connection.gone();
    if (server.isStopping && this.connections.size === 0) this.allGone.resolve();
    server.log.debug("client left", { client: session.address, id: session.id });
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
          if (!isTls && beginsTls(chunk) && socket.data?.session.requestBytes === 0)
            return this.refuse(
              socket,
              address,
              "it speaks TLS, and this address is for plain RESP",
            );
          socket.data?.receive(chunk);
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

  private letIn(socket: ClientSocket, endpoints: Endpoints, isTls: boolean): void {
    boundReceiving(socket);
    socket.data = this.connect(isTls ? socket : wireOf(socket), endpoints);
    const { keepaliveSeconds } = this.server.config;
    if (keepaliveSeconds > 0) {
      socket.setKeepAlive(true, keepaliveSeconds * 1000);
    }
  }

  private closed(socket: ClientSocket): void {
    this.admission.forget(socket);
    if (socket.data !== undefined) this.disconnect(socket.data);
  }

  /** Closes clients that were silent for too long. */
  private sweep(): void {
    const { server } = this;
    const nowMs = server.now();
    this.admission.sweep();
    const { idleSecondsMax } = server.config;
    if (idleSecondsMax === 0) return;
    for (const connection of this.connections) {
      const silentMs = nowMs - connection.session.lastActiveMs;
      if (silentMs > idleSecondsMax * 1000 && !connection.isWaiting) connection.onKilled();
    }
  }
}
