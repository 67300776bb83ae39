/**
 * The listening socket and its connections. What all the sockets that were ready staged is
 * committed once, in setImmediate (turn.ts).
 */

import type { Socket, TCPSocketListener } from "bun";
import type { Config } from "../config.ts";
import type { Engine } from "../engine.ts";
import type { Log } from "../log.ts";
import type { Counters, Server } from "./command.ts";
import { Connection, type Host } from "./connection.ts";
import { Turn } from "./turn.ts";

/** A clean shutdown waits so long, at most, for clients to take replies under way. */
const FINISH_MS_MAX = 500;

const DENIED =
  "-DENIED Number Dispenser is in protected mode: it accepts connections only over the loopback " +
  "interface of its machine (127.0.0.1, ::1). To accept others, set protected_mode: false in the server section of its " +
  "configuration file, or NUMBER_DISPENSER_PROTECTED_MODE=false, and restart it; everyone who " +
  "can reach the port may then take and delete dispensers. To stay protected, let it listen on " +
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

type ClientSocket = Socket<Connection | undefined>;

export class Listener implements Server {
  readonly config: Config;
  readonly engine: Engine;
  readonly startedAtMs: number;
  readonly now: () => number;
  readonly counters: Counters = {
    connections: 0,
    refusedConnections: 0,
    commands: 0,
    commits: 0,
    heldReplies: 0,
  };
  readonly sessions = new Set<Connection>();
  isStopping = false;
  private readonly options: ListenerOptions;
  private readonly log: Log;
  private socket: TCPSocketListener<Connection | undefined> | undefined;
  private countsTimer: Timer | undefined;
  private readonly host: Host;
  private readonly turn: Turn;
  private lastSessionId = 0;
  /** Resolves when the server is being stopped and the last client has left. */
  private readonly allGone = Promise.withResolvers<void>();

  constructor(options: ListenerOptions) {
    this.options = options;
    this.config = options.config;
    this.engine = options.engine;
    this.log = options.log;
    this.now = options.now;
    this.startedAtMs = options.now();
    const { engine, log } = options;
    this.turn = new Turn({ engine, log, counters: this.counters });
    this.host = {
      engine,
      server: this,
      onHeld: (connection) => this.turn.hold(connection),
      guarded: (work) => this.guarded(work),
    };
  }

  /** The port it listens on. */
  get port(): number {
    return this.socket?.port ?? 0;
  }

  get storageTrouble(): string | undefined {
    return this.turn.storageTrouble;
  }

  /** Begins to accept clients. Throws what Bun.listen throws, a used address for example. */
  start(): void {
    const { host, port } = this.config.addr;
    const handlers = {
      open: (socket: ClientSocket) => this.guarded(() => this.opened(socket)),
      data: (socket: ClientSocket, chunk: Buffer) =>
        this.guarded(() => socket.data?.receive(chunk)),
      drain: (socket: ClientSocket) => this.guarded(() => socket.data?.drain()),
      end: (socket: ClientSocket) =>
        this.guarded(() => (socket.data ? socket.data.endInput() : socket.end())),
      close: (socket: ClientSocket) => this.guarded(() => this.closed(socket)),
      error: (socket: ClientSocket, error: Error) => {
        this.log.debug("client error", {
          client: socket.data?.address ?? "?",
          error: error.message,
        });
      },
    };
    const listen = (hostname: string) =>
      Bun.listen<Connection | undefined>({
        hostname,
        port,
        allowHalfOpen: true,
        socket: handlers,
      });
    this.socket = host === undefined ? listenOnAll(listen) : listen(host);
    if (this.config.autoSave) {
      this.countsTimer = setInterval(() => this.engine.stageCounts(), this.options.countsEveryMs);
    }
  }

  /** The engine staged something: commit at the end of this turn. */
  scheduleTurn(): void {
    setImmediate(() => this.guarded(() => this.turn.end()));
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
    clearInterval(this.countsTimer);
    this.socket?.stop();
    // SHUTDOWN asks for this in the middle of its own request: let that end first.
    await new Promise<void>((resolve) => void setImmediate(resolve));
    this.turn.end();
    const skipped = this.engine.close();
    for (const session of [...this.sessions]) session.finish();
    const timeUp = Bun.sleep(FINISH_MS_MAX);
    if (this.sessions.size > 0) await Promise.race([this.allGone.promise, timeUp]);
    this.socket?.stop(true);
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

  private opened(socket: ClientSocket): void {
    const address = `${socket.remoteAddress.replace(/^::ffff:/, "")}:${socket.remotePort}`;
    const refusal = refusalFor(socket.remoteAddress, this.sessions.size, this.config);
    if (refusal !== undefined || this.isStopping) {
      this.counters.refusedConnections++;
      const reason = refusal === DENIED ? "protected mode" : "too many clients";
      this.log.debug("client refused", { client: address, reason });
      socket.end(refusal ?? "");
      return;
    }
    this.counters.connections++;
    const id = ++this.lastSessionId;
    const peer = { id, address, isAdministrator: isLoopback(socket.remoteAddress) };
    socket.data = new Connection(this.host, socket, peer);
    this.sessions.add(socket.data);
    this.log.debug("client connected", { client: address, id });
  }

  private closed(socket: ClientSocket): void {
    const connection = socket.data;
    if (connection === undefined) return;
    this.sessions.delete(connection);
    connection.gone();
    if (this.isStopping && this.sessions.size === 0) this.allGone.resolve();
    this.log.debug("client left", { client: connection.address, id: connection.id });
  }
}

/** All interfaces: both of IPv6 and IPv4 where there is IPv6, otherwise IPv4. */
function listenOnAll<T>(listen: (hostname: string) => T): T {
  try {
    return listen("::");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") throw error;
    return listen("0.0.0.0");
  }
}

/** What a new client is answered that is not let in; undefined for one that is. */
export function refusalFor(
  remoteAddress: string,
  clients: number,
  config: Pick<Config, "protectedMode" | "clientsMax">,
): string | undefined {
  if (config.protectedMode && !isLoopback(remoteAddress)) return DENIED;
  return clients >= config.clientsMax ? TOO_MANY_CLIENTS : undefined;
}

function isLoopback(address: string): boolean {
  return address === "::1" || /^(::ffff:)?127\./.test(address);
}
