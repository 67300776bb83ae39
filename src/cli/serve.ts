/** Runs the server as this process, with its log, its signals, its service manager and its end. */

import { hostname } from "node:os";
import { CannotStart } from "../base/errors.ts";
import { createLog, type Log, type LogFields, type LogLevel, logLine } from "../base/log.ts";
import { version } from "../base/version.ts";
import { checkHome } from "../cluster/node/home.ts";
import type { Identity } from "../cluster/node/membership.ts";
import { fingerprintOf } from "../cluster/node/state.ts";
import { openLeaseStore } from "../cluster/stores/open.ts";
import type { LeaseStore } from "../cluster/stores/store.ts";
import { inRealTime, type World } from "../cluster/world.ts";
import { UsageError } from "../config/file.ts";
import { loadConfig, secretsWithLineBreak, unknownVariables } from "../config/load.ts";
import type { Config } from "../config/settings.ts";
import { AppendFile } from "../platform/append-file.ts";
import { notify, passedSockets } from "../platform/systemd.ts";
import { clearUnixSockets } from "../platform/unix-sockets.ts";
import { openSqliteStore, type SqliteStore } from "../storage/sqlite.ts";
import {
  endingOf,
  faultOf,
  leaveLogged,
  messageOf,
  statusOf,
  stderrLines,
  unsavedOf,
} from "./ending.ts";

/** The interval at which the server checks that the database is still at its path. */
const PATHS_EVERY_MS = 500;
/** Settings are read again at most so often: to read them takes milliseconds. */
const RELOAD_EVERY_MS = 100;

/** A function that opens a service, as Service.open() does. */
export type OpenService = (config: Config, world: World<SqliteStore>) => RunningService;

/** The part of a service that its process uses. */
export interface RunningService {
  readonly store: SqliteStore;
  readonly engine: { readonly size: number };
  readonly server: {
    readonly addresses: readonly string[];
    readonly isStopping: boolean;
    readonly config: Config;
    guarded(work: () => void): void;
    /** Takes over the settings that may change while the server runs, and the users. */
    reload(config: Config): void;
    reloadTls(): void;
  };
  start(): Promise<void> | undefined;
  stop(): Promise<bigint>;
}

/**
 * Runs a service as this process until a signal or a client stops it. Throws UsageError and
 * CannotStart, the latter only where nothing was logged yet.
 */
export async function serve(
  open: OpenService,
  flags: ReadonlyMap<string, string>,
  environment: NodeJS.ProcessEnv,
): Promise<void> {
  const load = () => ({ ...loadConfig(flags, environment), ...passedSockets(environment) });
  const config = load();
  const log = openLog(config);
  try {
    await run(open, config, load, log);
  } catch (error) {
    // Whoever reads JSON from stderr reads this line, too.
    if (config.logFormat !== "json" || !(error instanceof CannotStart)) throw error;
    log.error("cannot start", { reason: messageOf(error) });
    leaveLogged(statusOf(error));
  }
  for (const variable of unknownVariables(Object.keys(environment))) {
    log.warning("environment variable is no setting, and ignored", { variable });
  }
  for (const variable of secretsWithLineBreak(environment)) {
    log.warning("a secret ends with a line break, which is part of it", { variable });
  }
}

async function run(
  open: OpenService,
  config: Config,
  load: () => Config,
  log: LiveLog,
): Promise<void> {
  const startedAtMs = performance.now();
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
  const audit = openAudit(config, log);
  await clearUnixSockets([...config.addr, ...config.tlsAddr]);

  const stop = (reason: string) => {
    if (service.server.isStopping) return;
    // The clean close checks the paths itself.
    endWatching();
    log.info("stopping", { reason });
    notify("STOPPING=1");
    void stopProcess(service, log);
  };
  const world = { ...worldOf(config, leaseStore), log, audit, onFatal, onShutdown: stop };
  const service = open(config, world);
  log.levelOf = () => service.server.config.logLevel;
  const isCopy = leaseStore === undefined && checkHome(service.store, config.node);
  const endWatching = world.every(PATHS_EVERY_MS, () =>
    service.server.guarded(() => service.store.checkPaths()),
  );
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop(signal));
  await service.start();
  if (service.server.isStopping) return;
  onSighup(() => service.server.guarded(() => reload(service, load, log)));
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

/** A log whose least level may change. */
interface LiveLog extends Log {
  levelOf: () => LogLevel;
}

function openLog({ logLevel, logFormat }: Config): LiveLog {
  stderrLines.droppedLine = (count) =>
    logLine(logFormat, new Date(), "warning", "log lines dropped", { count });
  const write = (line: string) => stderrLines.write(line);
  const level = { levelOf: () => logLevel };
  const log = createLog(
    () => level.levelOf(),
    logFormat,
    write,
    () => new Date(),
  );
  return Object.assign(level, log);
}

/** Opens the audit file, if there is one. Throws CannotStart. */
function openAudit({ logAudit }: Config, log: Log) {
  if (logAudit === "") return undefined;
  const file = new AppendFile(logAudit);
  file.onLost = (reason) => log.error("audit lines are lost", { path: logAudit, reason });
  process.on("SIGUSR1", () => {
    try {
      file.reopen();
      log.info("audit file opened again", { path: logAudit });
    } catch (error) {
      log.error("audit goes on in the old file", { reason: messageOf(error) });
    }
  });
  return (action: string, fields: LogFields) =>
    file.write(logLine("json", new Date(), "info", action, fields));
}

/** Runs work on SIGHUP, at once or a little later: signals that come together are one. */
function onSighup(work: () => void): void {
  let ranAtMs = Number.NEGATIVE_INFINITY;
  let isDue = false;
  process.on("SIGHUP", () => {
    if (isDue) return;
    isDue = true;
    const waitMs = Math.max(0, ranAtMs + RELOAD_EVERY_MS - performance.now());
    setTimeout(() => {
      isDue = false;
      ranAtMs = performance.now();
      work();
    }, waitMs);
  });
}

/** Reads the settings, users and certificates again. What is wrong stays as it was. */
function reload({ server }: RunningService, load: () => Config, log: Log): void {
  notify(`RELOADING=1\nMONOTONIC_USEC=${Math.floor(Bun.nanoseconds() / 1000)}`);
  try {
    server.reload(load());
  } catch (error) {
    if (!(error instanceof CannotStart || error instanceof UsageError)) throw error;
    log.error("settings not changed", { reason: messageOf(error) });
  }
  if (server.config.tlsAddr.length > 0) server.reloadTls();
  notify("READY=1");
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
    if (skipped === 0n) log.info("stopped, all positions saved");
    else log.info("stopped, all reservations saved", { numbers_skipped: skipped });
  } catch (error) {
    log.error(unsavedOf(error), faultOf(error));
    leaveLogged(statusOf(error));
  }
  stderrLines.finish();
  process.exit(0);
}

/** Logs warnings about the data. */
function logWarnings(
  { store, engine }: RunningService,
  log: Log,
  config: Config,
  isCopy: boolean,
): void {
  for (const warning of store.warnings) log.warning(warning);
  if (isCopy) {
    log.warning(
      "the data folder was copied from another place or machine, or put back from a snapshot. From a snapshot it repeats " +
        "numbers: stop the server, and run number-dispenser advance -all. As a copy it hands out the same numbers as the " +
        "original: once that will never be started again, say so with number-dispenser accept-copy",
      { data: config.dataDir },
    );
  }
  // An earlier start may have made the database, and then failed.
  const isEmpty = store.isNew || (engine.size === 0 && store.deletedSize === 0);
  if (isEmpty && config.create && config.store === "") {
    log.warning(`${store.isNew ? "new" : "empty"} database: every line starts at its beginning`, {
      next: "set storage.create to false",
    });
  }
}
