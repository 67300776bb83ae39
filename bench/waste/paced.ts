/**
 * Measures the real server under steady traffic over sockets, paced by a clock: its commits, and
 * its replies that waited for one, as INFO counts them.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ServerProcess } from "../../testkit/process.ts";
import { encodeRequest, TestClient } from "../../testkit/resp.ts";
import { type Arrivals, patterns } from "./arrivals.ts";
import { STEADY_FROM_MS, STEADY_FROM_NUMBER } from "./measure.ts";

export interface PacedFigures {
  readonly load: string;
  readonly strategy: string;
  /** GETs per second that were answered during the measurement. */
  readonly perSecond: number;
  readonly commitsPerSecond: number;
  /** The GETs that waited for a commit, and all GETs, from the 1,000th number on. */
  readonly held: number;
  readonly gets: number;
  /** How late the load itself was at worst; it then sent the overdue requests as one clump. */
  readonly lateMs: number | undefined;
}

/** How many clients send requests that come together. */
const CONNECTIONS = 10;
const BENCHMARK_CLIENTS = 50;
const NAME = "line";

interface Counters {
  readonly atMs: number;
  readonly commits: number;
  readonly held: number;
  readonly gets: number;
}

/** A server with one line, and the connections that load it. */
class Paced {
  readonly server: ServerProcess;
  private readonly client: TestClient;
  private readonly request = Buffer.from(encodeRequest("GET", NAME));
  private readonly sockets: Bun.Socket[] = [];
  private next = 0;

  private constructor(server: ServerProcess, client: TestClient) {
    this.server = server;
    this.client = client;
  }

  static async start(strategy: string, dataDir: string): Promise<Paced> {
    const server = await ServerProcess.start({ dataDir });
    const client = await TestClient.connect(server.port);
    await client.command("HSET", NAME, "type", "3", "auto_disk", strategy);
    const paced = new Paced(server, client);
    for (let index = 0; index < CONNECTIONS; index++) {
      const { port } = server;
      paced.sockets.push(await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } }));
    }
    return paced;
  }

  /** Sends the requests that are due until the time is up. Answers how late it was at worst. */
  async load(arrivals: Arrivals, forMs: number): Promise<number> {
    const beganMs = performance.now();
    let dueMs = arrivals();
    let lateMs = 0;
    while (dueMs < forMs) {
      const waitMs = dueMs - (performance.now() - beganMs);
      if (waitMs > 0) await Bun.sleep(waitMs);
      lateMs = Math.max(lateMs, performance.now() - beganMs - dueMs);
      for (const nowMs = performance.now() - beganMs; dueMs <= nowMs; dueMs = arrivals()) {
        this.sockets[this.next++ % CONNECTIONS]!.write(this.request);
      }
    }
    return lateMs;
  }

  async counters(): Promise<Counters> {
    const text = String(await this.client.command("INFO", "persistence"));
    const figure = (field: string) => Number(new RegExp(`^${field}:(\\d+)`, "m").exec(text)![1]);
    const { generated } = await this.client.info(NAME);
    return {
      atMs: performance.now(),
      commits: figure("storage_commits"),
      held: figure("replies_held_for_commits"),
      gets: Number(generated),
    };
  }

  async end(): Promise<void> {
    for (const socket of this.sockets) socket.end();
    await this.server.end("SIGTERM");
  }
}

/** The rate at which a slow line gets to its 1,000th number within its first ten seconds. */
const RISE_PER_SECOND = (STEADY_FROM_NUMBER * 1000) / STEADY_FROM_MS;

export interface Traffic {
  readonly perSecond: number;
  readonly strategies: readonly string[];
  readonly patterns: readonly string[];
  /**
   * How long the rise lasts, which is not counted: the promises hold for steady traffic after it.
   */
  readonly riseMs: number;
  readonly measuredMs: number;
}

/** Measures each strategy under each pattern, all at once, each on a server of its own. */
export async function measurePaced(traffic: Traffic): Promise<PacedFigures[]> {
  const { perSecond, strategies, riseMs, measuredMs } = traffic;
  const folder = mkdtempSync(join(tmpdir(), "number-dispenser-waste-"));
  const works = strategies.flatMap((strategy) =>
    traffic.patterns.map((pattern) => ({ strategy, pattern })),
  );
  const measured = works.map(async ({ strategy, pattern }, index) => {
    const paced = await Paced.start(strategy, join(folder, `data-${index}`));
    const arrivals = patterns[pattern]!;
    await paced.load(arrivals(Math.max(perSecond, RISE_PER_SECOND)), riseMs);
    const before = await paced.counters();
    const lateMs = await paced.load(arrivals(perSecond), measuredMs);
    const figures = between(before, await paced.counters());
    await paced.end();
    return { load: `${perSecond} a second, ${pattern}`, strategy, lateMs, ...figures };
  });
  try {
    return await Promise.all(measured);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Measures each pre mode at the full speed of redis-benchmark. */
export async function measureFullSpeed(
  strategies: readonly string[],
  depth: number,
  measuredMs: number,
): Promise<PacedFigures[]> {
  const folder = mkdtempSync(join(tmpdir(), "number-dispenser-waste-"));
  const all: PacedFigures[] = [];
  for (const strategy of strategies) {
    const paced = await Paced.start(strategy, join(folder, strategy));
    const load = Bun.spawn(
      [
        ...["redis-benchmark", "-p", `${paced.server.port}`, "-c", `${BENCHMARK_CLIENTS}`],
        ...["-P", `${depth}`, "-n", "2000000000", "-q", "GET", NAME],
      ],
      { stdout: "ignore", stderr: "ignore" },
    );
    await Bun.sleep(STEADY_FROM_MS);
    const before = await paced.counters();
    await Bun.sleep(measuredMs);
    const figures = between(before, await paced.counters());
    load.kill();
    await load.exited;
    await paced.end();
    const title = `full speed, ${BENCHMARK_CLIENTS} clients, ${depth} deep`;
    all.push({ load: title, strategy, lateMs: undefined, ...figures });
  }
  rmSync(folder, { recursive: true });
  return all;
}

function between(before: Counters, after: Counters) {
  const seconds = (after.atMs - before.atMs) / 1000;
  const gets = after.gets - before.gets;
  return {
    perSecond: gets / seconds,
    commitsPerSecond: (after.commits - before.commits) / seconds,
    held: after.held - before.held,
    gets,
  };
}

/**
 * Turns real-time priority on or off for this process and those that it starts from now on, so that
 * other programs do not delay the load, which would then send overdue requests as one clump. Does
 * nothing if that is not allowed.
 */
export function setRealTime(isOn: boolean): void {
  if (Bun.which("chrt") === null) return;
  const policy = isOn ? ["--rr", "--pid", "1"] : ["--other", "--pid", "0"];
  Bun.spawnSync(["chrt", "--all-tasks", ...policy, `${process.pid}`]);
}
