/**
 * What does a lease cost a node, and how much load does the store get? It measures each strategy's
 * GET on a node that leases from PostgreSQL and on a node alone, in turn, in several rounds of one
 * run; two nodes side by side; and a hundred nodes with ten thousand lines in simulated time.
 *
 * bun run bench:cluster [-rounds 5] [-requests 300000] [-nodes 100] [-lines 10000] [-seconds 10]
 *
 * A run with all flags at their defaults writes its part of docs/CLUSTER.md.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLeaseStore } from "../../src/cluster/stores/open.ts";
import { NODE_PREFIX, readNode } from "../../src/cluster/stores/records.ts";
import { strategyNames } from "../../src/dispenser/strategy.ts";
import { temporaryRoot } from "../../testkit/folder.ts";
import { findPostgres, PostgresServer } from "../../testkit/postgres.ts";
import { ratios, short, spreadOf, spreadText } from "../support/figures.ts";
import { Flags, isSmall, requireTools } from "../support/flags.ts";
import { type Load, type Measured, measureLoad } from "../support/load.ts";
import { describeMachine } from "../support/machine.ts";
import { docs, markdownTable, Report, whole, writeBetweenMarkers } from "../support/page.ts";
import {
  answering,
  freePort,
  fromSource,
  ourCommand,
  RunningServer,
  startOurs,
} from "../support/servers.ts";
import { simulateCrowd } from "./crowd.ts";

const flags = new Flags("bench:cluster", {
  rounds: isSmall ? "1" : "5",
  requests: isSmall ? "2000" : "400000",
  nodes: isSmall ? "3" : "100",
  lines: isSmall ? "20" : "10000",
  seconds: isSmall ? "1" : "10",
});
const rounds = flags.count("rounds");

requireTools("redis-benchmark");
const folder = mkdtempSync(join(tmpdir(), "number-dispenser-cluster-"));
const report = new Report();

const loadOf = (name: string): Load => ({
  ...{ clients: 50, depth: 16, names: 1 },
  requests: flags.count("requests"),
  words: ["get", name],
});

async function define(server: RunningServer): Promise<void> {
  const client = await answering(server.port);
  for (const name of strategyNames) {
    await client.command("HSET", name, "type", "3", "auto_disk", name);
  }
  client.close();
}

/** Answers how often the nodes of a store have leased. */
async function leasesOf(url: string): Promise<number> {
  const store = openLeaseStore(url);
  const { rows } = await store.list(NODE_PREFIX);
  await store.close();
  return [...rows.values()].reduce((sum, row) => sum + readNode(row)!.sequence, 0);
}

async function measureNode(url: string): Promise<void> {
  const alone = await startOurs(fromSource, join(folder, "alone"));
  const port = freePort();
  const command = [...ourCommand(fromSource, port, join(folder, "leasing")), "-store", url];
  const leasing = await RunningServer.start(command, port);
  try {
    await define(alone);
    await define(leasing);
    const rows: string[][] = [];
    for (const name of strategyNames) {
      const load = loadOf(name);
      // The first run is slower, and its leases are small, so it is not measured.
      for (const server of [alone, leasing]) await measureLoad(server, load);
      const measured: { alone: Measured[]; leasing: Measured[] } = { alone: [], leasing: [] };
      const before = await leasesOf(url);
      let seconds = 0;
      for (let round = 0; round < rounds; round++) {
        const order = round % 2 === 0 ? [0, 1] : [1, 0];
        for (const which of order) {
          const result = await measureLoad([alone, leasing][which]!, load);
          (which === 0 ? measured.alone : measured.leasing).push(result);
          if (which === 1) seconds += load.requests / result.perSecond;
        }
      }
      const leases = (await leasesOf(url)) - before;
      const spread = (of: (measured: Measured) => number) =>
        spreadText(spreadOf(ratios(measured.leasing.map(of), measured.alone.map(of))));
      rows.push([
        `\`${name}\``,
        short(spreadOf(measured.leasing.map(({ perSecond }) => perSecond)).middle),
        spread(({ perSecond }) => perSecond),
        spread(({ perCpuSecond }) => perCpuSecond),
        (leases / seconds).toFixed(1),
      ]);
    }
    const heads = [
      "strategy",
      "requests a second, leasing",
      "to a node alone",
      "for each CPU-second, to a node alone",
      "leases a second",
    ];
    report.add(
      "A leasing node beside a node alone, 50 clients, 16 deep",
      markdownTable(heads, rows),
    );
  } finally {
    await alone.end();
    await leasing.end();
  }
}

async function measureTwo(url: string): Promise<void> {
  const servers = await Promise.all(
    ["one", "two"].map((name) => {
      const port = freePort();
      const command = [...ourCommand(fromSource, port, join(folder, name)), "-store", url];
      return RunningServer.start(command, port);
    }),
  );
  try {
    const load = loadOf("pre_close");
    for (const server of servers) await measureLoad(server, load);
    const one: number[] = [];
    const both: number[] = [];
    for (let round = 0; round < rounds; round++) {
      one.push((await measureLoad(servers[0]!, load)).perSecond);
      const results = await Promise.all(servers.map((server) => measureLoad(server, load)));
      both.push(results.reduce((sum, { perSecond }) => sum + perSecond, 0));
    }
    const text = markdownTable(
      ["nodes at work", "requests a second, all together", "to one"],
      [
        ["1", short(spreadOf(one).middle), "1"],
        ["2", short(spreadOf(both).middle), spreadText(spreadOf(ratios(both, one)))],
      ],
    );
    report.add(
      "Two nodes on one line, side by side",
      `${text}\n\nBoth nodes, both loads and PostgreSQL share this machine's two cores.`,
    );
  } finally {
    for (const server of servers) await server.end();
  }
}

async function measureCrowd(): Promise<void> {
  const options = {
    nodes: flags.count("nodes"),
    lines: flags.count("lines"),
    busiest: 100,
    seconds: flags.count("seconds"),
  };
  const result = await simulateCrowd(options);
  const rows = [
    ["requests a second, all nodes", whole(Math.round(result.requestsPerSecond))],
    ["transactions that write, a second", whole(Math.round(result.writesPerSecond))],
    ["leases a second", whole(Math.round(result.leasesPerSecond))],
    ["reads a second", whole(Math.round(result.readsPerSecond))],
    ["writes that lost a race, a second", whole(Math.round(result.lostRaces))],
    ["numbers that were waited for", `${(100 * result.waited).toFixed(2)} %`],
  ];
  report.add(
    `${whole(options.nodes)} nodes, ${whole(options.lines)} lines, in simulated time`,
    `${markdownTable(["what the store sees", ""], rows)}\n\nOn each node the busiest line is asked ` +
      `${whole(options.busiest)} times a second, the r-th busiest an r-th of it; a call of the store takes 2 ms.`,
  );
}

try {
  if (findPostgres() === undefined) {
    console.log("PostgreSQL is not installed: only the simulation is run.");
  } else {
    const postgres = new PostgresServer();
    await postgres.start();
    await measureNode(postgres.url);
    await measureTwo(postgres.url);
    await postgres.stop();
  }
  await measureCrowd();
  report.add("Machine", describeMachine(folder));
  if (flags.areDefaults && !isSmall) {
    writeBetweenMarkers(join(docs, "CLUSTER.md"), "cluster", report.text);
  }
} finally {
  rmSync(folder, { recursive: true });
  rmSync(temporaryRoot, { recursive: true, force: true });
}
process.exit(0);
