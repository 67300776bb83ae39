/** One client's many names beside another's HSET, on a real lease store. */

import { describe, expect, test } from "bun:test";
import { PostgresStore } from "../../../../src/cluster/stores/postgres.ts";
import { PostgresServer } from "../../../../testkit/postgres.ts";
import { TestClient } from "../../../../testkit/resp.ts";
import { noPostgres } from "../../../support/installed.ts";
import { MemoryStore } from "../../../support/memory-store.ts";
import { startNode } from "../../../support/server.ts";

/** It takes a few milliseconds; it took 12 s when each unknown name was asked for by itself. */
const BESIDE_MS = 1000;

describe.skipIf(noPostgres !== undefined)("beside a DEL of 80,000 unknown names", () => {
  test("HSET, a lease and the node's watch go on", async () => {
    const postgres = new PostgresServer();
    await postgres.start();
    const node = await startNode(new MemoryStore(), new PostgresStore(postgres.url));
    const [one, other] = [await TestClient.connect(node.port), await TestClient.connect(node.port)];
    await one.command("HSET", "x", "type", "3");
    const names = Array.from({ length: 80_000 }, (_, nth) => `n${nth}`);
    const began = performance.now();
    const deleted = one.command("DEL", ...names);
    expect(await other.command("HSET", "y", "type", "3")).toBe(1);
    expect(await other.command("GET", "y")).toBe("0");
    await node.cluster.poll();
    expect(performance.now() - began).toBeLessThan(BESIDE_MS);
    expect(await deleted).toBe(0);
    expect(performance.now() - began).toBeLessThan(2 * BESIDE_MS);
    for (const client of [one, other]) client.close();
    await node.server.stop();
    await postgres.stop();
    expect(node.fatal).toEqual([]);
  }, 60_000);
});
