/** DEL and HSET of one name in one EXEC: whenever the server is killed, the name is there. */

import { expect, test } from "bun:test";
import { randomFrom } from "../support/random.ts";
import { TestClient } from "../support/resp.ts";
import { ServerProcess } from "../support/server.ts";

const KILLS = 8;
const EXECS_MAX = 60;
const TIMEOUT_MS = 60_000;
const seed = Number(process.env.KILLS_SEED ?? Date.now() % 1_000_000_000);

test(
  `an EXEC that replaces a dispenser is on disk whole or not at all, seed ${seed}`,
  async () => {
    const random = randomFrom(seed);
    let server = await ServerProcess.start();
    let client = await TestClient.connect(server.port);
    await client.command("HSET", "x", "type", "3", "starting", "0");
    let acknowledged = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const execs = Math.floor(random() * EXECS_MAX);
      for (let count = 0; count <= execs; count++) {
        const starting = acknowledged + 1;
        const replies = client.pipeline([
          ["MULTI"],
          ["DEL", "x"],
          ["HSET", "x", "type", "3", "starting", String(starting)],
          ["EXEC"],
        ]);
        // The last one is under way when the server is killed.
        if (count === execs) server.signal("SIGKILL");
        if (count === execs && (await replies).at(-1) instanceof Error) break;
        expect((await replies).at(-1)).toEqual([1, 2]);
        acknowledged = starting;
      }
      await server.exited();
      server = await ServerProcess.start({ dataDir: server.dataDir });
      client = await TestClient.connect(server.port);
      const starting = Number(await client.command("HGET", "x", "starting"));
      expect([acknowledged, acknowledged + 1]).toContain(starting);
      acknowledged = starting;
    }
    expect(await server.end("SIGTERM")).toBe(0);
  },
  TIMEOUT_MS,
);
