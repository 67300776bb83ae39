/** A store that goes back in time, and one that only looks so, with the stores that nodes really share. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { advanceHistory } from "../../../../src/cluster/admin/operations.ts";
import { openLeaseStore } from "../../../../src/cluster/stores/open.ts";
import { PostgresServer } from "../../../../testkit/postgres.ts";
import { type Reply, ReplyError, TestClient } from "../../../../testkit/resp.ts";
import { until } from "../../../../testkit/until.ts";
import { EtcdCluster } from "../../../support/etcd.ts";
import { FragileLink } from "../../../support/fragile-link.ts";
import { noEtcdctl, noPostgres } from "../../../support/installed.ts";
import { MemoryStore } from "../../../support/memory-store.ts";
import { startNode } from "../../../support/server.ts";

const TIMEOUT_MS = 60_000;

async function nodeOn(url: string, store = new MemoryStore()) {
  const node = await startNode(store, openLeaseStore(url));
  return { ...node, client: await TestClient.connect(node.port) };
}

type Node = Awaited<ReturnType<typeof nodeOn>>;

const take = ({ client }: Node, count: number): Promise<Reply[]> =>
  client.pipeline(Array.from({ length: count }, () => ["GET", "o"]));

/** Takes one number, however long that has to wait. */
async function takeOne(node: Node): Promise<string> {
  let reply: Reply = null;
  await until(async () => {
    [reply = null] = await take(node, 1);
    return typeof reply === "string";
  });
  return reply as unknown as string;
}

async function end(...nodes: readonly Node[]): Promise<void> {
  for (const { client, server: listener } of nodes) {
    client.close();
    await listener.stop();
  }
}

/**
 * Two nodes and a line; a copy of the store is made, numbers are taken on one, the copy is put back. Both are
 * killed, and started anew, beside a fresh one: none leases anything, until an operator says so.
 */
async function goBack(url: string, save: () => Promise<() => Promise<void>>): Promise<void> {
  const stores = [new MemoryStore(), new MemoryStore()] as const;
  const [one, two] = [await nodeOn(url, stores[0]), await nodeOn(url, stores[1])];
  await one.client.command("HSET", "o", "type", "3");
  const before = [...(await take(one, 50)), ...(await take(two, 50))];
  const putBack = await save();
  before.push(...(await take(two, 700)));
  expect(before.filter((number) => typeof number === "string")).toHaveLength(800);
  await putBack();
  for (const node of [one, two]) {
    node.client.close();
    node.cluster.abandon();
  }
  const isIn = [false, false, false];
  const lives = [stores[0].reopen(), stores[1].reopen(), new MemoryStore()].map((store, index) =>
    nodeOn(url, store).then((node) => {
      isIn[index] = true;
      return node;
    }),
  );
  // Longer than any of them waits for others.
  await Bun.sleep(4000);
  expect(isIn).toEqual([false, false, false]);
  const shared = openLeaseStore(url);
  await advanceHistory(shared, 1000n, Date.now());
  await shared.close();
  const nodes = await Promise.all(lives);
  for (const node of nodes) {
    expect(node.logged.join()).toContain("went back in time");
    before.push(await takeOne(node), ...(await take(node, 200)));
  }
  const numbers = before.filter((number) => !(number instanceof ReplyError));
  expect(new Set(numbers).size).toBe(numbers.length);
  await end(...nodes);
  for (const { server: listener } of [one, two]) await listener.stop();
}

describe.skipIf(noPostgres !== undefined)("PostgreSQL that goes back", () => {
  let server: PostgresServer;

  beforeAll(async () => {
    server = new PostgresServer();
    await server.start();
  }, TIMEOUT_MS);
  afterAll(() => server.stop());

  test(
    "a dump is put back: no node leases, restarted ones and fresh ones neither",
    () => goBack(server.url, () => server.dump()),
    TIMEOUT_MS,
  );

  test(
    "what its administrators do is not taken for that",
    async () => {
      const node = await nodeOn(server.url);
      await takeOne(node);
      for (const statement of [
        "VACUUM FREEZE number_dispenser",
        "VACUUM FULL number_dispenser",
        "CLUSTER number_dispenser USING number_dispenser_pkey",
        "REINDEX TABLE number_dispenser",
        "ANALYZE number_dispenser",
      ]) {
        await server.query(statement);
        await until(() => node.cluster.trouble === undefined);
        const numbers = await take(node, 300);
        expect(numbers.filter((number) => typeof number !== "string")).toEqual([]);
      }
      expect(node.logged.join()).not.toContain("went back");
      await end(node);
    },
    TIMEOUT_MS,
  );

  test("who may not delete can write all the same, but for rows to be removed", async () => {
    await server.query("CREATE ROLE few LOGIN");
    await server.query("GRANT SELECT, INSERT, UPDATE ON number_dispenser TO few");
    const few = openLeaseStore(server.url.replace("dispenser@", "few@"));
    const write = (removes: readonly string[]) =>
      few.write({ guards: new Map(), puts: new Map([["x/y", "1"]]), removes });
    expect(await write([])).toBeDefined();
    await expect(write(["x/y"])).rejects.toThrow("permission denied");
    await few.close();
  });

  test(
    "a synchronous replica that takes over goes on by itself",
    async () => {
      const primary = new PostgresServer();
      await primary.start();
      const replica = new PostgresServer(primary);
      await replica.start();
      await primary.waitForReplicas();
      const links = [new FragileLink(primary.port), new FragileLink(primary.port)];
      const urls = links.map(({ port }) => primary.url.replace(`:${primary.port}/`, `:${port}/`));
      const [one, two] = [await nodeOn(urls[0]!), await nodeOn(urls[1]!)];
      await one.client.command("HSET", "o", "type", "3");
      const numbers = [...(await take(one, 300)), ...(await take(two, 300))];
      await primary.stop("SIGQUIT");
      for (const link of links) link.target = replica.port;
      await replica.promote();
      for (const node of [one, two]) {
        numbers.push(await takeOne(node));
        await until(async () => {
          const more = await take(node, 100);
          numbers.push(...more.filter((number) => typeof number === "string"));
          return more.every((number) => typeof number === "string");
        });
      }
      expect(new Set(numbers).size).toBe(numbers.length);
      const said = [one, two].flatMap(({ logged }) => logged).join("\n");
      expect(said).not.toContain("went back");
      await end(one, two);
      for (const link of links) link.stop();
      await replica.stop();
    },
    TIMEOUT_MS,
  );
});

describe.skipIf(noEtcdctl !== undefined)("etcd that goes back", () => {
  test(
    "a snapshot is put back: no node leases, restarted ones and fresh ones neither",
    async () => {
      const etcd = new EtcdCluster(1);
      await etcd.start();
      try {
        await goBack(etcd.url, () => etcd.snapshot());
      } finally {
        await etcd.stop();
      }
    },
    TIMEOUT_MS,
  );
});
