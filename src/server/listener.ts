/**
 * The listening sockets and their clients: who is let in, and for how long. What all the sockets
 * that were ready staged is committed once, in setImmediate (turn.ts).
 */

import type { Socket, SocketHandler, TLSOptions } from "bun";
import { type Address, addressText } from "../address.ts";
import type { Engine } from "../engine.ts";
import type { Log } from "../log.ts";
import { CannotStart } from "../refusal.ts";
import type { Config } from "../settings.ts";
import { Access } from "./access.ts";
import type { Counters, Server } from "./command.ts";
import { Connection, type Host } from "./connection.ts";
import { clientsByDescriptors } from "./descriptors.ts";
import { wireOf } from "./direct-wire.ts";
import { Jobs } from "./jobs.ts";
import { endsOf, type ListeningSocket, listen, readTls } from "./sockets.ts";
import { Turn } from "./turn.ts";

/** A clean shutdown waits so long, at most, for clients to take replies under way. */
const FINISH_MS_MAX = 500;
/** A client over TLS has so long to introduce itself. */
const HANDSHAKE_MS_MAX = 10_000;
/** Clients whose requests take long get so much of a turn together. */
const DEFERRED_MS = 2;
/** So often it is looked for clients that were silent too long. */
const SWEEP_EVERY_MS = 1000;

const DENIED =
  "-DENIED Number Dispenser is in protected mode, as no password is set: it accepts connections only over " +
  "the loopback interface of its machine (127.0.0.1, ::1) and over unix sockets. To accept others, set " +
  "access.requirepass or users, or set protected_mode: false in the server section of its " +
  "configuration file, or NUMBER_DISPENSER_PROTECTED_MODE=false, and restart it; without a password everyone " +
  "who can reach the port may then take and delete dispensers. To stay protected, let it listen on " +
  "127.0.0.1 alone.\r\n";
const TOO_MANY_CLIENTS = "-ERR max number of clients reached\r\n";

export interface ListenerOptions {
  readonly config: Config;
  readonly engine: Engine;
  readonly log: Log;
  readonly now: () => number;
  /** How often counts are saved in the background, where auto_save is on. */
  readonly countsEveryMs: number;
  /** A client asked the server to stop. */
  readonly onShutdown: (reason: string) => void;
  /** Something that must not go on happened: no reply may leave any more. */
  readonly onFatal: (error: unknown) => void;
}

type Data = Connection | undefined;
type ClientSocket = Socket<Data>;

interface Listening {
  readonly address: Address;
  readonly isTls: boolean;
  socket: ListeningSocket<Data>;
}

const noCounts = (): Counters => ({
  connections: 0,
  refusedConnections: 0,
  commands: 0,
  commits: 0,
  heldReplies: 0,
  bytesIn: 0,
  bytesOut: 0,
  blocked: 0,
});

export class Listener implements Server {
  config: Config;
  readonly access: Access;
  readonly jobs: Jobs;
  readonly log: Log;
  readonly engine: Engine;
  readonly startedAtMs: number;
  readonly now: () => number;
  readonly counters = noCounts();
  readonly sessions = new Set<Connection>();
  isStopping = false;
  private readonly options: ListenerOptions;
  private readonly descriptors = clientsByDescriptors();
  private listening: Listening[] = [];
  /** What TLS is served with. */
  private tls: TLSOptions | undefined;
  private timers: Timer[] = [];
  private readonly host: Host;
  private readonly turn: Turn;
  private lastSessionId = 0;
  /** Sockets that are not through with TLS, and since when. */
  private readonly handshaking = new Map<ClientSocket, number>();
  /** Connections whose requests take long, in the order in which they go on. */
  private readonly deferred: Connection[] = [];
  /** Memory that all connections hold for requests and replies under way. */
  private buffered = 0;
  /** Resolves when the server is being stopped and the last client has left. */
  private readonly allGone = Promise.withResolvers<void>();

  constructor(options: ListenerOptions) {
    this.options = options;
    this.config = options.config;
    this.engine = options.engine;
    this.log = options.log;
    this.now = options.now;
    this.startedAtMs = options.now();
    this.access = new Access(options.config);
    this.jobs = new Jobs(options.now);
    const { engine, log } = options;
    this.turn = new Turn({ engine, log, counters: this.counters });
    this.host = {
      engine,
      server: this,
      onHeld: (connection) => this.turn.hold(connection),
      onDeferred: (connection) => {
        if (this.deferred.push(connection) === 1) this.scheduleDeferred();
      },
      onBuffered: (bytes) => this.onBuffered(bytes),
      guarded: (work) => this.guarded(work),
    };
  }

  /** The port it listens on; 0 where it listens on unix sockets alone. */
  get port(): number {
    const first = this.listening.find(({ address }) => !("unix" in address))?.socket;
    return first !== undefined && "port" in first ? first.port : 0;
  }

  /** Where it listens, with the ports it got. */
  get addresses(): readonly string[] {
    return this.listening.map(({ address, socket, isTls }) => {
      const text = addressText(
        "port" in socket && !("unix" in address) ? { ...address, port: socket.port } : address,
      );
      return isTls ? `tls:${text}` : text;
    });
  }

  get clientsMax(): number {
    return Math.min(this.config.clientsMax, this.descriptors);
  }

  /** Whether there are as many clients as there may be, those not through with TLS among them. */
  get isFull(): boolean {
    return this.sessions.size + this.handshaking.size >= this.clientsMax;
  }

  get storageTrouble(): string | undefined {
    return this.turn.storageTrouble;
  }

  /** Begins to accept clients. Throws CannotStart, and listens nowhere then. */
  start(): void {
    const { config } = this;
    try {
      for (const address of config.addr) this.listenOn(address, undefined);
      if (config.tlsAddr.length > 0) {
        const tls = readTls(config);
        this.tls = tls;
        for (const address of config.tlsAddr) this.listenOn(address, tls);
      }
    } catch (error) {
      for (const { socket } of this.listening) socket.stop();
      throw error;
    }
    if (this.clientsMax < config.clientsMax) {
      this.log.warning("fewer clients than limits.clients: the process may open too few files", {
        clients: this.clientsMax,
        limit: config.clientsMax,
      });
    }
    this.every(SWEEP_EVERY_MS, () => this.sweep());
    if (config.autoSave) {
      this.every(this.options.countsEveryMs, () => this.engine.stageCounts());
    }
  }

  private every(ms: number, work: () => void): void {
    this.timers.push(setInterval(() => this.guarded(work), ms));
  }

  private listenOn(address: Address, tls: TLSOptions | undefined): void {
    const isTls = tls !== undefined;
    const socket = listen(address, this.config, tls, this.handlers(address, isTls));
    this.listening.push({ address, isTls, socket });
  }

  private handlers(address: Address, isTls: boolean): SocketHandler<Data> {
    const opened = (socket: ClientSocket) =>
      this.guarded(() => this.opened(socket, address, isTls));
    return {
      open: isTls ? (socket) => this.guarded(() => this.greet(socket)) : opened,
      ...(isTls && {
        // Called for one that failed, too.
        handshake: (socket: ClientSocket, isWhole: boolean) =>
          this.guarded(() => {
            this.handshaking.delete(socket);
            const isRight = isWhole && (this.config.tlsClientCa === "" || socket.authorized);
            if (isRight) this.opened(socket, address, isTls);
            else socket.terminate();
          }),
      }),
      data: (socket, chunk) => this.guarded(() => socket.data?.receive(chunk)),
      drain: (socket) => this.guarded(() => socket.data?.drain()),
      end: (socket) =>
        this.guarded(() => (socket.data ? socket.data.endInput() : void socket.end())),
      close: (socket) => this.guarded(() => this.closed(socket)),
      error: (socket, error) => {
        this.log.debug("client error", {
          client: socket.data?.address ?? "?",
          error: error.message,
        });
      },
    };
  }

  /** Reads the certificates again; new connections get them. Keeps the old ones where it cannot. */
  reloadTls(): void {
    try {
      const tls = readTls(this.config);
      // Tried on a socket of its own first: what is of no use must not end the one that serves.
      listen({ host: "127.0.0.1", port: 0 }, this.config, tls, { data() {} }).stop();
      for (const each of this.listening.filter(({ isTls }) => isTls)) {
        const { address, socket } = each;
        const port = "port" in socket ? { port: socket.port } : {};
        socket.stop();
        const open = (options: TLSOptions) =>
          listen({ ...address, ...port }, this.config, options, this.handlers(address, true));
        try {
          each.socket = open(tls);
        } catch (error) {
          each.socket = open(this.tls!);
          throw error;
        }
      }
      this.tls = tls;
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

  /** Those that queue up for their turn get a slice of each, one after the other. */
  private scheduleDeferred(): void {
    setImmediate(() =>
      this.guarded(() => {
        const endMs = this.now() + DEFERRED_MS;
        do {
          // It may queue up again behind the others.
          const connection = this.deferred[0]!;
          connection.goOn();
          this.deferred.shift();
        } while (this.deferred.length > 0 && this.now() < endMs);
        if (this.deferred.length > 0) this.scheduleDeferred();
      }),
    );
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
    for (const { socket } of this.listening) socket.stop();
    // SHUTDOWN asks for this in the middle of its own request: let that end first.
    await new Promise<void>((resolve) => void setImmediate(resolve));
    this.turn.end();
    const skipped = this.engine.close();
    for (const session of [...this.sessions]) session.finish();
    const timeUp = Bun.sleep(FINISH_MS_MAX);
    if (this.sessions.size > 0) await Promise.race([this.allGone.promise, timeUp]);
    for (const { socket } of this.listening) socket.stop(true);
    return skipped;
  }

  /** Runs what may end in something that must stop the server at once. */
  private guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.options.onFatal(error);
    }
  }

  private refuse(socket: ClientSocket, address: string, why: string, message: string): void {
    this.counters.refusedConnections++;
    this.log.debug("client refused", { client: address, reason: why });
    socket.end(message);
  }

  /** A client over TLS, before its handshake: it counts as a client. */
  private greet(socket: ClientSocket): void {
    if (this.isStopping || this.isFull) {
      this.refuse(socket, "over TLS", "too many clients", "");
      return;
    }
    this.handshaking.set(socket, this.now());
  }

  private opened(socket: ClientSocket, listening: Address, isTls: boolean): void {
    const ends = endsOf(socket, listening);
    if (ends === undefined) return socket.terminate();
    if (this.isStopping) return this.refuse(socket, ends.address, "stopping", "");
    const refusal = refusalFor(ends.isLocal, this.sessions.size + this.handshaking.size, {
      isProtected: this.config.protectedMode && this.access.newcomer !== undefined,
      clientsMax: this.clientsMax,
    });
    if (refusal !== undefined)
      return this.refuse(socket, ends.address, refusal.why, refusal.message);
    this.counters.connections++;
    const id = ++this.lastSessionId;
    const wire = isTls ? socket : wireOf(socket);
    socket.data = new Connection(this.host, wire, { id, ...ends });
    const { keepaliveSeconds } = this.config;
    if (keepaliveSeconds > 0 && !("unix" in listening)) {
      socket.setKeepAlive(true, keepaliveSeconds * 1000);
    }
    this.sessions.add(socket.data);
    this.log.debug("client connected", { client: ends.address, id });
  }

  private closed(socket: ClientSocket): void {
    this.handshaking.delete(socket);
    const connection = socket.data;
    if (connection === undefined) return;
    this.sessions.delete(connection);
    connection.gone();
    if (this.isStopping && this.sessions.size === 0) this.allGone.resolve();
    this.log.debug("client left", { client: connection.address, id: connection.id });
  }

  /** All buffers together have a limit: past it, the client that holds the most is closed. */
  private onBuffered(bytes: number): void {
    this.buffered += bytes;
    while (bytes > 0 && this.buffered > this.config.bufferBytesMax) {
      let largest: Connection | undefined;
      for (const each of this.sessions) {
        if (each.buffered > (largest?.buffered ?? 0)) largest = each;
      }
      if (largest === undefined) return;
      this.log.warning("client closed: buffers of all clients are full", {
        client: largest.address,
        bytes: largest.buffered,
        limit: this.config.bufferBytesMax,
      });
      largest.kill();
    }
  }

  /** Closes clients that were silent for too long. */
  private sweep(): void {
    const nowMs = this.now();
    for (const [socket, sinceMs] of this.handshaking) {
      if (nowMs - sinceMs > HANDSHAKE_MS_MAX) socket.terminate();
    }
    const { idleSecondsMax } = this.config;
    if (idleSecondsMax === 0) return;
    for (const session of this.sessions) {
      const silentMs = nowMs - session.lastActiveMs;
      if (silentMs > idleSecondsMax * 1000 && !session.isWaiting) session.kill();
    }
  }
}

/** Why a new client is not let in, and what it is answered; undefined for one that is. */
export function refusalFor(
  isLocal: boolean,
  clients: number,
  rule: { readonly isProtected: boolean; readonly clientsMax: number },
): { readonly why: string; readonly message: string } | undefined {
  if (rule.isProtected && !isLocal) return { why: "protected mode", message: DENIED };
  if (clients < rule.clientsMax) return undefined;
  return { why: "too many clients", message: TOO_MANY_CLIENTS };
}
