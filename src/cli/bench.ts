/** `number-dispenser bench`: measures this machine and its disk with a server of its own. */

import {
  closeSync,
  existsSync,
  fdatasyncSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeSync,
} from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { RedisClient } from "bun";
import { CannotStart, reasonOf } from "../base/errors.ts";
import { versionText } from "../base/version.ts";
import { strategyNames } from "../dispenser/strategy.ts";
import type { Environment } from "./connection.ts";
import { infoFields } from "./inspect.ts";
import { load } from "./load.ts";
import { OwnServer } from "./own-server.ts";
import { secondsIn } from "./seconds.ts";

const CONNECTIONS = 50;
const DEPTHS = [1, 16, 64];
const SYNCS_MS = 500;
const SYNC_BYTES = 4096;
const BAR_WIDTH = 30;

/** One load and its result. */
interface Measured {
  readonly strategy: string;
  readonly depth: number;
  readonly numbers_per_second: number;
  /** Numbers per second of the server's CPU time. */
  readonly numbers_per_cpu_second: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
}

/**
 * Measures, shows progress on `progress`, and answers a summary or JSON. Throws CannotStart and
 * UsageError.
 */
export async function bench(
  dataDir: string,
  flags: ReadonlyMap<string, string>,
  environment: Environment,
  progress: NodeJS.WriteStream,
): Promise<string> {
  const seconds = secondsIn(flags, "seconds", 1);
  const folder = makeFolder(dataDir);
  let server: OwnServer | undefined;
  const isOver = endAtSignals(() => {
    server?.kill();
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  });
  try {
    const syncs = syncsPerSecond(folder);
    server = new OwnServer(folder, environment);
    const measured = await measureAll(server, seconds, progress);
    return flags.has("json")
      ? JSON.stringify({ version: versionText, syncs_per_second: syncs, loads: measured })
      : summaryOf(measured, syncs);
  } finally {
    isOver();
    await server?.end();
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Cleans up if a signal ends the program. Answers a function that takes this back. */
function endAtSignals(cleanUp: () => void): () => void {
  const handlers = (["SIGINT", "SIGTERM", "SIGHUP"] as const).map((signal) => {
    const handler = () => {
      cleanUp();
      // Ends the process by the same signal, as it would have ended without this handler.
      process.removeListener(signal, handler);
      process.kill(process.pid, signal);
    };
    process.on(signal, handler);
    return () => process.removeListener(signal, handler);
  });
  return () => {
    for (const remove of handlers) remove();
  };
}

/** Makes a folder on the disk of the data folder: in it, or where it would be made. */
function makeFolder(dataDir: string): string {
  let place = dataDir;
  while (!existsSync(place)) place = dirname(place);
  try {
    return mkdtempSync(join(place, ".bench-"));
  } catch (error) {
    throw new CannotStart(`cannot make a folder in ${place}: ${reasonOf(error)}`);
  }
}

/** Measures how many times a second the disk writes and syncs a block. */
function syncsPerSecond(folder: string): number {
  const file = openSync(join(folder, "syncs"), "w");
  const block = Buffer.alloc(SYNC_BYTES, 1);
  const began = performance.now();
  let syncs = 0;
  while (performance.now() - began < SYNCS_MS) {
    writeSync(file, block);
    fdatasyncSync(file);
    syncs++;
  }
  closeSync(file);
  return Math.round((syncs * 1000) / (performance.now() - began));
}

async function measureAll(
  server: OwnServer,
  seconds: number,
  progress: NodeJS.WriteStream,
): Promise<Measured[]> {
  const port = await server.ready();
  const client = new RedisClient(`redis://127.0.0.1:${port}`, { autoReconnect: false });
  const kinds = [
    ...strategyNames.map((strategy) => ({ strategy: strategy as string, type: 3 })),
    { strategy: "random", type: 1 },
  ];
  const loads = kinds.flatMap((kind) => DEPTHS.map((depth) => ({ ...kind, depth })));
  const measured: Measured[] = [];
  for (const [index, { strategy, type, depth }] of loads.entries()) {
    showProgress(progress, index / loads.length, `${strategy}, ${depth} deep`);
    const name = `${strategy}_${depth}`;
    const fields = type === 1 ? ["length", "18"] : ["auto_disk", strategy];
    await client.send("HSET", [name, "type", String(type), ...fields]);
    const cpuBefore = await cpuSeconds(client);
    const result = await load({ port, name, connections: CONNECTIONS, depth, seconds });
    const cpu = (await cpuSeconds(client)) - cpuBefore;
    const generated = Number((await infoOf(client, name)).generated);
    if (generated !== result.numbers) {
      throw new CannotStart(`${result.numbers} numbers came, but ${name} counts ${generated}`);
    }
    const at = (share: number) =>
      round(result.waitsMs[Math.floor(share * (result.waitsMs.length - 1))]!, 2);
    measured.push({
      strategy,
      depth,
      numbers_per_second: round(result.numbers / result.seconds, 0),
      numbers_per_cpu_second: round(result.numbers / cpu, 0),
      p50_ms: at(0.5),
      p99_ms: at(0.99),
    });
  }
  client.close();
  showProgress(progress, 1, "");
  return measured;
}

async function infoOf(client: RedisClient, section: string): Promise<Record<string, string>> {
  return infoFields(await client.send("INFO", [section]));
}

async function cpuSeconds(client: RedisClient): Promise<number> {
  const { used_cpu_user, used_cpu_sys } = await infoOf(client, "CPU");
  return Number(used_cpu_user) + Number(used_cpu_sys);
}

const round = (value: number, digits: number) => Number(value.toFixed(digits));

/** Shows a progress bar on a terminal, and nothing elsewhere. */
function showProgress(stream: NodeJS.WriteStream, share: number, what: string): void {
  if (!stream.isTTY) return;
  const filled = Math.round(share * BAR_WIDTH);
  const bar = "#".repeat(filled) + ".".repeat(BAR_WIDTH - filled);
  const shown = share === 1 ? "" : `[${bar}] ${Math.round(share * 100)} %  ${what}`;
  stream.write(`\r\x1b[K${shown}`);
}

function summaryOf(measured: readonly Measured[], syncs: number): string {
  const head = [
    versionText,
    `${process.platform} ${process.arch}, ${availableParallelism()} cores, ${syncs} syncs a second on the disk of the data folder`,
    `${CONNECTIONS} clients on this machine, which share its cores with the server; numbers a second, and`,
    "how many milliseconds a batch of that depth took (median, 99 of 100):",
    "",
  ];
  const cell = (text: string) => text.padStart(24);
  const titles = DEPTHS.map((depth) => cell(`${depth} deep`)).join("");
  const names = [...new Set(measured.map(({ strategy }) => strategy))];
  const rows = names.map((name) => {
    const cells = measured
      .filter(({ strategy }) => strategy === name)
      .map(({ numbers_per_second, p50_ms, p99_ms }) =>
        cell(`${numbers_per_second.toLocaleString("en")} (${p50_ms}, ${p99_ms})`),
      );
    return name.padEnd(15) + cells.join("");
  });
  return [...head, "".padEnd(15) + titles, ...rows].join("\n");
}
