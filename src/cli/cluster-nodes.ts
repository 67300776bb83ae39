/** `cluster nodes`: what is known of each node, as a table or in JSON. */

import { type Holdings, holdingsOf, type Node, nodesOf } from "../cluster/admin/nodes.ts";
import { realClock } from "../cluster/stores/monotonic.ts";
import type { LeaseStore } from "../cluster/stores/store.ts";

const UNKNOWN = "unknown";

const COLUMNS = [
  ...["node", "state", "alive", "last seen", "listens on", "holds", "version"],
  ...["started", "writes", "machine and folder"],
];

/** Answers the table. Throws LeaseStoreUnavailable. */
export async function listNodes(store: LeaseStore, isJson: boolean): Promise<string> {
  const [nodes, holdings] = await Promise.all([nodesOf(store, realClock), holdingsOf(store)]);
  const held = (name: string): Holdings => holdings.get(name) ?? { numbers: 0n, lines: 0 };
  if (isJson) return JSON.stringify(nodes.map((node) => jsonOf(node, held(node.name))));
  if (nodes.length === 0) return "no nodes";
  const rows = nodes.map((node) => cellsOf(node, held(node.name)));
  const lines = [COLUMNS, ...rows];
  const widths = COLUMNS.map((_, at) => Math.max(...lines.map((cells) => cells[at]!.length)));
  const table = lines.map((cells) =>
    cells
      .map((cell, at) => cell.padEnd(widths[at]!))
      .join("  ")
      .trimEnd(),
  );
  return [...table, ...notesOn(nodes)].join("\n");
}

function cellsOf(node: Node, { numbers, lines }: Holdings): string[] {
  const { name, record, life } = node;
  const alive = { alive: "yes", silent: "no answer", unknown: UNKNOWN, gone: "-" }[life.is];
  return [
    ...[name, record.state, alive, lastSeen(node), record.addresses?.join(",") ?? UNKNOWN],
    numbers === 0n ? "nothing" : `${numbers} numbers of ${lines} lines`,
    ...[record.version || UNKNOWN, `${record.generation} times`, String(record.sequence)],
    record.host,
  ];
}

function lastSeen({ life, wroteBeforeMs }: Node): string {
  if (life.is === "alive") return "now";
  return wroteBeforeMs === undefined ? UNKNOWN : `${durationOf(wroteBeforeMs)} ago`;
}

/** A time in its largest unit, rounded down. */
export function durationOf(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800
    ? `${Math.floor(seconds / 3600)} h`
    : `${Math.floor(seconds / 86_400)} d`;
}

/** What the table cannot say in a cell. */
function notesOn(nodes: readonly Node[]): string[] {
  const reasons = new Set(nodes.flatMap(({ life }) => (life.is === "unknown" ? life.reason : [])));
  const isByClock = nodes.some(
    ({ life, wroteBeforeMs }) => life.is !== "alive" && wroteBeforeMs !== undefined,
  );
  const byClock =
    "last seen: a node writes at least each 30 s; the time is that of its machine's clock against this one's";
  return [
    ...[...reasons].map((reason) => `alive unknown: ${reason}`),
    ...(isByClock ? [byClock] : []),
  ];
}

function jsonOf(node: Node, { numbers, lines }: Holdings): object {
  const { name, record, life, wroteBeforeMs } = node;
  const { state, host, version, addresses, generation, sequence } = record;
  const isAlive = { alive: true, silent: false, unknown: null, gone: false }[life.is];
  const seconds = wroteBeforeMs === undefined ? null : Math.floor(wroteBeforeMs / 1000);
  return {
    ...{ node: name, state, alive: isAlive, host, addresses: addresses ?? null },
    version: version === "" ? null : version,
    last_seen_seconds: life.is === "alive" ? 0 : seconds,
    last_seen_by: life.is === "alive" ? "answer" : seconds === null ? null : "clock of its machine",
    ...(life.is === "unknown" && { alive_unknown_because: life.reason }),
    ...{ numbers_held: Number(numbers), lines_held: lines },
    ...{ starts: generation, writes: sequence },
  };
}
