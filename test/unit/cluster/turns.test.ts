/** Whose turn it is to use the lease store: one client's many names hold up nobody else. */

import { describe, expect, test } from "bun:test";
import { ClusterCatalog } from "../../../src/cluster/catalog.ts";
import { realClock } from "../../../src/cluster/stores/monotonic.ts";
import { CLUSTER, NAMES, ROLL } from "../../../src/cluster/stores/records.ts";
import type { LeaseStore } from "../../../src/cluster/stores/store.ts";
import { TestClient } from "../../../testkit/resp.ts";
import { until } from "../../../testkit/until.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { startNode } from "../../support/server.ts";
import { SharedRows } from "../../support/shared-store.ts";

/** A node, and what it asked the store for. */
async function start() {
  const asked: string[] = [];
  let isSlow = false;
  const store = new SharedRows().open();
  /** How many writes from now on are refused, as if other nodes had been quicker. */
  const races = { lost: 0 };
  const slow: LeaseStore = {
    ...store,
    read: async (keys) => {
      const isLook = [CLUSTER, NAMES, ROLL].every((key, index) => keys[index] === key);
      asked.push(isLook ? "look" : `read ${keys.at(-1)}`);
      if (isSlow) await Bun.sleep(1);
      return store.read(keys);
    },
    list: async (prefix, after) => {
      asked.push(`list ${prefix}`);
      return store.list(prefix, after);
    },
    write: async (write) => {
      asked.push(`write ${[...write.puts.keys()].filter((key) => key !== NAMES)[0]}`);
      if (races.lost > 0) {
        races.lost--;
        return undefined;
      }
      return store.write(write);
    },
  };
  const node = await startNode(new MemoryStore(), slow);
  const [left, right] = [await TestClient.connect(node.port), await TestClient.connect(node.port)];
  /** Defines names; from then on the store is slow, and what it is asked is noted. */
  const define = async (names: readonly string[]) => {
    isSlow = false;
    await left.pipeline(names.map((name) => ["HSET", name, "type", "3"]));
    isSlow = true;
    asked.length = 0;
  };
  await define(["x"]);
  const stop = async () => {
    for (const client of [left, right]) client.close();
    await node.server.stop();
    expect(node.fatal).toEqual([]);
  };
  const countOf = (what: string) => asked.filter((each) => each.startsWith(what)).length;
  return { ...node, left, right, define, asked, countOf, races, stop };
}

const named = (count: number) => Array.from({ length: count }, (_, nth) => `n${nth}`);

describe("a command with many names", () => {
  test.each(["DEL", "EXISTS", "MGET"])(
    "%s of 80,000 unknown names asks the store once",
    async (command) => {
      const { left, right, asked, stop } = await start();
      const [answer, set] = await Promise.all([
        left.command(command, ...named(80_000)),
        right.command("HSET", "y", "type", "3"),
      ]);
      if (command !== "MGET") expect(answer).toBe(0);
      expect(set).toBe(1);
      // One for the names, and a few for HSET; the watch looks now and then.
      const others = asked.filter((each) => each !== "look");
      expect(others.length).toBeLessThan(12);
      await stop();
    },
  );

  test("looks through its names some at a time", async () => {
    const { cluster, stop } = await start();
    let pauses = 0;
    const sleep = async () => void pauses++;
    const host = Object.create(cluster, { clock: { value: { ...realClock, sleep } } });
    const catalog = new ClusterCatalog(host);
    const client = { isOver: false };
    expect(await catalog.remove(named(80_000), client)).toEqual([]);
    expect(pauses).toBe(40);
    // They cannot be names, so nobody is asked for them.
    const names = named(80_000).map((name) => `${name} `);
    await catalog.prepare([{ names, takes: true }], false, client);
    expect(pauses).toBe(80);
    client.isOver = true;
    const looking = catalog.prepare([{ names, takes: true }], false, client);
    await expect(looking).rejects.toThrow("the client has left");
    expect(pauses).toBe(81);
    await stop();
  });
});

describe("clients take turns", () => {
  test("HSET waits for one of the names of another client's DEL", async () => {
    const { left, right, define, countOf, stop } = await start();
    await define(named(100));
    const deleted = left.command("DEL", ...named(100), "n0", "nobody");
    await until(() => countOf("write name/n10") > 0, 1);
    const before = countOf("write name/n");
    expect(await right.command("HSET", "y", "type", "3")).toBe(1);
    // The one under way, and one more that began while HSET was on its way.
    expect(countOf("write name/n") - before).toBeLessThanOrEqual(3);
    expect(await deleted).toBe(100);
    await stop();
  });

  test("a GET and an HSET wait for one transaction of another client's many leases", async () => {
    const { left, right, define, countOf, stop } = await start();
    await define(["y", ...named(1000)]);
    const taken = left.command("MGET", ...named(1000));
    await until(() => countOf("write line/") > 0, 1);
    const before = countOf("write line/");
    expect(await right.command("GET", "y")).toBe("0");
    expect(await right.command("HSET", "z", "type", "3")).toBe(1);
    expect(countOf("write line/") - before).toBeLessThan(9);
    expect(await taken).toEqual(named(1000).map(() => "0"));
    // Forty lines in each.
    expect(countOf("write line/")).toBeLessThan(30);
    await stop();
  });

  test("what a client that left has asked for is not done to its end", async () => {
    const { left, right, define, countOf, engine, server, cluster, stop } = await start();
    await define(named(200));
    const id = await left.command("CLIENT", "ID");
    left.command("DEL", ...named(200)).catch(() => {});
    await until(() => countOf("write name/n10") > 0, 1);
    await right.command("CLIENT", "KILL", "ID", String(id));
    await until(() => server.counters.blocked === 0, 1);
    const { size } = engine;
    expect(size).toBeGreaterThan(100);
    await cluster.poll();
    expect(engine.size).toBe(size);
    await stop();
  });
});

describe("the watch goes first", () => {
  test("it waits for one piece of all that clients want", async () => {
    const { left, right, define, asked, cluster, stop } = await start();
    await define(named(60));
    const work = [
      left.command("DEL", ...named(60)),
      ...named(60).map((name) => cluster.catalog.define(`more${name}`, new Map([["type", "3"]]))),
      right.command("GET", "x"),
    ];
    for (let looks = 0; looks < 5; looks++) {
      await Bun.sleep(20);
      asked.length = 0;
      await cluster.poll();
      const writes = asked.slice(0, asked.indexOf("look")).filter((each) => /^write/.test(each));
      expect(writes.length).toBeLessThanOrEqual(1);
    }
    await Promise.all(work);
    await stop();
  });

  test("it looks while a transaction loses one race after the other", async () => {
    const { right, asked, races, countOf, cluster, stop } = await start();
    asked.length = 0;
    races.lost = 8;
    const set = right.command("HSET", "y", "type", "3");
    await until(() => countOf("write name/y") === 2, 1);
    await cluster.poll();
    expect(countOf("look")).toBeGreaterThan(0);
    expect(races.lost).toBeGreaterThan(0);
    expect(await set).toBe(1);
    await stop();
  });

  test("a watch that is told of ever new changes lets clients go on", async () => {
    const { right, cluster, stop } = await start();
    let isOver = false;
    const looking = (async () => {
      while (!isOver) await Promise.all([cluster.poll(), Bun.sleep(0)]);
    })();
    const alsoLooking = (async () => {
      while (!isOver) await cluster.poll();
    })();
    for (const name of named(20)) expect(await right.command("HSET", name, "type", "3")).toBe(1);
    isOver = true;
    await Promise.all([looking, alsoLooking]);
    await stop();
  });
});
