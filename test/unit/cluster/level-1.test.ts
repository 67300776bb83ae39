/** A cluster as the version before stamps and roll calls left it goes on exactly. */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { advanceHistory } from "../../../src/cluster/admin/operations.ts";
import {
  CLUSTER,
  LEVEL,
  nodeKey,
  readCluster,
  readNode,
} from "../../../src/cluster/stores/records.ts";
import { TestClient } from "../../../testkit/resp.ts";
import { until } from "../../../testkit/until.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { startNode } from "../../support/server.ts";
import { SharedRows } from "../../support/shared-store.ts";
import { SimulatedDisk } from "../../support/simulated-disk.ts";

const left = (name: string) =>
  readFileSync(join(import.meta.dir, "level-1", `${name}.sql`), "utf8");
const folder = (name: string) => new MemoryStore(SimulatedDisk.of(left(name)));

test("its nodes go on as who they were, where they stood", async () => {
  const rows = new SharedRows({ sql: left("store") });
  const stopped = await startNode(folder("stopped"), rows.open(), {}, "inode-1");
  const killed = await startNode(folder("killed"), rows.open(), {}, "inode-2");
  expect(stopped.cluster.node).toBe("20466717-7b69-4fe7-aba8-e6d5975727c1");
  expect(killed.cluster.node).toBe("36a89470-20ae-49b3-bdeb-28749305cf7d");
  const [one, two] = [
    await TestClient.connect(stopped.port),
    await TestClient.connect(killed.port),
  ];
  expect(await one.command("GET", "order")).toBe("130");
  expect(await one.command("GET", "close")).toBe("00000015");
  // It had used up the one run that it heard of, and the store leased another that it did not hear of.
  expect(await two.command("GET", "order")).toBe("2200");
  expect(Number(await two.command("GET", "close"))).toBeGreaterThanOrEqual(125);
  // What was deleted then is not forgotten.
  expect(await one.command("HSET", "gone", "type", "3")).toBe(1);
  expect(await one.command("GET", "gone")).toBe("100");
  for (const { logged } of [stopped, killed])
    expect(logged.join()).not.toMatch(/went back|new node/);
  const { rows: found } = await rows.open().read([nodeKey(killed.cluster.node)]);
  expect(readNode([...found.values()][0])).toMatchObject({ generation: 2, level: LEVEL });
  for (const client of [one, two]) client.close();
  for (const { server: listener } of [stopped, killed]) await listener.stop();
});

test("an older state of such a folder is another node, and a store that forgot is noticed", async () => {
  const rows = new SharedRows({ sql: left("store") });
  const now = folder("killed");
  const first = await startNode(folder("killed"), rows.open(), {}, "inode-2");
  await first.server.stop();
  const second = await startNode(now, rows.open(), {}, "inode-2");
  expect(second.cluster.node).not.toBe(first.cluster.node);
  await second.server.stop();
  // The store is that of before the folder's last leases.
  const forgot = left("store").replace(
    '"isConfirmed":true,"sequence":4',
    '"isConfirmed":true,"sequence":2',
  );
  const back = new SharedRows({ sql: forgot });
  const shared = back.open();
  const killed = startNode(folder("killed"), back.open(), {}, "inode-2");
  await until(
    async () => readCluster((await shared.read([CLUSTER])).rows.get(CLUSTER))!.mark !== undefined,
  );
  const fresh = startNode(new MemoryStore(), back.open());
  let areIn = 0;
  for (const node of [killed, fresh]) void node.then(() => areIn++);
  const { calls } = back;
  await until(() => back.calls > calls + 20);
  expect(areIn).toBe(0);
  await advanceHistory(shared, 1000n, Date.now());
  for (const { server: listener, logged } of await Promise.all([killed, fresh])) {
    expect(logged.join()).toContain("went back");
    await listener.stop();
  }
});
