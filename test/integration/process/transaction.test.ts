/** A transaction is on disk all of it or none, whenever the server is killed. */

import { expect, test } from "bun:test";
import { Prng } from "../../../testkit/prng.ts";
import { ServerProcess } from "../../../testkit/process.ts";
import { ReplyError, TestClient } from "../../../testkit/resp.ts";
import { until } from "../../../testkit/until.ts";
import { anySeed } from "../../support/arguments.ts";

const KILLS = 15;
const LINES = 8;
const LOAD_MS_MAX = 60;

/** A dispenser that is deleted and defined anew, one version after the other, in transactions. */
interface Line {
  readonly name: string;
  /** The version last known to be defined, and the last one asked for. */
  acknowledged: number;
  asked: number;
}

/** DEL and HSET in one EXEC; two dispensers of each line change together. */
function redefinition(name: string, version: number): string[][] {
  const fields = ["type", "3", "starting", String(version), "step", String(version)];
  return [
    ["MULTI"],
    ["DEL", name, `${name}:twin`],
    ["HSET", name, ...fields],
    ["HSET", `${name}:twin`, ...fields],
    ["EXEC"],
  ];
}

/** Goes from version to version until the server is gone. */
async function redefine(client: TestClient, line: Line): Promise<void> {
  try {
    for (;;) {
      line.asked++;
      const replies = await client.pipeline(redefinition(line.name, line.asked));
      if (replies.at(-1) instanceof ReplyError) return;
      const removed = line.asked === 1 ? 0 : 2;
      expect(replies.at(-1)).toEqual([removed, 3, 3]);
      line.acknowledged = line.asked;
    }
  } catch (error) {
    // The server is gone while the test writes.
    if (!String(error).includes("sends too much")) throw error;
  }
}

/** Every line has the version last acknowledged or the one under way, whole, and so has its twin. */
async function check(port: number, lines: readonly Line[]): Promise<void> {
  const client = await TestClient.connect(port);
  for (const line of lines) {
    if (line.acknowledged === 0 && (await client.command("EXISTS", line.name)) === 0) {
      line.asked = 0;
      continue;
    }
    const [version, ...others] = await client.pipeline([
      ["HGET", line.name, "step"],
      ["HGET", line.name, "starting"],
      ["HGET", `${line.name}:twin`, "step"],
      ["HGET", `${line.name}:twin`, "starting"],
    ]);
    expect([line.name, ...others]).toEqual([line.name, version!, version!, version!]);
    expect(Number(version)).toBeGreaterThanOrEqual(line.acknowledged);
    expect(Number(version)).toBeLessThanOrEqual(line.asked);
    line.acknowledged = Number(version);
    line.asked = line.acknowledged;
  }
  client.close();
}

const versionsOf = (lines: readonly Line[]) =>
  lines.reduce((sum, { acknowledged }) => sum + acknowledged, 0);

const seed = Number(process.env.KILLS_SEED ?? anySeed());

test(`after ${KILLS} kills a name deleted and defined in one EXEC is the old or the new, seed ${seed}`, async () => {
  const prng = new Prng(seed);
  const lines: Line[] = Array.from({ length: LINES }, (_, index) => ({
    name: `line:${index}`,
    acknowledged: 0,
    asked: 0,
  }));
  let server = await ServerProcess.start();
  for (let kill = 0; kill < KILLS; kill++) {
    // All are connected before the kill may come: one that is killed while it connects asked for nothing.
    const clients = await Promise.all(lines.map(() => TestClient.connect(server.port)));
    const load = Promise.all(lines.map((line, index) => redefine(clients[index]!, line)));
    const before = versionsOf(lines);
    await Promise.race([load, until(() => versionsOf(lines) > before, 1)]);
    await Bun.sleep(prng.next() * LOAD_MS_MAX);
    await server.end("SIGKILL");
    await load;
    server = await ServerProcess.start({ dataDir: server.dataDir });
    await check(server.port, lines);
  }
  expect(versionsOf(lines)).toBeGreaterThanOrEqual(KILLS);
  expect(await server.end("SIGTERM")).toBe(0);
}, 60_000);
