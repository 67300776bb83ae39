/**
 * Is a GET here as fast as INCR of redis-server? In several rounds of one run, redis-benchmark
 * loads in turn redis-server in memory and with every write synced, this server from source and as
 * a binary, and the ceiling, a server on Bun.listen that answers a constant.
 *
 * bun run bench:compare [-rounds 5] [-requests 0] [-clients 50,1,500] [-depths 1,16,64] [-only …]
 *
 * -requests 0 makes each run use 0.7 s of the server's CPU time, but last 2 s at most. -only
 * selects works by a part of their titles. With 50 clients, the first of the list, every strategy
 * and type is measured, with one hot name and with 10,000; with the others only the works that show
 * the effect of the number of clients. The load shares the machine's cores with the server, so the
 * rate is mostly limited by the load; requests per CPU-second of the server's process are not.
 *
 * A run with all flags at their defaults takes about twelve minutes and writes docs/PERFORMANCE.md
 * and its picture; any other only prints. With BENCH_SMALL=1, as in the tests, each work runs a
 * moment.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Flags, isSmall, requireTools } from "../support/flags.ts";
import { describeMachine } from "../support/machine.ts";
import { docs, Report, writeBetweenMarkers } from "../support/page.ts";
import { type Amount, measureRounds, type Setting } from "./measure.ts";
import { drawPicture, type Panel } from "./picture.ts";
import { drawnSpread, leastCpuSeconds, noiseTable, settingTable } from "./tables.ts";
import { type Result, targetsTable } from "./targets.ts";
import { ALWAYS, NAMES, Works } from "./works.ts";

const flags = new Flags("bench:compare", {
  rounds: isSmall ? "1" : "5",
  requests: isSmall ? "200" : "0",
  clients: isSmall ? "5" : "50,1,500",
  depths: isSmall ? "1,16" : "1,16,64",
  only: "",
});
const rounds = flags.count("rounds");
const [clients, depths] = [flags.counts("clients"), flags.counts("depths")];
const amount: Amount = {
  requests: flags.text("requests") === "0" ? 0 : flags.count("requests"),
  cpuSeconds: 0.7,
  secondsMax: 2,
  warmUp: isSmall ? 100 : 10_000,
};

requireTools("redis-server", "redis-benchmark");
const folder = mkdtempSync(join(tmpdir(), "number-dispenser-compare-"));
const report = new Report();

/** The works of a setting: all with the first number of clients, the core with the others. */
function worksFor(works: Works, setting: Setting) {
  return works.all.filter(
    ({ title, isBaseline, isCore }) =>
      (isBaseline || title.includes(flags.text("only"))) &&
      (isCore || setting.clients === clients[0]),
  );
}

async function measureAll(works: Works): Promise<Result[]> {
  const results: Result[] = [];
  for (const count of clients) {
    for (const depth of depths) {
      const setting = { clients: count, depth };
      const chosen = worksFor(works, setting);
      const measured = await measureRounds(chosen, setting, rounds, amount);
      const result = { setting, works: chosen, rounds: measured };
      report.add(`${count} clients, ${depth} deep`, settingTable(result));
      results.push(result);
    }
  }
  return results;
}

/** Draws the results of the first number of clients as ratios to redis, in memory and durable. */
function draw(results: readonly Result[]): string {
  const drawn = results.filter(({ setting }) => setting.clients === clients[0]);
  const shown = drawn[0]!.works.filter(({ names }) => names === 1);
  const rowsOf = (works: typeof shown, isDurable: boolean) =>
    works.map(({ title }) => ({
      title: title.replaceAll("`", ""),
      spreads: drawn.map((result) => drawnSpread(result, title, isDurable)),
    }));
  const isDurable = ({ ours }: (typeof shown)[number]) =>
    ours?.strategy === "elegant_close" && ours.type !== "1";
  const inMemory = shown.filter((work) => !isDurable(work) && work.title !== ALWAYS);
  const panels: Panel[] = [
    {
      title: "requests for each CPU-second of the server, as a ratio to redis-server in memory",
      rows: rowsOf(inMemory, false),
    },
    {
      title: "requests a second, as a ratio to redis-server with appendfsync always",
      rows: rowsOf(shown.filter(isDurable), true),
    },
  ];
  return drawPicture(`GET beside INCR of redis-server, ${clients[0]} clients`, depths, panels);
}

const works = await Works.start(folder, isSmall ? 20 : NAMES, !isSmall);
try {
  const results = await measureAll(works);
  report.add("Reached or not", targetsTable(results));
  report.add("Noise: redis-server in memory as a ratio to itself", noiseTable(results));
  report.add("Machine", describeMachine(folder));
  console.log(`\nThe least CPU time of a run: ${leastCpuSeconds(results).toFixed(2)} s`);
  const picture = draw(results);
  if (flags.areDefaults && !isSmall) {
    writeFileSync(join(docs, "performance.svg"), picture);
    writeBetweenMarkers(join(docs, "PERFORMANCE.md"), "compare", report.text);
  }
} finally {
  await works.end();
  rmSync(folder, { recursive: true });
}
