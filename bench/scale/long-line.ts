/**
 * One line that hands out very many numbers: does it get slower, or larger? Run it as a process of
 * its own with "real" or "simulated", how many, and a data folder; it prints the tenths as JSON.
 *
 * real: GETs as bytes through a connection, the engine and the store on disk, with no socket.
 * simulated: a day of regular traffic. The real engine hands out every number and makes every
 * commit; the clock is simulated, the store is in memory, there are no bytes and no sockets. The
 * day has 24 lives, each ended by a clean close and recovered from the store.
 */

import { encodeRequest } from "../../testkit/resp.ts";
import { InProcess } from "../support/in-process.ts";
import { residentBytes } from "../support/process.ts";
import { patterns } from "../waste/arrivals.ts";
import { Life } from "../waste/life.ts";

export interface Tenth {
  readonly perSecond: number;
  readonly bytes: number;
}

const TENTHS = 10;
const DEPTH = 64;
const NAME = "line";
const STRATEGY = "pre_close";
const LIVES_A_DAY = 24;
const DAY_SECONDS = 86_400;

/** Calls `work` until it has taken all numbers, and measures speed and memory after each tenth. */
function measureTenths(numbers: number, work: (count: number) => void): Tenth[] {
  const tenths: Tenth[] = [];
  for (let tenth = 0; tenth < TENTHS; tenth++) {
    const beganMs = performance.now();
    work(numbers / TENTHS);
    const seconds = (performance.now() - beganMs) / 1000;
    tenths.push({
      perSecond: numbers / TENTHS / seconds,
      bytes: residentBytes(process.pid),
    });
  }
  return tenths;
}

function takeForReal(numbers: number, dataDir: string): Tenth[] {
  const server = new InProcess(dataDir);
  server.define(NAME, "type", "3", "auto_disk", STRATEGY);
  const chunk = Buffer.from(encodeRequest("GET", NAME).repeat(DEPTH));
  let pipelines = 0;
  const tenths = measureTenths(numbers, (count) => {
    for (const end = pipelines + Math.ceil(count / DEPTH); pipelines < end; pipelines++) {
      server.receive(chunk);
    }
  });
  const { position } = server.engine.find(NAME)!;
  if (position !== BigInt(pipelines * DEPTH)) throw new Error(`the line stands at ${position}`);
  server.close();
  return tenths;
}

function simulateDay(numbers: number): Tenth[] {
  const perSecond = numbers / DAY_SECONDS;
  const perLife = Math.ceil(numbers / LIVES_A_DAY);
  let life = new Life(STRATEGY, patterns.regular!(perSecond));
  let before = 0;
  return measureTenths(numbers, (count) => {
    for (let left = count; left > 0; ) {
      if (life.handedOut >= perLife) {
        before += life.handedOut;
        life = new Life(STRATEGY, patterns.regular!(perSecond), life.close());
        if (life.startedAt !== before) throw new Error(`a life began at ${life.startedAt}`);
      }
      const taken = life.handedOut;
      life.turn(Math.min(left, perLife - taken), () => {});
      left -= life.handedOut - taken;
    }
  });
}

/** Runs this file as a process of its own. */
export function measureLine(how: "real" | "simulated", numbers: number, dataDir: string): Tenth[] {
  const child = Bun.spawnSync([process.execPath, import.meta.path, how, `${numbers}`, dataDir]);
  if (!child.success) throw new Error(`the long line failed: ${child.stderr}`);
  return JSON.parse(child.stdout.toString());
}

if (import.meta.main) {
  const [how, numbers, dataDir] = process.argv.slice(2) as [string, string, string];
  const isReal = how === "real";
  const tenths = isReal ? takeForReal(Number(numbers), dataDir) : simulateDay(Number(numbers));
  console.log(JSON.stringify(tenths));
}
