/**
 * How long does a GET that needs no disk wait beside a line that syncs every number? One client,
 * one request at a time, measures a memory and a pre_close GET, alone and while 50 clients hammer
 * an elegant_close line; then the same on a disk whose every sync takes 5 ms more. redis-server
 * with appendfsync always is measured in the same run: PING and INCR beside a hammered INCR.
 *
 * bun run bench:isolation [-rounds 5] [-ms 1000] [-plain]
 *
 * Needs redis-benchmark. Skips redis-server, and the slow disk (strace, Linux), if they are
 * missing. The load, the measuring client and the server are three busy processes: on two cores the
 * client would wait for a core as well as for the server. So it runs at real-time priority if that
 * is allowed (chrt, root) and -plain is not given. With BENCH_SMALL=1, as in the tests, it runs one
 * short round.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Flags, isSmall } from "../support/flags.ts";
import { type Peer, startOurs, startRedis } from "./peers.ts";
import type { Probed } from "./probe.ts";

const CLIENTS = 50;
const SYNC_DELAY_MS = 5;
const P99_TARGET_MS = 1;
/** How long the load runs before each measurement, and on a new server before the first round. */
const LOAD_FIRST_MS = isSmall ? 50 : 300;
const WARM_UP_MS = isSmall ? 50 : 3000;

interface Round extends Probed {
  /** Requests per second of the load, in thousands; 0 without a load. */
  readonly load: number;
}

interface Row {
  readonly peer: string;
  readonly disk: string;
  readonly request: string;
  readonly load: string;
  readonly rounds: Round[];
}

const flags = new Flags(
  "bench:isolation",
  { rounds: isSmall ? "1" : "5", ms: isSmall ? "50" : "1000" },
  ["plain"],
);
const [rounds, ms] = [flags.count("rounds"), flags.count("ms")];
const isPlain = isSmall || flags.has("plain");

const folder = mkdtempSync(join(tmpdir(), "number-dispenser-isolation-"));

const slowSyncs = [
  ...["strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null"],
  ...["-e", "trace=fdatasync,fsync"],
  ...["-e", `inject=fdatasync,fsync:delay_exit=${SYNC_DELAY_MS * 1000}`],
];

const realTime = ["chrt", "-f", "1"];

/** Whether this machine has the program, and permits it to work. */
function works(prefix: readonly string[]): boolean {
  if (Bun.which(prefix[0]!) === null) return false;
  return Bun.spawnSync([...prefix, "true"]).exitCode === 0;
}

const probePrefix = !isPlain && works(realTime) ? realTime : [];

async function probe(port: number, words: readonly string[]): Promise<Probed> {
  const script = join(import.meta.dir, "probe.ts");
  const command = [...probePrefix, process.execPath, script, `${port}`, `${ms}`, ...words];
  const child = Bun.spawn(command, { stdout: "pipe" });
  const [text, status] = await Promise.all([child.stdout.text(), child.exited]);
  if (status !== 0) throw new Error("the measuring client failed");
  return JSON.parse(text);
}

async function hammering<T>({ port, hammered }: Peer, work: () => Promise<T>): Promise<T> {
  const load = Bun.spawn(
    [
      ...["redis-benchmark", "-p", `${port}`, "-c", `${CLIENTS}`, "-n", "2000000000", "-q"],
      ...hammered,
    ],
    { stdout: "ignore", stderr: "ignore" },
  );
  try {
    await Bun.sleep(LOAD_FIRST_MS);
    return await work();
  } finally {
    load.kill();
    await load.exited;
  }
}

async function probeAlone({ port }: Peer, words: readonly string[]): Promise<Round> {
  return { ...(await probe(port, words)), load: 0 };
}

function probeBeside(peer: Peer, words: readonly string[]): Promise<Round> {
  return hammering(peer, async () => {
    const [servedBefore, beganMs] = [await peer.served(), performance.now()];
    const probed = await probe(peer.port, words);
    const served = (await peer.served()) - servedBefore;
    return { ...probed, load: served / (performance.now() - beganMs) };
  });
}

/** Measures all peers in each round, so that a disturbance of the machine affects all of them. */
async function measure(disk: string, peers: readonly Peer[]): Promise<Row[]> {
  const rows = peers.flatMap((peer) =>
    peer.probes.flatMap((words) =>
      ["nothing", `${CLIENTS} clients, ${peer.hammered.join(" ")}`].map((load, index) => ({
        peer: peer.title,
        disk,
        request: words.join(" "),
        load,
        rounds: [] as Round[],
        measure: () => (index === 0 ? probeAlone(peer, words) : probeBeside(peer, words)),
      })),
    ),
  );
  for (const peer of peers) await hammering(peer, () => Bun.sleep(WARM_UP_MS));
  for (let round = 0; round < rounds; round++) {
    for (const row of rows) row.rounds.push(await row.measure());
  }
  return rows;
}

async function measureOn(disk: string, prefix: readonly string[]): Promise<Row[]> {
  const dir = mkdtempSync(join(folder, "disk-"));
  const peers = [await startOurs(prefix, dir)];
  if (Bun.which("redis-server") === null) console.log("redis-server is missing: skipped");
  else peers.push(await startRedis(prefix, dir));
  try {
    return await measure(disk, peers);
  } finally {
    for (const peer of peers) await peer.end();
  }
}

/** "0.31 (0.29-0.40)": the median over the rounds, and their range. */
function spread(row: Row, figure: "p50" | "p99" | "max" | "load"): string {
  const values = row.rounds.map((probed) => probed[figure]).sort((a, b) => a - b);
  const [least, middle, most] = [values[0]!, values[values.length >> 1]!, values.at(-1)!];
  return `${middle.toFixed(2)} (${least.toFixed(2)}-${most.toFixed(2)})`;
}

function report(rows: readonly Row[]): void {
  const priority = probePrefix === realTime ? "real-time" : "normal";
  console.log(`\n${rounds} rounds of ${ms} ms, the measuring client at ${priority} priority`);
  console.log("times in ms: median (least-most of the rounds)\n");
  const heads = ["server", "disk", "request", "beside", "load, k/s", "p50", "p99", "longest"];
  console.log(`| ${heads.join(" | ")} |\n|${" --- |".repeat(heads.length)}`);
  for (const row of rows) {
    const figures = (["load", "p50", "p99", "max"] as const).map((figure) => spread(row, figure));
    console.log(`| ${[row.peer, row.disk, row.request, row.load, ...figures].join(" | ")} |`);
  }
  for (const { rounds, request, disk, peer, load } of rows) {
    if (!peer.startsWith("Number") || disk !== "this" || load === "nothing") continue;
    const met = rounds.filter(({ p99 }) => p99 < P99_TARGET_MS).length;
    console.log(`\n${request}: p99 below ${P99_TARGET_MS} ms in ${met} of ${rounds.length} rounds`);
  }
}

if (Bun.which("redis-benchmark") === null) {
  console.error("The bench needs redis-benchmark (Debian: apt-get install redis-tools).");
  process.exit(1);
}
try {
  const rows = await measureOn("this", []);
  if (works(slowSyncs))
    rows.push(...(await measureOn(`syncs ${SYNC_DELAY_MS} ms slower`, slowSyncs)));
  else console.log("strace cannot trace here: the slow disk is skipped");
  report(rows);
} finally {
  rmSync(folder, { recursive: true });
}
