/** Names that are deleted, go on, and are forgotten one day, on all nodes of a cluster. */

import { afterEach, describe, expect, setSystemTime, test } from "bun:test";
import { advanceHistory, forgetNode } from "../../../../src/cluster/admin/operations.ts";
import {
  encode,
  LEVEL,
  nodeKey,
  readCluster,
  readNode,
} from "../../../../src/cluster/stores/records.ts";
import type { LeaseStore } from "../../../../src/cluster/stores/store.ts";
import { ReplyError, TestClient } from "../../../../testkit/resp.ts";
import { until } from "../../../../testkit/until.ts";
import { MemoryStore } from "../../../support/memory-store.ts";
import { startNode } from "../../../support/server.ts";
import { SharedRows } from "../../../support/shared-store.ts";

async function begin(rows: SharedRows, store = new MemoryStore(), overrides = {}) {
  const node = await startNode(store, rows.open(), overrides);
  const client = await TestClient.connect(node.port);
  const stop = async () => {
    client.close();
    await node.server.stop();
    expect(node.fatal).toEqual([]);
  };
  return { ...node, client, stop };
}

const error = (message: string) => new ReplyError(message);
const take = (client: TestClient, count: number) =>
  client.pipeline(Array.from({ length: count }, () => ["GET", "o"]));

/** Writes a row as it is, whoever watches. */
async function put(shared: LeaseStore, key: string, value: string): Promise<void> {
  await shared.write({ guards: new Map(), puts: new Map([[key, value]]) });
}

describe("a name that was deleted", () => {
  test("goes on where its line stood, on all nodes, and its figures with it", async () => {
    const rows = new SharedRows();
    const [one, two] = [await begin(rows), await begin(rows)];
    await one.client.command("HSET", "o", "type", "3");
    const numbers = [...(await take(one.client, 150)), ...(await take(two.client, 30))];
    const before = await two.client.info("o");
    expect(await two.client.command("DEL", "o")).toBe(1);
    expect(await one.client.command("HSET", "o", "type", "3")).toBe(1);
    numbers.push(...(await take(one.client, 150)), ...(await take(two.client, 150)));
    expect(new Set(numbers).size).toBe(480);
    const after = await one.client.info("o");
    expect(Number(after.cluster_generated)).toBeGreaterThanOrEqual(
      Number(before.cluster_generated) + 150,
    );
    for (const { stop } of [one, two]) await stop();
  });

  test("is not defined with fields whose numbers could meet those in use", async () => {
    const rows = new SharedRows();
    const { client, stop } = await begin(rows);
    await client.command("HSET", "o", "type", "3", "starting", "1000");
    await take(client, 2);
    await client.command("DEL", "o");
    const fields = ["type", "2", "length", "6", "starting", "0", "step", "50"];
    expect(await client.command("HSET", "o", ...fields)).toEqual(
      error(
        "ERR 'o' was deleted at 1100: its numbers may be in use. Give starting 1100, or say reuse yes",
      ),
    );
    expect(await client.command("HSET", "o", "type", "3", "starting", "1100")).toBe(2);
    expect(await client.command("GET", "o")).toBe("1100");
    await client.command("DEL", "o");
    // Both lines stay known.
    expect(String(await client.command("HSET", "o", "type", "3"))).toContain("Give starting 1200");
    expect(await client.command("HSET", "o", "type", "3", "reuse", "yes")).toBe(1);
    expect(await client.command("GET", "o")).toBe("0");
    await stop();
  });

  test("handed out nothing, or was in memory, and begins anew", async () => {
    const rows = new SharedRows();
    const { client, stop } = await begin(rows);
    for (const fields of [["auto_disk", "memory"], ["step", "7"], []]) {
      expect(await client.command("HSET", "o", "type", "3", ...fields)).toBe(1 + fields.length / 2);
      if (fields[0] === "auto_disk") expect(await client.command("GET", "o")).toBe("0");
      await client.command("DEL", "o");
    }
    await stop();
  });

  test("and a durable line becomes one in memory only by a word", async () => {
    const rows = new SharedRows();
    const { client, stop } = await begin(rows);
    await client.command("HSET", "o", "type", "3");
    await client.command("GET", "o");
    const refused = await client.command("HSET", "o", "auto_disk", "memory");
    expect(String(refused)).toContain("cannot change 'auto_disk' of 'o' to memory");
    expect(await client.command("HSET", "o", "auto_disk", "memory", "reuse", "yes")).toBe(0);
    // What it handed out before stays in use.
    await client.command("DEL", "o");
    await client.command("HSET", "o", "type", "3");
    expect(Number(await client.command("GET", "o"))).toBeGreaterThanOrEqual(1);
    await stop();
  });
});

describe("a clock that is wrong", () => {
  afterEach(() => void setSystemTime());
  const days = (count: number) => setSystemTime(new Date(Date.now() + count * 86_400_000));

  test("makes nothing old, be it ahead when rows are removed or behind when a line is deleted", async () => {
    const rows = new SharedRows();
    const { client, cluster, stop } = await begin(rows);
    await cluster.purge();
    for (const [round, [atDelete, atPurge]] of [
      [0, 91],
      [-20_000, 20_000],
    ].entries()) {
      await client.command("HSET", "o", "type", "3");
      expect((await take(client, 5)).length).toBe(5);
      days(atDelete!);
      await client.command("DEL", "o");
      await cluster.purge();
      days(atPurge!);
      await cluster.purge();
      await cluster.purge();
      expect(await client.command("HSET", "o", "type", "3")).toBe(1);
      expect(await client.command("GET", "o")).toBe(String(100 * (2 * round + 1)));
      await client.command("DEL", "o");
    }
    await stop();
  });
});

describe("a member of level 1 that deletes", () => {
  /** As its program does it: the row of the name as it was, and the mark. */
  async function deleteAsLevel1(shared: LeaseStore, line: number): Promise<void> {
    const { rows } = await shared.read(["name/o", `line/${line}`]);
    for (const [key, { value }] of rows) {
      await put(shared, key, encode({ ...JSON.parse(value), isDeleted: true }));
    }
    const names = (await shared.read(["names"])).rows.get("names")!.value;
    await put(shared, "names", names);
  }

  test("loses no number, whatever the name kept before, and after an advance", async () => {
    const rows = new SharedRows();
    const { client, stop } = await begin(rows);
    const shared = rows.open();
    await client.command("HSET", "o", "type", "3");
    await take(client, 5);
    await client.command("DEL", "o");
    await client.command("HSET", "o", "type", "3");
    await take(client, 5);
    await deleteAsLevel1(shared, 2);
    await until(async () => (await client.command("EXISTS", "o")) === 0);
    await advanceHistory(shared, 1000n, Date.now());
    await until(async () => (await client.command("HSET", "o", "type", "3")) === 1);
    expect(Number(await client.command("GET", "o"))).toBeGreaterThanOrEqual(1200);
    await stop();
  });
});

describe("nodes of several versions", () => {
  test("a length grows on all nodes, where none is too old to know of it", async () => {
    const rows = new SharedRows();
    const [one, two] = [await begin(rows), await begin(rows)];
    await one.client.command("HSET", "o", "type", "2", "length", "2", "starting", "90");
    expect((await take(one.client, 10)).at(-1)).toBe("99");
    const shared = rows.open();
    const key = nodeKey("old");
    const old = { generation: 1, token: "t", isConfirmed: true, sequence: 0, host: "h" };
    await put(shared, key, encode({ ...old, state: "member" }));
    expect(await two.client.command("HSET", "o", "length", "4")).toEqual(
      error(
        "ERR cannot change 'length' of 'o' yet: node old runs a version that does not know of it. Upgrade that first",
      ),
    );
    await put(shared, key, encode({ ...old, state: "left" }));
    expect(await two.client.command("HSET", "o", "length", "4")).toBe(0);
    await until(async () => (await one.client.command("HGET", "o", "length")) === "4");
    await until(async () => (await one.client.command("GET", "o")) === "0100");
    for (const { stop } of [one, two]) await stop();
    // Who does not know of it may not come in any more.
    const found = (await shared.read(["cluster"])).rows.get("cluster");
    expect(readCluster(found)!.level).toBe(2);
    await put(shared, "cluster", encode({ ...readCluster(found)!, level: LEVEL + 1 }));
    await expect(startNode(new MemoryStore(), rows.open())).rejects.toThrow(
      `its level is ${LEVEL + 1}, and this is ${LEVEL}. Start the version that the other nodes have`,
    );
  });
});

describe("rows that nobody needs any more", () => {
  const keysOf = async (shared: LeaseStore) => [...(await shared.list("")).rows.keys()].sort();

  test("are removed, and a node that slept through it notices what was deleted", async () => {
    const rows = new SharedRows();
    const store = new MemoryStore();
    const [one, two] = [await begin(rows, undefined, { deletedDays: 0 }), await begin(rows, store)];
    for (const name of ["o", "kept"]) await one.client.command("HSET", name, "type", "3");
    await take(two.client, 10);
    await two.client.command("GET", "kept");
    two.client.close();
    two.cluster.abandon();
    await one.client.command("GET", "o");
    await one.client.command("DEL", "o");
    await until(() => one.cluster.purge().then(() => true));
    const shared = rows.open();
    const left = (await keysOf(shared)).filter((key) => /^(name|line|deleted)\//.test(key));
    expect(left).toEqual(["line/2", "name/kept"]);
    // The other wakes: it leases of the line before it looks at anything else.
    const woken = await begin(rows, store.reopen());
    expect(await woken.client.command("EXISTS", "o", "kept")).toBe(1);
    expect(await take(woken.client, 1)).toEqual([error("ERR dispenser not found: 'o'")]);
    expect(await woken.client.command("GET", "kept")).toBe("1");
    expect(woken.logged.join()).not.toContain("went back");
    expect(await one.client.command("HSET", "o", "type", "3")).toBe(1);
    for (const { stop } of [one, woken]) await stop();
    await two.server.stop();
  });

  test("are gone for a node that slept so long: it stops, and accuses nobody", async () => {
    const rows = new SharedRows();
    const [one, two] = [await begin(rows), await begin(rows)];
    await one.client.command("HSET", "o", "type", "3");
    const shared = rows.open();
    const key = nodeKey(two.cluster.node);
    const { rows: found, version } = await shared.read([key, "names"]);
    const names = JSON.parse(found.get("names")!.value);
    const nodesPurgedTo = String(version.revision + 100n);
    await shared.write({
      guards: new Map([[key, found.get(key)!.revision]]),
      puts: new Map([["names", encode({ ...names, nodesPurgedTo })]]),
      removes: [key],
    });
    expect(String(await two.fatalOf)).toContain("was written off long ago");
    expect(await one.client.command("GET", "o")).toBe("0");
    two.client.close();
    await two.server.stop();
    await one.stop();
  });

  test("of nodes that are gone are removed, and what they did stays known", async () => {
    const rows = new SharedRows();
    const store = new MemoryStore();
    const [one, two] = [await begin(rows, undefined, { deletedDays: 0 }), await begin(rows, store)];
    await one.client.command("HSET", "o", "type", "3");
    await take(two.client, 10);
    two.client.close();
    await two.server.stop();
    const shared = rows.open();
    await forgetNode(shared, two.cluster.node);
    expect(
      readNode((await shared.read([nodeKey(two.cluster.node)])).rows.values().next().value),
    ).toMatchObject({ state: "written off" });
    const before = await one.client.info("o");
    await one.cluster.purge();
    expect((await keysOf(shared)).filter((key) => key.endsWith(two.cluster.node))).toEqual([]);
    const after = await one.client.info("o");
    for (const field of ["cluster_leased", "cluster_generated"])
      expect(after[field]).toBe(before[field]!);
    // Its folder comes back all the same: it is another node.
    const back = await begin(rows, store.reopen());
    expect(back.logged.join()).toContain("was written off long ago");
    expect(back.cluster.node).not.toBe(two.cluster.node);
    for (const { stop } of [one, back]) await stop();
  });
});
