/** Runs the server as this process, with its log, its signals, its service manager and its end. */

import { hostname } from "node:os";
import { createLog, type Log, logLine } from "../base/log.ts";
import { version } from "../base/version.ts";
import { checkHome } from "../cluster/node/home.ts";
import type { Identity } from "../cluster/node/membership.ts";
import { fingerprintOf } from "../cluster/node/state.ts";
import { openLeaseStore } from "../cluster/stores/open.ts";
import type { LeaseStore } from "../cluster/stores/store.ts";
import { inRealTime, type World } from "../cluster/world.ts";
import { loadConfig, unknownVariables } from "../config/load.ts";
import type { Config } from "../config/settings.ts";
import { notify, passedSockets } from "../platform/systemd.ts";
import { clearUnixSockets } from "../platform/unix-sockets.ts";
import { openSqliteStore, type SqliteStore } from "../storage/sqlite.ts";
import { endingOf, faultOf, leaveLogged, statusOf, stderrLines, unsavedOf } from "./ending.ts";

/** The interval at which the server checks that the database is still at its path. */
const PATHS_EVERY_MS = 500;

/** A function that opens a service, as Service.open() does. */
export type OpenService = (config: Config, world: World<SqliteStore>) => RunningService;

/** The part of a service that its process uses. */
export interface RunningService {
  readonly store: SqliteStore;
  readonly engine: { readonly size: number };
  readonly server: {
    readonly addresses: readonly string[];
    readonly isStopping: boolean;
    guarded(work: () => void): void;
    reloadTls(): void;
  };
  start(): Promise<void> | undefined;
  stop(): Promise<bigint>;
}

/**
 * Runs a service as this process until a signal or a client stops it. Throws UsageError and
 * CannotStart.
 */
export async function serve(
  open: OpenService,
  flags: ReadonlyMap<string, string>,
  environment: NodeJS.ProcessEnv,
): Promise<void> {
  const config = { ...loadConfig(flags, environment), ...passedSockets(environment) };
  const startedAtMs = performance.now();
  const log = openLog(config);
  const onFatal = (error: unknown): never => {
    log.error(endingOf(error), faultOf(error));
    leaveLogged(statusOf(error));
  };
  process.on("uncaughtException", onFatal);
  process.on("unhandledRejection", onFatal);
  // Bun's client of PostgreSQL prints a warning if its LISTEN fails; the log reports the store
  // itself.
  console.warn = (text: unknown) => log.debug("runtime", { warning: String(text) });
  const leaseStore = config.store === "" ? undefined : openLeaseStore(config.store);
  await clearUnixSockets([...config.addr, ...config.tlsAddr]);

  const stop = (reason: string) => {
    if (service.server.isStopping) return;
    // The clean close checks the paths itself.
    endWatching();
    log.info("stopping", { reason });
    notify("STOPPING=1");
    void stopProcess(service, log);
  };
  const world = { ...worldOf(config, leaseStore), log, onFatal, onShutdown: stop };
  const service = open(config, world);
  const isCopy = leaseStore === undefined && checkHome(service.store, config.node);
  const endWatching = world.every(PATHS_EVERY_MS, () =>
    service.server.guarded(() => service.store.checkPaths()),
  );
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop(signal));
  await service.start();
  if (service.server.isStopping) return;
  // As in redis-server, the server goes on when the terminal that started it closes.
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

function openLog({ logLevel, logFormat }: Config): Log {
  stderrLines.droppedLine = (count) =>
    logLine(logFormat, new Date(), "warning", "log lines dropped", { count });
  const write = (line: string) => stderrLines.write(line);
  return createLog(logLevel, logFormat, write, () => new Date());
}

/** The world that this process and its machine give a service. */
function worldOf(config: Config, leaseStore: LeaseStore | undefined) {
  const identityOf = ({ path }: SqliteStore): Identity => ({
    unique: () => crypto.randomUUID(),
    // The data folder tells several nodes on one machine apart.
    host: `${hostname()}:${config.dataDir}`,
    folderFingerprint: fingerprintOf(path),
  });
  return {
    ...inRealTime,
    openStore: () => openSqliteStore(config.dataDir, config),
    nodes: leaseStore && { leaseStore, identityOf },
  };
}

async function stopProcess(service: RunningService, log: Log): Promise<void> {
  try {
    const skipped = await service.stop();
    log.info("stopped, all positions saved", { numbers_skipped: skipped });
  } catch (error) {
    log.error(unsavedOf(error), faultOf(error));
    leaveLogged(statusOf(error));
  }
  stderrLines.finish();
  process.exit(0);
}

/** Logs warnings about the data. */
function logWarnings({ store }: RunningService, log: Log, config: Config, isCopy: boolean): void {
  for (const warning of store.warnings) log.warning(warning);
  if (isCopy) {
    log.warning(
      "the data folder was copied from another place or machine, where the original hands out the same numbers: once " +
        "that will never be started again, say so with number-dispenser accept-copy",
      { data: config.dataDir },
    );
  }
  if (store.isNew && config.store === "") {
    log.warning("new database: every line starts at its beginning", {
      next: "set storage.create to false",
    });
  }
}
