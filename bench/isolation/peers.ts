/** The servers that are measured, each ready for its load. */

import { join } from "node:path";
import { fromSource, ServerProcess } from "../../testkit/process.ts";
import { encodeRequest, TestClient } from "../../testkit/resp.ts";
import { alwaysSyncing, answering, freePort, redisCommand } from "../support/servers.ts";

/** How many numbers a line has handed out before: enough that its bound limits it no more. */
const NUMBERS_BEFORE = 10_000;

export interface Peer {
  readonly title: string;
  readonly port: number;
  /** The request that the load sends, and those that are measured beside it. */
  readonly hammered: readonly string[];
  readonly probes: readonly (readonly string[])[];
  /** Answers how many numbers the load has got so far. */
  readonly served: () => Promise<number>;
  readonly end: () => Promise<unknown>;
}

/** Starts Number Dispenser by the command `prefix`, with its data in `dir`. */
export async function startOurs(prefix: readonly string[], dir: string): Promise<Peer> {
  const dataDir = join(dir, "ours");
  const server = await ServerProcess.start({ program: [...prefix, ...fromSource], dataDir });
  const client = await TestClient.connect(server.port);
  for (const strategy of ["memory", "pre_close", "elegant_close"]) {
    await client.command("HSET", strategy, "type", "3", "auto_disk", strategy);
    if (strategy === "elegant_close") continue;
    for (let left = NUMBERS_BEFORE; left > 0; left -= 1000) {
      await client.pipeline(Array.from({ length: 1000 }, () => ["GET", strategy]));
    }
  }
  return {
    title: "Number Dispenser",
    port: server.port,
    hammered: ["GET", "elegant_close"],
    probes: [
      ["GET", "memory"],
      ["GET", "pre_close"],
    ],
    served: async () => Number((await client.info("elegant_close")).generated),
    end: () => {
      // A signal would reach only strace.
      client.send(encodeRequest("SHUTDOWN"));
      return server.exited();
    },
  };
}

/** Starts redis-server, which syncs every write. */
export async function startRedis(prefix: readonly string[], dir: string): Promise<Peer> {
  const port = freePort();
  const command = redisCommand(port, join(dir, "redis"), alwaysSyncing);
  const child = Bun.spawn([...prefix, ...command], { stdout: "ignore", stderr: "ignore" });
  const client = await answering(port);
  return {
    title: "redis-server, appendfsync always",
    port,
    hammered: ["INCR", "hammered"],
    probes: [["PING"], ["INCR", "other"]],
    served: async () => Number(await client.command("GET", "hammered")),
    end: () => {
      client.send(encodeRequest("SHUTDOWN", "NOSAVE"));
      return child.exited;
    },
  };
}
