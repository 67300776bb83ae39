/**
 * Is a GET here as fast as INCR of redis-server, and is a pre mode as fast as memory? Drives both
 * servers with redis-benchmark in turn, in several rounds of one run, and prints medians and
 * ratios with the range over the rounds.
 *
 * bun run bench:compare [-rounds 5] [-requests 200000] [-clients 50]
 *
 * Needs redis-server and redis-benchmark. The servers' own cost is counted as requests per second
 * of CPU time (/proc/PID/stat, Linux), because the load generator shares the machine's cores.
 */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { strategyNames } from "../src/dispenser/strategy.ts";

const { values } = readFlags();

function readFlags() {
  try {
    return parseFlags();
  } catch (error) {
    console.error(`${(error as Error).message}`);
    console.error("usage: bun run bench:compare [-rounds 5] [-requests 200000] [-clients 50]");
    process.exit(2);
  }
}

function parseFlags() {
  return parseArgs({
    args: process.argv.slice(2).map((word) => word.replace(/^-(?=[a-z])/, "--")),
    options: {
      rounds: { type: "string", default: "5" },
      requests: { type: "string", default: "200000" },
      clients: { type: "string", default: "50" },
    },
  });
}
const [rounds, requests] = [count("rounds"), count("requests")];
count("clients");

function count(name: keyof typeof values): number {
  if (/^[1-9][0-9]{0,8}$/.test(values[name])) return Number(values[name]);
  console.error(`-${name} must be a whole number from 1 on, not '${values[name]}'`);
  process.exit(2);
}
const DEPTHS = [1, 16];
const IN_MEMORY = "redis INCR, in memory";
const ALWAYS = "redis INCR, appendfsync always";
const TICKS_PER_SECOND = 100;

for (const tool of ["redis-server", "redis-benchmark", "redis-cli"]) {
  if (Bun.which(tool) === null) {
    console.error(
      `The comparison needs ${tool} (Debian: apt-get install redis-server redis-tools).`,
    );
    process.exit(1);
  }
}

const folder = mkdtempSync(join(tmpdir(), "number-dispenser-compare-"));

interface Server {
  readonly port: number;
  readonly child: Bun.Subprocess;
}

const running: Server[] = [];

async function startServer(port: number, ...command: string[]): Promise<Server> {
  const child = Bun.spawn(command, { stdout: "ignore", stderr: "ignore", cwd: folder });
  const server = { port, child };
  running.push(server);
  for (let attempt = 0; attempt < 200; attempt++) {
    if (redisCli(port, "PING") === "PONG") return server;
    await Bun.sleep(20);
  }
  throw new Error(`${command[0]} does not answer on port ${port}`);
}

function redisCli(port: number, ...words: string[]): string {
  return Bun.spawnSync(["redis-cli", "-p", String(port), ...words])
    .stdout.toString()
    .trim();
}

/** A port that was free a moment ago. */
function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}

function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

interface Measured {
  readonly perSecond: number;
  readonly perCpuSecond: number;
}

function measure({ port, child }: Server, depth: number, words: readonly string[]): Measured {
  const count = requests * (depth > 1 ? 5 : 1);
  const before = cpuSeconds(child.pid);
  const { stdout, stderr } = Bun.spawnSync([
    "redis-benchmark",
    ...[
      "-p",
      String(port),
      "-c",
      values.clients,
      "-n",
      String(count),
      "-P",
      String(depth),
      "--csv",
    ],
    ...words,
  ]);
  if (stderr.length > 0) throw new Error(`redis-benchmark: ${stderr}`);
  const row = stdout.toString().trim().split("\n").at(-1)!;
  const perSecond = Number(row.split(",")[1]!.replaceAll('"', ""));
  return { perSecond, perCpuSecond: count / (cpuSeconds(child.pid) - before) };
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!;
const thousands = (value: number) => `${(value / 1000).toFixed(1)}k`;

/** "1.02 (0.98-1.05)": the median of ratios round by round, and their range. */
function ratio(ours: number[], theirs: number[]): string {
  const ratios = ours.map((value, round) => value / theirs[round]!).sort((a, b) => a - b);
  const [least, most] = [ratios[0]!, ratios.at(-1)!];
  return `${median(ratios).toFixed(2)} (${least.toFixed(2)}-${most.toFixed(2)})`;
}

async function startAll() {
  const port = freePort();
  const main = resolve(import.meta.dir, "../src/main.ts");
  const where = ["-addr", `127.0.0.1:${port}`, "-data", join(folder, "data")];
  const ours = await startServer(port, process.execPath, main, ...where);
  for (const name of strategyNames) redisCli(port, "HSET", name, "type", "3", "auto_disk", name);
  redisCli(port, "HSET", "random", "type", "1", "length", "12");
  const startRedis = (...flags: string[]) => {
    const redisPort = freePort();
    return startServer(redisPort, "redis-server", "--port", `${redisPort}`, "--save", "", ...flags);
  };
  const redis = await startRedis();
  const redisAlways = await startRedis("--appendonly", "yes", "--appendfsync", "always");
  return [
    { title: IN_MEMORY, server: redis, words: ["incr", "x"] },
    { title: ALWAYS, server: redisAlways, words: ["incr", "x"] },
    ...[...strategyNames, "random"].map((name) => ({
      title: `GET, ${name}`,
      server: ours,
      words: ["get", name],
    })),
  ];
}

async function compare(): Promise<void> {
  const works = await startAll();
  for (const depth of DEPTHS) {
    const measured = new Map<string, Measured[]>(works.map(({ title }) => [title, []]));
    // One round of each to warm up, which does not count.
    for (let round = -1; round < rounds; round++) {
      for (const { title, server, words } of works) {
        const figures = measure(server, depth, words);
        if (round >= 0) measured.get(title)!.push(figures);
      }
    }
    report(depth, measured);
  }
}

function report(depth: number, measured: ReadonlyMap<string, readonly Measured[]>): void {
  const of = (title: string, figure: keyof Measured) =>
    measured.get(title)!.map((each) => each[figure]);
  console.log(
    `\n${values.clients} clients, ${depth} deep, ${rounds} rounds: median, ratio (range)\n`,
  );
  const heads = ["work", "requests/s", "÷ redis in memory", "÷ redis always", "÷ memory"];
  heads.push("per CPU-second: ÷ redis in memory", "÷ memory");
  console.log(`| ${heads.join(" | ")} |\n|${" --- |".repeat(heads.length)}`);
  for (const title of measured.keys()) {
    const rate = of(title, "perSecond");
    const perCpu = of(title, "perCpuSecond");
    const cells = [
      title,
      thousands(median([...rate])),
      ratio(rate, of(IN_MEMORY, "perSecond")),
      ratio(rate, of(ALWAYS, "perSecond")),
      ratio(rate, of("GET, memory", "perSecond")),
      ratio(perCpu, of(IN_MEMORY, "perCpuSecond")),
      ratio(perCpu, of("GET, memory", "perCpuSecond")),
    ];
    console.log(`| ${cells.join(" | ")} |`);
  }
}

try {
  await compare();
} finally {
  for (const { child } of running) {
    child.kill();
    await child.exited;
  }
  rmSync(folder, { recursive: true });
}
