/** The program: flags, wiring, signals, exit statuses. */

import { writeSync } from "node:fs";
import { hostname } from "node:os";
import { CannotStart } from "./base/errors.ts";
import { createLog, type Log } from "./base/log.ts";
import { version, versionText } from "./base/version.ts";
import { advanceAll } from "./cli/advance.ts";
import { parseArguments } from "./cli/arguments.ts";
import { backUp } from "./cli/backup.ts";
import { bench } from "./cli/bench.ts";
import { type ClusterAction, operateCluster } from "./cli/cluster.ts";
import { helpText } from "./cli/help.ts";
import { acceptCopy } from "./cli/home.ts";
import { importDispensers } from "./cli/import.ts";
import { initialize } from "./cli/init.ts";
import { health, info } from "./cli/inspect.ts";
import { repair } from "./cli/repair.ts";
import { restore } from "./cli/restore.ts";
import { Cluster } from "./cluster/cluster.ts";
import { allocationOf } from "./cluster/node/allocation.ts";
import { checkHome } from "./cluster/node/home.ts";
import { fingerprintOf, parseState } from "./cluster/node/state.ts";
import { Fenced } from "./cluster/stores/fenced.ts";
import { realClock } from "./cluster/stores/monotonic.ts";
import { openLeaseStore } from "./cluster/stores/open.ts";
import type { LeaseStore } from "./cluster/stores/store.ts";
import { UsageError } from "./config/file.ts";
import { loadConfig, unknownVariables } from "./config/load.ts";
import type { Config } from "./config/settings.ts";
import { toText } from "./dispenser/name.ts";
import { Engine } from "./engine/engine.ts";
import { leave } from "./platform/exit.ts";
import { notify, passedSockets } from "./platform/systemd.ts";
import { clearUnixSockets } from "./server/net/sockets.ts";
import { Server } from "./server/server.ts";
import { openSqliteStore } from "./storage/sqlite.ts";
import { DiskBroken, DiskUnavailable, DiskVanished } from "./storage/store.ts";

const EXIT_ENVIRONMENT = 1;
const EXIT_USAGE = 2;
/** The data is not where it was: whoever starts servers must not start this one again by itself. */
const EXIT_VANISHED = 78;

const COUNTS_EVERY_MS = 1000;
/** So often it is looked whether the database is still at its path: what is not is told within a second. */
const PATHS_EVERY_MS = 500;

/** The log names at most so many dispensers that lost numbers in a crash. */
const SKIPPED_SHOWN_MAX = 100;

async function run(): Promise<void> {
  const { command, operands, flags, topic } = parseArguments(process.argv.slice(2));
  if (command === "help") return say(helpText(topic));
  if (command === "version") return say(`${versionText}\n`);
  const config = loadConfig(flags, process.env);
  const [file] = operands;
  if (command === "backup") say(`${await backUp(file!, config, process.env)}\n`);
  else if (command === "restore") say(`${restore(file!, flags, config)}\n`);
  else if (command === "init") say(`${initialize(config.dataDir, config)}\n`);
  else if (command === "repair") say(`${repair(config.dataDir, flags, config)}\n`);
  else if (command === "accept-copy") say(`${acceptCopy(config.dataDir, config)}\n`);
  else if (command === "advance") say(`${advanceAll(flags, config)}\n`);
  else if (command === "health") {
    const { isWell, text } = await health(config, process.env, flags.has("json"));
    if (!isWell && !flags.has("json")) throw new CannotStart(text);
    say(`${text}\n`);
    if (!isWell) process.exitCode = EXIT_ENVIRONMENT;
  } else if (command === "info")
    say(`${await info(file, config, process.env, flags.has("json"))}\n`);
  else if (command === "bench")
    say(`${await bench(config.dataDir, flags, process.env, process.stderr)}\n`);
  else if (command === "import") say(`${await importDispensers(file, flags, config)}\n`);
  else if (command.startsWith("cluster ")) {
    const action = command.slice("cluster ".length) as ClusterAction;
    say(`${await operateCluster(action, operands, flags, config)}\n`);
  } else await serve({ ...config, ...passedSockets(process.env) });
}

function say(text: string): void {
  process.stdout.write(text);
}

async function serve(config: Config): Promise<void> {
  const startedAtMs = performance.now();
  const now = () => performance.now();
  const log = createLog(config.logLevel, config.logFormat, writeToStderr, () => new Date());
  const fatal = (error: unknown): never => {
    log.error(endingOf(error), faultOf(error));
    leave(statusOf(error));
  };
  process.on("uncaughtException", fatal);
  process.on("unhandledRejection", fatal);

  // Bun's client of PostgreSQL says so by itself that its LISTEN failed; the log says what became of the store.
  console.warn = (text: unknown) => log.debug("runtime", { warning: String(text) });
  const shared = config.store === "" ? undefined : openLeaseStore(config.store);
  await clearUnixSockets([...config.addr, ...config.tlsAddr]);
  const store = openSqliteStore(config.dataDir, config);
  const state = parseState(store.node);
  const allocation = allocationOf(config, state, store.size);
  const engine = new Engine(store, {
    allocation,
    limits: config,
    now,
    savesCounts: config.autoSave,
    onStaged: () => listener.scheduleTurn(),
  });

  const isCopy = shared === undefined && checkHome(store, config.node);
  const cluster = shared === undefined ? undefined : clusterOn(shared);

  function clusterOn(shared: LeaseStore): Cluster {
    return new Cluster({
      leaseStore: shared,
      engine,
      store,
      log,
      clock: realClock,
      identity: {
        unique: () => crypto.randomUUID(),
        // Several nodes may be on one machine.
        host: `${hostname()}:${config.dataDir}`,
        folderFingerprint: fingerprintOf(store.path),
      },
      membership: state.membership,
      mayFound: config.create,
      onFatal: fatal,
    });
  }

  const watching = setInterval(() => {
    try {
      store.checkPaths();
    } catch (error) {
      fatal(error);
    }
  }, PATHS_EVERY_MS);

  let isStopping = false;
  const stop = (reason: string): void => {
    if (isStopping) return;
    isStopping = true;
    // The clean close looks for itself.
    clearInterval(watching);
    log.info("stopping", { reason });
    notify("STOPPING=1");
    listener.stop().then(
      (skipped) => {
        log.info("stopped, all positions saved", { numbers_skipped: skipped });
        process.exit(0);
      },
      (error: unknown) => {
        const unsaved = "the clean close could not be saved: the next start takes it for a crash";
        log.error(error instanceof DiskVanished ? endingOf(error) : unsaved, faultOf(error));
        leave(statusOf(error));
      },
    );
  };
  const listener = new Server({
    config,
    engine,
    log,
    now,
    cluster,
    countsEveryMs: COUNTS_EVERY_MS,
    onShutdown: stop,
    onFatal: fatal,
  });
  if (store.crashed) logCrash(log, engine);
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop(signal));
  try {
    await cluster?.join();
    if (isStopping) return;
    listener.start();
    cluster?.follow();
  } catch (error) {
    // What the crash cost is told: it has to be on disk before the close makes it the past.
    engine.commit();
    engine.close();
    throw error;
  }
  // As in redis-server: the end of the terminal it was started from is not the server's.
  process.on("SIGHUP", () => {
    if (config.tlsAddr.length > 0) listener.reloadTls();
    else log.info("SIGHUP ignored");
  });
  for (const variable of unknownVariables(Object.keys(process.env))) {
    log.warning("environment variable is no setting, and ignored", { variable });
  }
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
  notify("READY=1");
  log.info("ready", {
    version,
    address: listener.addresses.join(","),
    data: config.dataDir,
    dispensers: engine.size,
    started_in_ms: Math.round(performance.now() - startedAtMs),
  });
}

function logCrash(log: Log, engine: Engine): void {
  const skipped = engine.skippedByCrash();
  for (const { name, numbers } of skipped.slice(0, SKIPPED_SHOWN_MAX)) {
    log.warning("numbers skipped", { dispenser: toText(name), numbers });
  }
  const numbers = skipped.reduce((sum, each) => sum + each.numbers, 0n);
  log.warning("recovered from a crash", { dispensers_that_skipped: skipped.length, numbers });
}

/** At once, so that the last line before an exit is written; a reader that left is no error. */
function writeToStderr(line: string): void {
  try {
    writeSync(2, `${line}\n`);
  } catch {
    // Nobody reads the log: the server goes on.
  }
}

/** What the log says as the server ends in the middle of its work. */
function endingOf(error: unknown): string {
  return error instanceof DiskVanished
    ? "stopped: no number leaves any more, and positions are not saved; find out what became of the data " +
        "before the next start"
    : "stopped: no number leaves any more; the next start recovers";
}

function statusOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT_USAGE;
  return error instanceof DiskVanished ? EXIT_VANISHED : EXIT_ENVIRONMENT;
}

/** What the log says of an error: its message where that is meant for the operator. */
function faultOf(error: unknown): { error: string } {
  const isForTheOperator = [DiskBroken, DiskUnavailable, Fenced];
  if (error instanceof Error && isForTheOperator.some((kind) => error instanceof kind)) {
    return { error: error.message };
  }
  return { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}

// No await out here: a binary with bytecode cannot have one.
run().catch((error: unknown) => {
  const isExpected = error instanceof UsageError || error instanceof CannotStart;
  const message = isExpected ? (error as Error).message.replace(/\s+/g, " ") : faultOf(error).error;
  writeToStderr(`number-dispenser: ${message}`);
  leave(statusOf(error));
});
