/** What is etcd's own: a full database, and prefixes inside one another. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { openLeaseStore } from "../../../../src/cluster/stores/open.ts";
import { TestClient } from "../../../../testkit/resp.ts";
import { until } from "../../../../testkit/until.ts";
import { EtcdCluster } from "../../../support/etcd.ts";
import { noEtcdctl } from "../../../support/installed.ts";
import { MemoryStore } from "../../../support/memory-store.ts";
import { startNode } from "../../../support/server.ts";

const TIMEOUT_MS = 60_000;
const QUOTA_BYTES = 2 ** 20;

describe.skipIf(noEtcdctl !== undefined)("etcd", () => {
  const etcd = new EtcdCluster(1, undefined, { "quota-backend-bytes": String(QUOTA_BYTES) });

  beforeAll(() => etcd.start(), TIMEOUT_MS);
  afterAll(() => etcd.stop());

  test(
    "a prefix among the rows of another cluster is refused, whichever comes first",
    async () => {
      const outer = await startNode(new MemoryStore(), openLeaseStore(`${etcd.url}/outer`));
      await expect(
        startNode(new MemoryStore(), openLeaseStore(`${etcd.url}/outer/name/inner`)),
      ).rejects.toThrow("the prefix outer/name/inner lies among the rows of the cluster that has");
      await outer.server.stop();
      const inner = await startNode(new MemoryStore(), openLeaseStore(`${etcd.url}/a/line`));
      await expect(startNode(new MemoryStore(), openLeaseStore(`${etcd.url}/a`))).rejects.toThrow(
        "but none of a cluster: either rows were lost, or the prefix of another",
      );
      await inner.server.stop();
    },
    TIMEOUT_MS,
  );

  test(
    "that is full stops leases, and all resumes by itself once there is room, nothing twice",
    async () => {
      const node = await startNode(new MemoryStore(), openLeaseStore(`${etcd.url}/full`));
      const client = await TestClient.connect(node.port);
      await client.command("HSET", "o", "type", "3");
      const numbers = (await client.pipeline([["GET", "o"]])) as string[];
      // Others fill it.
      const filler = openLeaseStore(`${etcd.url}/filler`);
      const row = "x".repeat(100_000);
      await until(async () => {
        const puts = new Map([["name/big", row]]);
        return await filler.write({ guards: new Map(), puts }).then(
          () => false,
          ({ message }: Error) => message.includes("database space exceeded"),
        );
      });
      await filler.close();
      const replies = await client.pipeline(Array.from({ length: 300 }, () => ["GET", "o"]));
      numbers.push(...replies.filter((reply) => typeof reply === "string"));
      expect(String(replies.at(-1))).toContain("database space exceeded");
      await etcd.makeRoom();
      await until(async () => {
        const more = await client.pipeline(Array.from({ length: 100 }, () => ["GET", "o"]));
        numbers.push(...more.filter((reply) => typeof reply === "string"));
        return numbers.length > 500;
      });
      expect(new Set(numbers).size).toBe(numbers.length);
      expect(node.logged.join()).not.toContain("went back");
      client.close();
      await node.server.stop();
    },
    TIMEOUT_MS,
  );
});
