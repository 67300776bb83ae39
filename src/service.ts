/**
 * All parts put together: the one place where a node's data, the cluster it is in and the server around them become a
 * service. What comes from outside is given as a World: that of this process (serve()), or that of a test, a simulation or
 * a bench.
 */

import { writeSync } from "node:fs";
import { hostname } from "node:os";
import { CannotStart } from "./base/errors.ts";
import { createLog, type Log } from "./base/log.ts";
import { version } from "./base/version.ts";
import { Cluster } from "./cluster/cluster.ts";
import { checkHome } from "./cluster/node/home.ts";
import type { Identity } from "./cluster/node/membership.ts";
import { fingerprintOf } from "./cluster/node/state.ts";
import { type OpenNode, openNode } from "./cluster/open-node.ts";
import { realClock } from "./cluster/stores/monotonic.ts";
import { openLeaseStore } from "./cluster/stores/open.ts";
import type { LeaseStore } from "./cluster/stores/store.ts";
import { UsageError } from "./config/file.ts";
import { loadConfig, unknownVariables } from "./config/load.ts";
import type { Config } from "./config/settings.ts";
import { toText } from "./dispenser/name.ts";
import type { Engine } from "./engine/engine.ts";
import { leave } from "./platform/exit.ts";
import { notify, passedSockets } from "./platform/systemd.ts";
import { endingOf, faultOf, statusOf, unsavedOf } from "./server/ending.ts";
import { clearUnixSockets } from "./server/net/sockets.ts";
import { Server, type ServerWorld } from "./server/server.ts";
import { openSqliteStore, type SqliteStore } from "./storage/sqlite.ts";
import type { Store } from "./storage/store.ts";

/** So often it is looked whether the database is still at its path: what is not is told within a second. */
const PATHS_EVERY_MS = 500;
/** The log names at most so many dispensers that lost numbers in a crash. */
const SKIPPED_SHOWN_MAX = 100;

/** What a service takes from outside. */
export interface World<S extends Store> extends ServerWorld {
  readonly openStore: () => S;
  /** The other nodes; undefined for a node alone. */
  readonly nodes?: OtherNodes<S> | undefined;
}

/** What a node of a cluster takes from outside. */
export interface OtherNodes<S extends Store> {
  readonly leaseStore: LeaseStore;
  /** Who the node is, beside what its own store says. */
  readonly identityOf: (store: S) => Identity;
}

export class Service<S extends Store> {
  readonly store: S;
  readonly engine: Engine;
  /** Undefined for a node alone. */
  readonly cluster: Cluster | undefined;
  readonly server: Server;
  private readonly log: Log;

  private constructor(config: Config, world: World<S>, { store, engine, state }: OpenNode<S>) {
    const { clock, log, nodes, onFatal } = world;
    this.store = store;
    this.engine = engine;
    this.log = log;
    this.cluster =
      nodes &&
      new Cluster({
        ...{ engine, store, log, clock, onFatal },
        leaseStore: nodes.leaseStore,
        identity: nodes.identityOf(store),
        membership: state.membership,
        mayFound: config.create,
      });
    this.server = new Server({ config, engine, cluster: this.cluster, world });
  }

  /** Opens the data, and puts the parts around it together; nothing is served yet. Throws CannotStart. */
  static open<S extends Store>(config: Config, world: World<S>): Service<S> {
    const node = openNode(config, {
      openStore: world.openStore,
      now: world.clock.now,
      onStaged: () => service.server.scheduleTurn(),
    });
    const service = new Service(config, world, node);
    return service;
  }

  /**
   * Serves: at once for a node alone, and else when it is in its cluster, for which it waits until stop(). Throws
   * CannotStart, or rejects with it, once the data are closed.
   */
  start(): Promise<void> | undefined {
    if (this.store.crashed) this.logCrash();
    if (this.cluster === undefined) return this.listen();
    return this.cluster.join().then(
      () => (this.server.isStopping ? undefined : this.listen()),
      (error: unknown) => this.giveUp(error),
    );
  }

  private listen(): undefined {
    try {
      this.server.start();
      this.cluster?.follow();
    } catch (error) {
      this.giveUp(error);
    }
  }

  private giveUp(error: unknown): never {
    // What the crash cost is told: it has to be on disk before the close makes it the past.
    this.engine.commit();
    this.engine.close();
    throw error;
  }

  /** The clean stop. Answers how many numbers it skipped. */
  stop(): Promise<bigint> {
    return this.server.stop();
  }

  private logCrash(): void {
    const skipped = this.engine.skippedByCrash();
    for (const { name, numbers } of skipped.slice(0, SKIPPED_SHOWN_MAX)) {
      this.log.warning("numbers skipped", { dispenser: toText(name), numbers });
    }
    const numbers = skipped.reduce((sum, each) => sum + each.numbers, 0n);
    this.log.warning("recovered from a crash", {
      dispensers_that_skipped: skipped.length,
      numbers,
    });
  }
}

/** Runs a service as this process, until a signal or a client stops it. Throws UsageError and CannotStart. */
export async function serve(
  flags: ReadonlyMap<string, string>,
  environment: NodeJS.ProcessEnv,
): Promise<void> {
  const config = { ...loadConfig(flags, environment), ...passedSockets(environment) };
  const startedAtMs = performance.now();
  const log = createLog(config.logLevel, config.logFormat, writeToStderr, () => new Date());
  const onFatal = (error: unknown): never => {
    log.error(endingOf(error), faultOf(error));
    leave(statusOf(error));
  };
  process.on("uncaughtException", onFatal);
  process.on("unhandledRejection", onFatal);
  // Bun's client of PostgreSQL says so by itself that its LISTEN failed; the log says what became of the store.
  console.warn = (text: unknown) => log.debug("runtime", { warning: String(text) });
  const leaseStore = config.store === "" ? undefined : openLeaseStore(config.store);
  await clearUnixSockets([...config.addr, ...config.tlsAddr]);

  const stop = (reason: string) => {
    if (service.server.isStopping) return;
    // The clean close looks for itself.
    endWatching();
    log.info("stopping", { reason });
    notify("STOPPING=1");
    void stopProcess(service, log);
  };
  const world = { ...worldOf(config, leaseStore), log, onFatal, onShutdown: stop };
  const service = Service.open(config, world);
  const isCopy = leaseStore === undefined && checkHome(service.store, config.node);
  const endWatching = world.every(PATHS_EVERY_MS, () =>
    service.server.guarded(() => service.store.checkPaths()),
  );
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop(signal));
  await service.start();
  if (service.server.isStopping) return;
  // As in redis-server: the end of the terminal it was started from is not the server's.
  process.on("SIGHUP", () => {
    if (config.tlsAddr.length > 0) service.server.reloadTls();
    else log.info("SIGHUP ignored");
  });
  for (const variable of unknownVariables(Object.keys(environment))) {
    log.warning("environment variable is no setting, and ignored", { variable });
  }
  logWarnings(service, log, config, isCopy);
  notify("READY=1");
  log.info("ready", {
    version,
    address: service.server.addresses.join(","),
    data: config.dataDir,
    dispensers: service.engine.size,
    started_in_ms: Math.round(performance.now() - startedAtMs),
  });
}

/** What this process and its machine give a service. */
function worldOf(config: Config, leaseStore: LeaseStore | undefined) {
  const identityOf = ({ path }: SqliteStore): Identity => ({
    unique: () => crypto.randomUUID(),
    // Several nodes may be on one machine.
    host: `${hostname()}:${config.dataDir}`,
    folderFingerprint: fingerprintOf(path),
  });
  return {
    ...inRealTime,
    openStore: () => openSqliteStore(config.dataDir, config),
    nodes: leaseStore && { leaseStore, identityOf },
  };
}

/** The clock, the turns and the timers of this process. */
export const inRealTime: Pick<ServerWorld, "clock" | "schedule" | "every"> = {
  clock: realClock,
  schedule: (work) => void setImmediate(work),
  every: (milliseconds, work) => {
    const timer = setInterval(work, milliseconds);
    return () => clearInterval(timer);
  },
};

async function stopProcess(service: Service<SqliteStore>, log: Log): Promise<void> {
  try {
    const skipped = await service.stop();
    log.info("stopped, all positions saved", { numbers_skipped: skipped });
  } catch (error) {
    log.error(unsavedOf(error), faultOf(error));
    leave(statusOf(error));
  }
  process.exit(0);
}

/** What the operator should know of the data. */
function logWarnings(
  { store, cluster }: Service<SqliteStore>,
  log: Log,
  config: Config,
  isCopy: boolean,
): void {
  for (const warning of store.warnings) log.warning(warning);
  if (isCopy) {
    log.warning(
      "the data folder was copied from another place or machine, where its twin hands out the same numbers: once that " +
        "one will never be started again, say so with number-dispenser accept-copy",
      { data: config.dataDir },
    );
  }
  if (store.isNew && cluster === undefined) {
    log.warning("new database: every line starts at its beginning", {
      next: "set storage.create to false",
    });
  }
}

/** At once, so that the last line before an exit is written; a reader that left is no error. */
function writeToStderr(line: string): void {
  try {
    writeSync(2, `${line}\n`);
  } catch {
    // Nobody reads the log: the server goes on.
  }
}

/** Ends this process, as a command failed or the server could not start. */
export function endWith(error: unknown): never {
  const isExpected = error instanceof UsageError || error instanceof CannotStart;
  const message = isExpected ? (error as Error).message.replace(/\s+/g, " ") : faultOf(error).error;
  writeToStderr(`number-dispenser: ${message}`);
  leave(statusOf(error));
}
