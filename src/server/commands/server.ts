/** The commands about the server as a whole: INFO, TIME, BACKUP and SHUTDOWN. */

import { isAbsolute } from "node:path";
import { notFound, quoted, reasonOf } from "../../base/errors.ts";
import { version } from "../../base/version.ts";
import type { Dispenser } from "../../dispenser/dispenser.ts";
import { toBytes, toText } from "../../dispenser/name.ts";
import { PathRefused, targetOf } from "../../storage/backup.ts";
import { DiskUnavailable } from "../../storage/store.ts";
import { type Call, type Command, waitFor, whenDone } from "./command.ts";
import { describe } from "./dispensers.ts";

/** The Redis whose protocol and replies this server follows: some clients look at the number. */
const REDIS_VERSION = "7.0.0";

/** The sections of the server's INFO, each as lines of field:value, in the order shown. */
const sections: Record<string, (call: Call) => Record<string, string | number>> = {
  Server: ({ server }) => ({
    redis_version: REDIS_VERSION,
    redis_mode: "standalone",
    number_dispenser_version: version,
    bun_version: Bun.version,
    os: `${process.platform} ${process.arch}`,
    process_id: process.pid,
    tcp_port: server.port,
    uptime_in_seconds: uptimeSeconds(server),
    uptime_in_days: Math.floor(uptimeSeconds(server) / 86_400),
  }),
  Clients: ({ server }) => ({
    connected_clients: server.sessions.size,
    maxclients: server.clientsMax,
    blocked_clients: server.counters.blocked,
  }),
  Memory: () => {
    const rss = process.memoryUsage.rss();
    return {
      used_memory: rss,
      used_memory_human: `${(rss / 2 ** 20).toFixed(2)}M`,
      used_memory_rss: rss,
    };
  },
  Persistence: ({ server }) => ({
    loading: 0,
    storage_status: server.storageTrouble === undefined ? "ok" : "unavailable",
    ...(server.storageTrouble !== undefined && { storage_error: server.storageTrouble }),
    storage_commits: server.counters.commits,
    replies_held_for_commits: server.counters.heldReplies,
  }),
  Stats: ({ server }) => ({
    total_connections_received: server.counters.connections,
    total_commands_processed: server.counters.commands,
    rejected_connections: server.counters.refusedConnections,
    total_net_input_bytes: server.counters.bytesIn,
    total_net_output_bytes: server.counters.bytesOut,
  }),
  CPU: () => {
    const { user, system } = process.cpuUsage();
    const seconds = (microseconds: number) => (microseconds / 1e6).toFixed(6);
    return { used_cpu_sys: seconds(system), used_cpu_user: seconds(user) };
  },
  Replication: () => ({ role: "master", connected_slaves: 0 }),
  // How many there are is not for who may use some names alone.
  Dispensers: ({ engine, session }): Record<string, number> =>
    session.user!.mayUseAll ? { dispensers: engine.size } : {},
  Cluster: ({ server: { catalog, config } }) => ({
    cluster_enabled: 0,
    ...(config.node !== "" && { cluster_place: config.node }),
    ...catalog.status,
  }),
  Keyspace: ({ engine, session }): Record<string, string> =>
    session.user!.mayUseAll ? { db0: `keys=${engine.size},expires=0,avg_ttl=0` } : {},
};

const allSections = ["all", "default", "everything"];

function uptimeSeconds(server: Call["server"]): number {
  return Math.floor((server.now() - server.startedAtMs) / 1000);
}

/** `isKnown`: the other nodes' store was asked for the name. */
function info(call: Call, isKnown = false): void {
  const { engine, server, session, replies, args } = call;
  const mayInspect = session.user!.refuse("info", "inspect", args) === undefined;
  // Who may not use the name of a section gets the section, whether or not there is such a dispenser.
  if (args.length === 1 && mayInspect) {
    const isName = !isKnown && !session.isInTransaction && !isSection(args[0]!);
    const demand = new Map([[args[0]!, 0]]);
    const waits = isName ? server.catalog.prepare(demand, false) : undefined;
    if (waits !== undefined) return whenDone(call, waits, () => info(call, true));
    const dispenser = engine.find(args[0]!);
    const dependsOn = engine.dependsOn(args[0]!, dispenser);
    if (dispenser !== undefined) {
      waitFor(session, dependsOn);
      return describeTo(call, dispenser);
    }
    if (!isSection(args[0]!)) {
      waitFor(session, dependsOn);
      return replies.error(notFound.message);
    }
  }
  waitFor(session, engine.dependsOnNames());
  const wanted = args.map((name) => name.toLowerCase());
  const every = wanted.length === 0 || allSections.some((name) => wanted.includes(name));
  const shown = Object.entries(sections)
    .filter(([title]) => every || wanted.includes(title.toLowerCase()))
    .map(([title, figures]) => {
      const lines = Object.entries(figures(call)).map(([field, value]) => `${field}:${value}\r\n`);
      return `# ${title}\r\n${lines.join("")}`;
    });
  replies.verbatim(shown.join("\r\n"));
}

/** In a cluster with what all nodes did; in a transaction, which cannot wait for them, without. */
function describeTo(call: Call, dispenser: Dispenser): void {
  const { engine, server, session, replies } = call;
  whenDone(call, session.isInTransaction ? {} : server.catalog.describe(dispenser), (more) => {
    waitFor(session, engine.dependsOn(dispenser.name, dispenser));
    replies.verbatim(describe(dispenser, more));
  });
}

function isSection(name: string): boolean {
  const lower = name.toLowerCase();
  const titles = Object.keys(sections).map((title) => title.toLowerCase());
  return allSections.includes(lower) || titles.includes(lower);
}

/** Why a client may not do what only who owns the server may. */
function notTheOwner({ server, session }: Call, command: string): string | undefined {
  // Whoever logged in has shown a password; the right was asked for already.
  if (session.isLocal || server.access.anonymous === undefined) return undefined;
  return `NOPERM ${command} is only for clients on the server's machine while no password is set`;
}

function backUp(call: Call): void {
  const { engine, server, session, replies, args } = call;
  const refusal = notTheOwner(call, "BACKUP");
  if (refusal !== undefined) return replies.error(refusal);
  const path = toText(args[0]!);
  if (!isAbsolute(path) || path.includes("\0") || toBytes(path) !== args[0]) {
    return replies.error(`ERR BACKUP needs an absolute path in UTF-8, not ${quoted(args[0]!)}`);
  }
  const copy = async () => {
    // What was staged before this command is committed at the end of its turn.
    await new Promise((resolve) => void setImmediate(resolve));
    try {
      await engine.backUp(targetOf(path, server.config.backupDir));
      return () => replies.simple("OK");
    } catch (error) {
      if (!isOfTheBackup(error)) throw error;
      return () => replies.error(`ERR cannot back up to ${quoted(args[0]!)}: ${reasonOf(error)}`);
    }
  };
  session.block(copy());
}

/** Whether it only says that this backup cannot be: whatever the file system says does. */
function isOfTheBackup(error: unknown): boolean {
  if (error instanceof DiskUnavailable || error instanceof PathRefused) return true;
  // ENOSPC, EACCES …, and ERR_… where Bun has a name of its own.
  return String((error as NodeJS.ErrnoException).code).startsWith("E");
}

function shutDown(call: Call): void {
  const { server, session, replies, args } = call;
  const refusal = notTheOwner(call, "SHUTDOWN");
  if (refusal !== undefined) return replies.error(refusal);
  if (args.length > 1 || (args.length === 1 && args[0]!.toLowerCase() !== "save")) {
    return replies.error("ERR syntax error: SHUTDOWN takes only SAVE; positions are always saved");
  }
  // As in Redis there is no reply: the connection ends with the server.
  server.shutdown(`SHUTDOWN from ${session.address}`);
}

export const serverCommands: readonly Command[] = [
  {
    name: "info",
    arity: -1,
    flags: ["loading", "stale"],
    keys: [0, 0],
    group: "server",
    needsMore: ([word, ...others]) =>
      word === undefined || others.length > 0 || isSection(word)
        ? undefined
        : { what: "info", right: "inspect", names: [word] },
    summary: "Shows a dispenser's figures, or the server's sections",
    run: (call) => info(call),
  },
  {
    name: "time",
    arity: 1,
    flags: ["fast", "loading", "stale"],
    keys: [0, 0],
    group: "server",
    summary: "Shows the server's clock: seconds and microseconds",
    run: ({ replies }) => {
      const microseconds = Math.floor((performance.timeOrigin + performance.now()) * 1000);
      replies.array(2);
      replies.bulk(String(Math.floor(microseconds / 1_000_000)));
      replies.bulk(String(microseconds % 1_000_000));
    },
  },
  {
    name: "backup",
    arity: 2,
    flags: ["admin", "noscript", "no_multi"],
    keys: [0, 0],
    group: "server",
    right: "admin",
    summary: "Copies the database to a new file, which restore takes",
    run: backUp,
  },
  {
    name: "shutdown",
    arity: -1,
    flags: ["admin", "noscript", "loading", "stale", "no_multi"],
    keys: [0, 0],
    group: "server",
    right: "admin",
    summary: "Saves positions and stops the server",
    run: shutDown,
  },
];
