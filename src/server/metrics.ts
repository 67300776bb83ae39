/**
 * The list of everything that INFO shows, by sections and fields. An entry that is a number has a
 * name by which it can be collected. A new metric is an entry here; a new counter is also a field
 * of Counters, which the code that counts increments.
 */

import { redisVersion, version } from "../base/version.ts";
import type { Engine } from "../engine/engine.ts";
import type { ServerForCommands } from "./commands/command.ts";

/** The source of the metrics for one INFO. It asks the process for each figure once at most. */
export class MetricSource {
  readonly server: ServerForCommands;
  readonly engine: Engine;
  /** Whether the user may use every name; only such a user is told how many dispensers exist. */
  readonly seesAllNames: boolean;
  private residentBytes: number | undefined;
  private cpuUsage: NodeJS.CpuUsage | undefined;

  constructor(server: ServerForCommands, engine: Engine, seesAllNames: boolean) {
    this.server = server;
    this.engine = engine;
    this.seesAllNames = seesAllNames;
  }

  get memoryBytes(): number {
    this.residentBytes ??= process.memoryUsage.rss();
    return this.residentBytes;
  }

  get cpu(): NodeJS.CpuUsage {
    this.cpuUsage ??= process.cpuUsage();
    return this.cpuUsage;
  }
}

/** A field of INFO that is not collected: a text, a constant, or another form of a metric. */
export interface Field {
  readonly section: string;
  readonly field: string;
  /** Undefined if the field does not apply; INFO then leaves it out. */
  read(source: MetricSource): string | number | undefined;
}

/** A field of INFO that is a number to collect, named in the style of Prometheus. */
export interface Metric extends Field {
  readonly name: `number_dispenser_${string}`;
  readonly help: string;
  /** A counter only rises, until the server restarts or CONFIG RESETSTAT sets it to 0. */
  readonly kind: "counter" | "gauge";
  read(source: MetricSource): number | undefined;
  /** Formats the value for INFO; without it, INFO shows the number itself. */
  readonly show?: (value: number) => string;
}

const uptimeSeconds = ({ server }: MetricSource) =>
  Math.floor((server.now() - server.startedAtMs) / 1000);
const statusText = (isUp: number) => (isUp === 1 ? "ok" : "unavailable");
const toMicroseconds = (seconds: number) => seconds.toFixed(6);

/** In the order in which INFO shows them. */
export const metrics: readonly (Metric | Field)[] = [
  { section: "Server", field: "redis_version", read: () => redisVersion },
  { section: "Server", field: "redis_mode", read: () => "standalone" },
  { section: "Server", field: "server_name", read: () => "number-dispenser" },
  { section: "Server", field: "number_dispenser_version", read: () => version },
  { section: "Server", field: "bun_version", read: () => Bun.version },
  { section: "Server", field: "os", read: () => `${process.platform} ${process.arch}` },
  { section: "Server", field: "process_id", read: () => process.pid },
  { section: "Server", field: "tcp_port", read: ({ server }) => server.port },
  {
    section: "Server",
    field: "uptime_in_seconds",
    name: "number_dispenser_uptime_seconds",
    help: "Seconds since the server was started",
    kind: "gauge",
    read: uptimeSeconds,
  },
  {
    section: "Server",
    field: "uptime_in_days",
    read: (source) => Math.floor(uptimeSeconds(source) / 86_400),
  },
  {
    section: "Clients",
    field: "connected_clients",
    name: "number_dispenser_connected_clients",
    help: "Clients that are connected now",
    kind: "gauge",
    read: ({ server }) => server.sessions.size,
  },
  {
    section: "Clients",
    field: "maxclients",
    name: "number_dispenser_clients_max",
    help: "Clients that may be connected at a time",
    kind: "gauge",
    read: ({ server }) => server.clientsMax,
  },
  {
    section: "Clients",
    field: "clients_full",
    name: "number_dispenser_clients_full",
    help: "Whether new clients are refused because there is no place: 1 or 0",
    kind: "gauge",
    read: ({ server }) => Number(server.isFull),
  },
  {
    section: "Clients",
    field: "blocked_clients",
    name: "number_dispenser_blocked_clients",
    help: "Clients that wait now for work that takes longer than a turn",
    kind: "gauge",
    read: ({ server }) => server.counters.blocked,
  },
  { section: "Memory", field: "used_memory", read: ({ memoryBytes }) => memoryBytes },
  {
    section: "Memory",
    field: "used_memory_human",
    read: ({ memoryBytes }) => `${(memoryBytes / 2 ** 20).toFixed(2)}M`,
  },
  {
    section: "Memory",
    field: "used_memory_rss",
    name: "number_dispenser_resident_memory_bytes",
    help: "Memory of the process that is in RAM",
    kind: "gauge",
    read: ({ memoryBytes }) => memoryBytes,
  },
  { section: "Persistence", field: "loading", read: () => 0 },
  {
    section: "Persistence",
    field: "storage_status",
    name: "number_dispenser_storage_up",
    help: "Whether the last commit succeeded: 1 or 0",
    kind: "gauge",
    read: ({ server }) => Number(server.storageTrouble === undefined),
    show: statusText,
  },
  { section: "Persistence", field: "storage_error", read: ({ server }) => server.storageTrouble },
  {
    section: "Persistence",
    field: "storage_commits",
    name: "number_dispenser_storage_commits_total",
    help: "Commits that succeeded",
    kind: "counter",
    read: ({ server }) => server.counters.commits,
  },
  {
    section: "Persistence",
    field: "replies_held_for_commits",
    name: "number_dispenser_held_replies_total",
    help: "Replies that waited for a commit",
    kind: "counter",
    read: ({ server }) => server.counters.heldReplies,
  },
  {
    section: "Stats",
    field: "total_connections_received",
    name: "number_dispenser_connections_total",
    help: "Clients that were let in",
    kind: "counter",
    read: ({ server }) => server.counters.connections,
  },
  {
    section: "Stats",
    field: "total_commands_processed",
    name: "number_dispenser_commands_total",
    help: "Commands that were run or refused",
    kind: "counter",
    read: ({ server }) => server.counters.commands,
  },
  {
    section: "Stats",
    field: "rejected_connections",
    name: "number_dispenser_refused_connections_total",
    help: "Clients that were not let in",
    kind: "counter",
    read: ({ server }) => server.counters.refusedConnections,
  },
  {
    section: "Stats",
    field: "total_net_input_bytes",
    name: "number_dispenser_received_bytes_total",
    help: "Bytes that clients sent",
    kind: "counter",
    read: ({ server }) => server.counters.bytesIn,
  },
  {
    section: "Stats",
    field: "total_net_output_bytes",
    name: "number_dispenser_sent_bytes_total",
    help: "Bytes that clients were sent",
    kind: "counter",
    read: ({ server }) => server.counters.bytesOut,
  },
  {
    section: "CPU",
    field: "used_cpu_sys",
    name: "number_dispenser_cpu_system_seconds_total",
    help: "Processor time that the kernel spent for the process",
    kind: "counter",
    read: ({ cpu }) => cpu.system / 1e6,
    show: toMicroseconds,
  },
  {
    section: "CPU",
    field: "used_cpu_user",
    name: "number_dispenser_cpu_user_seconds_total",
    help: "Processor time that the process itself spent",
    kind: "counter",
    read: ({ cpu }) => cpu.user / 1e6,
    show: toMicroseconds,
  },
  { section: "Replication", field: "role", read: () => "master" },
  { section: "Replication", field: "connected_slaves", read: () => 0 },
  {
    section: "Dispensers",
    field: "dispensers",
    name: "number_dispenser_dispensers",
    help: "Dispensers that there are",
    kind: "gauge",
    read: ({ engine, seesAllNames }) => (seesAllNames ? engine.size : undefined),
  },
  { section: "Cluster", field: "cluster_enabled", read: () => 0 },
  {
    section: "Cluster",
    field: "cluster_place",
    read: ({ server }) => (server.config.node === "" ? undefined : server.config.node),
  },
  { section: "Cluster", field: "cluster_node", read: ({ server }) => server.catalog.sharing?.node },
  {
    section: "Cluster",
    field: "cluster_store",
    read: ({ server }) => server.catalog.sharing?.store,
  },
  {
    section: "Cluster",
    field: "cluster_store_status",
    name: "number_dispenser_lease_store_up",
    help: "Whether the lease store can be used: 1 or 0",
    kind: "gauge",
    read: ({ server: { catalog } }) =>
      catalog.sharing && Number(catalog.sharing.trouble === undefined),
    show: statusText,
  },
  {
    section: "Cluster",
    field: "cluster_store_error",
    read: ({ server }) => server.catalog.sharing?.trouble,
  },
  {
    section: "Cluster",
    field: "cluster_store_warning",
    read: ({ server }) => server.catalog.sharing?.warning,
  },
  {
    section: "Keyspace",
    field: "db0",
    read: ({ engine, seesAllNames }) =>
      seesAllNames ? `keys=${engine.size},expires=0,avg_ttl=0` : undefined,
  },
];

/** Sections with a line for each command, or each code of an error, that there was. */
const lists: Readonly<Record<string, (source: MetricSource) => string[]>> = {
  Commandstats: ({ server }) =>
    [...server.commandStats.byCommand]
      .filter(([, { calls, rejected }]) => calls + rejected > 0)
      .map(([name, { calls, microseconds, rejected, failed }]) => {
        const usec = Math.round(microseconds);
        const each = (calls === 0 ? 0 : microseconds / calls).toFixed(2);
        return `cmdstat_${name}:calls=${calls},usec=${usec},usec_per_call=${each},rejected_calls=${rejected},failed_calls=${failed}`;
      }),
  Errorstats: ({ server }) =>
    [...server.commandStats.errors].map(([code, count]) => `errorstat_${code}:count=${count}`),
};
/** As in Redis, INFO without a word leaves it out. */
const NOT_BY_DEFAULT = "Commandstats";

/** The sections of INFO, in the order in which it shows them. */
export const sectionTitles: readonly string[] = [
  ...new Set(metrics.map(({ section }) => section)),
  ...Object.keys(lists),
];
/** Words that stand for all sections. */
const EVERY: readonly string[] = ["all", "default", "everything"];
/** Sections of Redis that are empty here: clients and exporters ask for them. */
const EMPTY: readonly string[] = ["modules", "latencystats", "sentinel", "debug", "threads"];
const sections = new Set([
  ...sectionTitles.map((title) => title.toLowerCase()),
  ...EVERY,
  ...EMPTY,
]);

/** Whether INFO with this word alone shows a section, of this server or of Redis. */
export function isInfoSection(word: string): boolean {
  return sections.has(word.toLowerCase());
}

/** The texts of the sections of these names, in lower case; of all if there are none. */
export function sectionsIn(wanted: ReadonlySet<string>, source: MetricSource): string[] {
  const isDefault = wanted.size === 0 || wanted.has("default");
  const isAll = wanted.has("all") || wanted.has("everything");
  return sectionTitles
    .filter((title) => {
      const isMeant = isAll || (isDefault && title !== NOT_BY_DEFAULT);
      return isMeant || wanted.has(title.toLowerCase());
    })
    .map((title) => sectionText(title, source));
}

/** The text of one section of INFO: its title, and a line for each field that applies. */
function sectionText(title: string, source: MetricSource): string {
  const lines = metrics
    .filter(({ section }) => section === title)
    .map((metric) => {
      const value = metric.read(source);
      if (value === undefined) return "";
      const isShown = "show" in metric && typeof value === "number";
      return `${metric.field}:${isShown ? metric.show!(value) : value}\r\n`;
    });
  const more = lists[title]?.(source).map((line) => `${line}\r\n`) ?? [];
  return `# ${title}\r\n${[...lines, ...more].join("")}`;
}
