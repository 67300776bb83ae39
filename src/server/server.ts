/**
 * The listening sockets and their clients: who is let in, and for how long. What all the sockets
 * that were ready staged is committed once, in setImmediate (turn.ts).
 */

import type { Socket, SocketHandler } from "bun";
import { CannotStart } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { TimeSlices } from "../base/time-slices.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { Address } from "../config/address.ts";
import type { Config } from "../config/settings.ts";
import type { Catalog } from "../engine/catalog.ts";
import type { Engine } from "../engine/engine.ts";
import { LocalCatalog } from "../engine/local-catalog.ts";
import { clientsByDescriptors } from "../platform/open-files.ts";
import { Access } from "./access/users.ts";
import { noCounts, type ServerForCommands } from "./commands/command.ts";
import { Admission } from "./net/admission.ts";
import { boundReceiving, wireOf } from "./net/direct-wire.ts";
import { type Endpoints, Sockets } from "./net/sockets.ts";
import { BufferLimit } from "./session/buffer-limit.ts";
import { CommitTurn } from "./session/commit-turn.ts";
import { Connection, type Host } from "./session/connection.ts";
import type { ClientSession } from "./session/session.ts";

/** A clean shutdown waits so long, at most, for clients to take replies under way. */
const FINISH_MS_MAX = 500;
/**
 * So many of the clients that sent much are read on in a turn: all of them at once would bring more
 * bytes (direct-wire.ts says how many of each) than can be read in a few milliseconds.
 */
const READ_ON_MAX = 8;
/** So often it is looked for clients that were silent too long. */
const SWEEP_EVERY_MS = 1000;
/** So often it is looked for deleted lines that need not be remembered any more. */
const PURGE_EVERY_MS = 1000;

export interface ServerOptions {
  readonly config: Config;
  readonly engine: Engine;
  readonly log: Log;
  readonly now: () => number;
  /** The other nodes; undefined for a node alone. */
  readonly cluster?: Cluster | undefined;
  /** How often counts are saved in the background, where auto_save is on. */
  readonly countsEveryMs: number;
  /** A client asked the server to stop. */
  readonly onShutdown: (reason: string) => void;
  /** Something that must not go on happened: no reply may leave any more. */
  readonly onFatal: (error: unknown) => void;
}

type Data = Connection | undefined;
type ClientSocket = Socket<Data>;

export class Server implements ServerForCommands {
  config: Config;
  readonly access: Access;
  readonly jobs: TimeSlices;
  readonly log: Log;
  readonly engine: Engine;
  readonly startedAtMs: number;
  readonly now: () => number;
  readonly catalog: Catalog;
  readonly counters = noCounts();
  readonly sessions = new Set<ClientSession>();
  isStopping = false;
  /** The connections of the sessions. */
  private readonly connections = new Set<Connection>();
  private readonly options: ServerOptions;
  private readonly descriptors = clientsByDescriptors();
  private readonly sockets: Sockets<Data>;
  private timers: Timer[] = [];
  private readonly host: Host;
  private readonly turn: CommitTurn;
  private lastSessionId = 0;
  private readonly admission: Admission<Data>;
  /** Connections whose requests take long, in the order in which they go on. */
  private readonly deferred: TimeSlices;
  private readonly buffers: BufferLimit;
  /** Resolves when the server is being stopped and the last client has left. */
  private readonly allGone = Promise.withResolvers<void>();

  constructor(options: ServerOptions) {
    this.options = options;
    this.config = options.config;
    this.engine = options.engine;
    this.catalog = options.cluster?.catalog ?? new LocalCatalog(options.engine);
    this.log = options.log;
    this.now = options.now;
    this.startedAtMs = options.now();
    this.access = new Access(options.config);
    const guarded = (work: () => void) => this.guarded(work);
    this.jobs = new TimeSlices(options.now, guarded);
    this.deferred = new TimeSlices(options.now, guarded, READ_ON_MAX);
    this.admission = new Admission<Data>(this, guarded, (socket, ends, isTls) =>
      this.letIn(socket, ends, isTls),
    );
    this.buffers = new BufferLimit(this.connections, options.log, () => this.config.bufferBytesMax);
    this.sockets = new Sockets(options.config, (address, isTls) => this.handlers(address, isTls));
    const { engine, log } = options;
    this.turn = new CommitTurn({ engine, log, counters: this.counters });
    this.host = {
      engine,
      server: this,
      onHeld: (connection) => this.turn.hold(connection),
      onDeferred: (connection) =>
        this.deferred.add(() => {
          connection.goOn();
          return true;
        }),
      onBuffered: (bytes) => this.buffers.add(bytes),
      guarded,
    };
  }

  /** The port it listens on; 0 where it listens on unix sockets alone. */
  get port(): number {
    return this.sockets.port;
  }

  /** Where it listens, with the ports it got. */
  get addresses(): readonly string[] {
    return this.sockets.addresses;
  }

  get clientsMax(): number {
    return Math.min(this.config.clientsMax, this.descriptors);
  }

  get storageTrouble(): string | undefined {
    return this.turn.storageTrouble;
  }

  /** Begins to accept clients. Throws CannotStart, and listens nowhere then. */
  start(): void {
    const { config } = this;
    this.sockets.open();
    if (this.clientsMax < config.clientsMax) {
      this.log.warning("fewer clients than limits.clients: the process may open too few files", {
        clients: this.clientsMax,
        limit: config.clientsMax,
      });
    }
    this.every(SWEEP_EVERY_MS, () => this.sweep());
    this.every(PURGE_EVERY_MS, () => this.engine.stagePurge());
    if (config.autoSave) {
      this.every(this.options.countsEveryMs, () => this.engine.stageCounts());
    }
  }

  private every(ms: number, work: () => void): void {
    this.timers.push(setInterval(() => this.guarded(work), ms));
  }

  private handlers(address: Address, isTls: boolean): SocketHandler<Data> {
    return {
      open: (socket) => this.guarded(() => this.admission.arrive(socket, address, isTls)),
      ...(isTls && {
        // Called for one that failed, too.
        handshake: (socket: ClientSocket, isWhole: boolean) =>
          this.guarded(() => {
            const isRight = isWhole && (this.config.tlsClientCa === "" || socket.authorized);
            if (isRight) this.admission.admit(socket);
            else socket.terminate();
          }),
      }),
      data: (socket, chunk) =>
        this.guarded(() => {
          if (socket.data === undefined) this.admission.admit(socket);
          socket.data?.receive(chunk);
        }),
      drain: (socket) => this.guarded(() => socket.data?.drain()),
      end: (socket) =>
        this.guarded(() => (socket.data ? socket.data.endInput() : void socket.end())),
      close: (socket) => this.guarded(() => this.closed(socket)),
      error: (socket, error) => {
        this.log.debug("client error", {
          client: socket.data?.session.address ?? "?",
          error: error.message,
        });
      },
    };
  }

  /** Reads the certificates again; new connections get them. Keeps the old ones where it cannot. */
  reloadTls(): void {
    try {
      this.sockets.reloadTls();
      this.log.info("certificates read again");
    } catch (error) {
      if (!(error instanceof CannotStart)) throw error;
      this.log.error("certificates not changed", { reason: error.message });
    }
  }

  /** The engine staged something: commit at the end of this turn. */
  scheduleTurn(): void {
    setImmediate(() => this.guarded(() => this.turn.end()));
  }

  configure(changes: Partial<Config>): string | undefined {
    const { clientsMax } = changes;
    if (clientsMax !== undefined && clientsMax > this.descriptors) {
      return `the process may open too few files for ${clientsMax} clients, but enough for ${this.descriptors}`;
    }
    this.config = Object.freeze({ ...this.config, ...changes });
    this.engine.limits = this.config;
    return undefined;
  }

  resetCounters(): void {
    const { blocked } = this.counters;
    Object.assign(this.counters, noCounts(), { blocked });
  }

  shutdown(reason: string): void {
    this.options.onShutdown(reason);
  }

  /**
   * No new clients and requests; replies under way are sent, positions saved, connections ended.
   * Answers how many numbers the clean close skipped.
   */
  async stop(): Promise<bigint> {
    this.isStopping = true;
    for (const timer of this.timers) clearInterval(timer);
    this.sockets.stop();
    // SHUTDOWN asks for this in the middle of its own request: let that end first.
    await new Promise<void>((resolve) => void setImmediate(resolve));
    this.turn.end();
    const { cluster } = this.options;
    if (cluster !== undefined) await this.leaveStore(cluster);
    const skipped = this.engine.close();
    for (const connection of [...this.connections]) connection.finish();
    const timeUp = Bun.sleep(FINISH_MS_MAX);
    if (this.sessions.size > 0) await Promise.race([this.allGone.promise, timeUp]);
    this.sockets.stop(true);
    return skipped;
  }

  /** The store hears what the node did; the close does not wait for it for long. */
  private async leaveStore(cluster: Cluster): Promise<void> {
    await Promise.race([cluster.close(), Bun.sleep(FINISH_MS_MAX)]);
    cluster.abandon();
    // A lease may have come in meanwhile.
    this.turn.end();
  }

  /** Runs what may end in something that must stop the server at once. */
  private guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.options.onFatal(error);
    }
  }

  private letIn(socket: ClientSocket, ends: Endpoints, isTls: boolean): void {
    this.counters.connections++;
    const id = ++this.lastSessionId;
    boundReceiving(socket);
    const wire = isTls ? socket : wireOf(socket);
    socket.data = new Connection(this.host, wire, { id, ...ends });
    const { keepaliveSeconds } = this.config;
    if (keepaliveSeconds > 0) {
      socket.setKeepAlive(true, keepaliveSeconds * 1000);
    }
    this.connections.add(socket.data);
    this.sessions.add(socket.data.session);
    this.log.debug("client connected", { client: ends.address, id });
  }

  private closed(socket: ClientSocket): void {
    this.admission.forget(socket);
    const connection = socket.data;
    if (connection === undefined) return;
    this.connections.delete(connection);
    this.sessions.delete(connection.session);
    connection.gone();
    if (this.isStopping && this.sessions.size === 0) this.allGone.resolve();
    this.log.debug("client left", {
      client: connection.session.address,
      id: connection.session.id,
    });
  }

  /** Closes clients that were silent for too long. */
  private sweep(): void {
    const nowMs = this.now();
    this.admission.sweep();
    const { idleSecondsMax } = this.config;
    if (idleSecondsMax === 0) return;
    for (const connection of this.connections) {
      const silentMs = nowMs - connection.session.lastActiveMs;
      if (silentMs > idleSecondsMax * 1000 && !connection.isWaiting) connection.onKilled();
    }
  }
}
