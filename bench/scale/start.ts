/** Times the server from exec to its first answered PING, and from a signal to its end. */

import { join } from "node:path";
import { TestClient } from "../../testkit/resp.ts";
import { type Spread, spreadOf } from "../support/figures.ts";
import { freePort, ourCommand, RunningServer } from "../support/servers.ts";

/** The prefix of the names in a filled folder. */
export const PREFIX = "line";

const ASK_EVERY_MS = 1;
const START_MS_MAX = 120_000;

export interface Program {
  readonly title: string;
  readonly words: readonly string[];
}

export interface Started {
  readonly server: RunningServer;
  readonly tookMs: number;
}

/** Starts a server on a data folder, and times it until a PING is answered. */
export async function startTimed(
  program: Program,
  dataDir: string,
  prefix: readonly string[] = [],
): Promise<Started> {
  const port = freePort();
  const beganMs = performance.now();
  const command = [...prefix, ...ourCommand(program.words, port, dataDir)];
  const server = new RunningServer(command, port);
  const client = await firstToAnswer(port);
  const reply = await client.command("PING");
  const tookMs = performance.now() - beganMs;
  if (reply !== "PONG") throw new Error(`the server answered ${String(reply)} to PING`);
  client.close();
  return { server, tookMs };
}

async function firstToAnswer(port: number): Promise<TestClient> {
  const beganMs = performance.now();
  for (;;) {
    try {
      return await TestClient.connect(port);
    } catch (error) {
      if (performance.now() - beganMs > START_MS_MAX) throw error;
      await Bun.sleep(ASK_EVERY_MS);
    }
  }
}

/** Ends a server. Answers how long that took. */
export async function endTimed(server: RunningServer): Promise<number> {
  const beganMs = performance.now();
  await server.end("SIGTERM");
  return performance.now() - beganMs;
}

/** Times starts and clean stops on one folder, which is empty at the first. */
export async function measureStarts(
  program: Program,
  folder: string,
  starts: number,
): Promise<Spread> {
  const dataDir = join(folder, `starts-${program.title}`);
  const times: number[] = [];
  for (let start = 0; start < starts; start++) {
    const { server, tookMs } = await startTimed(program, dataDir);
    times.push(tookMs);
    await server.end();
  }
  return spreadOf(times);
}
