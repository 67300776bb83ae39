import { describe, expect, test } from "bun:test";
import { advanceHistory, forgetNode } from "../../../src/cluster/admin/operations.ts";
import { FOUNDING_MS } from "../../../src/cluster/node/membership.ts";
import { readNode } from "../../../src/cluster/stores/records.ts";
import { ReplyError, TestClient } from "../../../testkit/resp.ts";
import { until } from "../../../testkit/until.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { clockOf, startNode } from "../../support/server.ts";
import { SharedRows } from "../../support/shared-store.ts";

/** Two nodes of one cluster, a client on each. */
async function startTwo() {
  const rows = new SharedRows();
  const one = await startNode(new MemoryStore(), rows.open());
  const two = await startNode(new MemoryStore(), rows.open());
  const [left, right] = [await TestClient.connect(one.port), await TestClient.connect(two.port)];
  const stop = async () => {
    for (const client of [left, right]) client.close();
    for (const { server: listener } of [one, two]) await listener.stop();
    for (const { fatal } of [one, two]) expect(fatal).toEqual([]);
  };
  return { rows, one, two, left, right, stop };
}

const error = (message: string) => new ReplyError(message);
const gets = (name: string, count: number) => Array.from({ length: count }, () => ["GET", name]);

/** Asks again and again, until what comes is as it should be. */
async function eventually(ask: () => Promise<unknown>, wanted: unknown): Promise<void> {
  await until(async () => Bun.deepEquals(await ask(), wanted));
}

describe("two nodes share their lines", () => {
  test("a name defined on one works on the other at once, and no number comes twice", async () => {
    const { left, right, stop } = await startTwo();
    expect(await left.command("HSET", "o", "type", "3", "starting", "7")).toBe(2);
    const [first, second] = await Promise.all([
      left.pipeline(gets("o", 500)),
      right.pipeline(gets("o", 500)),
    ]);
    expect(new Set([...first!, ...second!]).size).toBe(1000);
    for (const some of [first!, second!]) {
      const numbers = some.map(Number);
      expect(numbers).toEqual(numbers.toSorted((one, other) => one - other));
    }
    await stop();
  });

  test.each(["memory", "pre-base", "pre-checkpoint", "elegant_close", "pre_close"])(
    "a node goes on in its own lease after a clean stop, with %s",
    async (strategy) => {
      const rows = new SharedRows();
      const store = new MemoryStore();
      const one = await startNode(store, rows.open());
      const client = await TestClient.connect(one.port);
      await client.command("HSET", "o", "type", "3", "auto_disk", strategy);
      const taken = (await client.pipeline(gets("o", 130))).map(Number);
      client.close();
      await one.server.stop();
      const again = await startNode(store.reopen(), rows.open());
      const next = await TestClient.connect(again.port);
      const number = Number(await next.command("GET", "o"));
      expect(number).toBeGreaterThan(taken.at(-1)!);
      if (strategy === "elegant_close" || strategy === "pre_close") expect(number).toBe(130);
      const fields = await next.info("o");
      const isResumed = strategy !== "memory";
      expect(fields.generated).toBe(isResumed ? "131" : "1");
      expect(fields).toMatchObject({ cluster_nodes: "1", cluster_generated: "131" });
      next.close();
      await again.server.stop();
    },
  );

  test("HSET, DEL and a strategy on one node hold on the other within a second", async () => {
    const { left, right, stop } = await startTwo();
    await left.command("HSET", "o", "type", "2", "length", "4");
    expect(await right.command("HGET", "o", "type")).toBe("2");
    expect(await right.command("HSET", "o", "length", "3")).toEqual(
      error("ERR cannot change 'length' of 'o': its numbers are in use. Define another name"),
    );
    expect(await right.command("HSET", "o", "length", "5")).toBe(0);
    await eventually(() => left.command("HGET", "o", "length"), "5");
    expect(await right.command("HSET", "o", "auto_disk", "pre_close")).toBe(0);
    await eventually(() => left.command("HGET", "o", "auto_disk"), "pre_close");
    expect(await left.command("DEL", "o", "nothing")).toBe(1);
    expect(await left.command("GET", "o")).toEqual(error("ERR dispenser not found: 'o'"));
    await eventually(() => right.command("GET", "o"), error("ERR dispenser not found: 'o'"));
    await stop();
  });

  test("a line at its end goes on, on both, where its length grew", async () => {
    const { left, right, stop } = await startTwo();
    await left.command("HSET", "o", "type", "2", "length", "1", "starting", "8");
    expect(await left.command("MGET", "o", "o")).toEqual(["8", "9"]);
    expect(await left.command("GET", "o")).toEqual(error("ERR number range exhausted: 'o'"));
    expect(await right.command("GET", "o")).toEqual(error("ERR number range exhausted: 'o'"));
    expect(await right.command("HSET", "o", "length", "3")).toBe(0);
    for (const client of [right, left]) {
      await eventually(async () => /^\d{3}$/.test(String(await client.command("GET", "o"))), true);
    }
    await stop();
  });

  test("a name that was deleted and made anew is another line, on all nodes", async () => {
    const { left, right, stop } = await startTwo();
    await left.command("HSET", "o", "type", "3");
    expect(await right.command("GET", "o")).toBe("0");
    await left.command("DEL", "o");
    await left.command("HSET", "o", "type", "3", "starting", "5000");
    expect(await left.command("GET", "o")).toBe("5000");
    await eventually(async () => Number(await right.command("GET", "o")) >= 5000, true);
    await stop();
  });

  test("ADVANCE moves the line on for all", async () => {
    const { left, right, stop } = await startTwo();
    await left.command("HSET", "o", "type", "3", "step", "10");
    await left.command("GET", "o");
    await right.command("GET", "o");
    expect(await left.command("ADVANCE", "o", "100001")).toBe("100010");
    expect(await left.command("GET", "o")).toBe("100010");
    await eventually(async () => Number(await right.command("GET", "o")) > 100_000, true);
    expect(await left.command("ADVANCE", "o", "50")).toBe("100020");
    expect(await left.command("ADVANCE", "nothing", "50")).toEqual(
      error("ERR dispenser not found: 'nothing'"),
    );
    await left.command("HSET", "r", "type", "1", "length", "5");
    expect(await right.command("ADVANCE", "r", "50")).toEqual(
      error("ERR ADVANCE does not apply to type 1"),
    );
    await stop();
  });

  test("a line's last number is handed out once, and then none", async () => {
    const { left, right, stop } = await startTwo();
    await left.command("HSET", "o", "type", "2", "length", "2");
    const numbers: unknown[] = [];
    for (let isOver = false; !isOver; ) {
      const both = [left.pipeline(gets("o", 30)), right.pipeline(gets("o", 30))];
      const some = (await Promise.all(both)).flat();
      numbers.push(...some.filter((reply) => typeof reply === "string"));
      isOver = some.every((reply) => reply instanceof ReplyError);
    }
    expect(new Set(numbers).size).toBe(100);
    expect(numbers).toHaveLength(100);
    expect(await left.command("GET", "o")).toEqual(error("ERR number range exhausted: 'o'"));
    expect(await right.command("GET", "o")).toEqual(error("ERR number range exhausted: 'o'"));
    expect(await right.command("ADVANCE", "o", "99")).toEqual(
      error("ERR number range exhausted: 'o'"),
    );
    await stop();
  });

  test("MGET and EXEC get all their numbers, however few the node holds", async () => {
    const { left, right, stop } = await startTwo();
    for (const name of ["a", "b"]) await left.command("HSET", name, "type", "3");
    const wanted = [...Array(150).fill("a"), "b", "b"];
    const numbers = (await right.command("MGET", ...wanted)) as string[];
    expect(numbers.slice(0, 3)).toEqual(["0", "1", "2"]);
    expect(numbers.slice(-2)).toEqual(["0", "1"]);
    await right.command("MULTI");
    for (let count = 0; count < 300; count++) await right.command("GET", "a");
    const replies = (await right.command("EXEC")) as string[];
    expect(replies).toHaveLength(300);
    expect(new Set([...numbers.slice(0, 150), ...replies]).size).toBe(450);
    expect(await right.command("MGET", "a", "nothing")).toEqual(
      error("ERR dispenser not found: 'nothing'"),
    );
    await stop();
  });

  test("what changes names is refused in a transaction", async () => {
    const { left, stop } = await startTwo();
    await left.command("MULTI");
    expect(await left.command("HSET", "o", "type", "3")).toEqual(
      error("ERR HSET is not allowed in a transaction in a cluster"),
    );
    expect(await left.command("EXEC")).toEqual(
      error("EXECABORT Transaction discarded because of previous errors."),
    );
    await stop();
  });

  test("INFO shows the node's own figures, and what all nodes did", async () => {
    const { left, right, stop } = await startTwo();
    await left.command("HSET", "o", "type", "3");
    await left.pipeline(gets("o", 10));
    await right.pipeline(gets("o", 20));
    const fields = await right.info("o");
    expect(fields).toMatchObject({ current: "120", generated: "20", wasted: "0" });
    expect(fields).toMatchObject({
      cluster_figures: "all",
      cluster_lease_left: "80",
      cluster_nodes: "2",
      cluster_leased: "200",
      cluster_wasted: "0",
    });
    expect(Number(fields.cluster_generated)).toBeGreaterThanOrEqual(20);
    expect(await right.command("INFO", "cluster")).toContain("cluster_store_status:ok\r\n");
    expect(await right.command("INFO", "nothing")).toEqual(
      error("ERR dispenser not found: 'nothing'"),
    );
    await right.command("MULTI");
    await right.command("INFO", "o");
    const inTransaction = String(await right.command("EXEC"));
    expect(inTransaction).toContain("cluster_figures:local\r\ncluster_lease_left:80\r\n");
    expect(inTransaction).not.toContain("cluster_generated");
    await stop();
  });

  test("names are listed alike on all nodes, with the same cursors", async () => {
    const { left, right, stop } = await startTwo();
    for (const name of ["a", "b", "c"]) await left.command("HSET", name, "type", "3");
    await eventually(() => right.command("DBSIZE"), 3);
    for (const client of [left, right]) {
      expect(await client.command("SCAN", "0", "COUNT", "2")).toEqual(["2", ["a", "b"]]);
      expect(await client.command("SCAN", "2", "COUNT", "2")).toEqual(["0", ["c"]]);
    }
    await stop();
  });
});

describe("what a node tells of itself unasked", () => {
  test("its usage of a line, within a few seconds, and nothing while nothing is taken", async () => {
    const { rows, left, right, stop } = await startTwo();
    for (const name of ["o", "p"]) await left.command("HSET", name, "type", "3");
    await left.command("HSET", "r", "type", "1", "length", "4");
    await left.pipeline(gets("o", 10));
    await left.command("GET", "r");
    const began = performance.now();
    await until(async () => (await right.info("o")).cluster_generated === "10");
    await left.pipeline(gets("o", 7));
    await until(async () => (await right.info("o")).cluster_generated === "17");
    expect(performance.now() - began).toBeLessThan(15_000);
    const before = rows.writes;
    await Bun.sleep(2500);
    expect(rows.writes).toBe(before);
    await stop();
  }, 20_000);

  test("that it lives, each 30 seconds, where it writes nothing else", async () => {
    const rows = new SharedRows();
    let aheadMs = 0;
    // The look for rows to remove, which writes, comes as late as it may.
    const random = () => 0.999;
    const world = { clock: { ...clockOf(() => performance.now() + aheadMs), random } };
    const one = await startNode(new MemoryStore(), rows.open(), {}, "here", world);
    const shared = rows.open();
    const key = `node/${one.cluster.node}`;
    const record = async () => readNode((await shared.read([key])).rows.get(key))!;
    await until(async () => (await record()).addresses?.[0] === `127.0.0.1:${one.port}`);
    // What a start writes late on a busy machine is no sign of life.
    let before: number;
    do {
      before = (await record()).sequence;
      await Bun.sleep(2500);
    } while ((await record()).sequence !== before);
    const { sequence, writtenAtMs } = await record();
    aheadMs = 20_000;
    await Bun.sleep(1000);
    expect((await record()).sequence).toBe(sequence);
    aheadMs = 30_000;
    await until(async () => (await record()).sequence > sequence);
    await Bun.sleep(1000);
    expect((await record()).sequence).toBe(sequence + 1);
    expect((await record()).writtenAtMs!).toBeGreaterThan(writtenAtMs!);
    await one.server.stop();
  }, 20_000);

  test("also of more lines than go into one report, and where counts are saved as well", async () => {
    const rows = new SharedRows();
    const [one, two] = [
      await startNode(new MemoryStore(), rows.open(), { autoSave: true }),
      await startNode(new MemoryStore(), rows.open()),
    ];
    const [left, right] = [await TestClient.connect(one.port), await TestClient.connect(two.port)];
    const names = Array.from({ length: 150 }, (_, index) => `n${index}`);
    await left.pipeline(names.map((name) => ["HSET", name, "type", "3"]));
    await left.command("MGET", ...names);
    for (const name of names)
      await until(async () => (await right.info(name)).cluster_generated === "1");
    for (const client of [left, right]) client.close();
    for (const { server } of [one, two]) await server.stop();
  }, 20_000);
});

test("a node whose INFO alone noticed that the store was away calls the roll before it leases", async () => {
  const { rows, one, left, stop } = await startTwo();
  await left.command("HSET", "o", "type", "3");
  expect(await left.command("GET", "o")).toBe("0");
  const { cluster } = one;
  expect(cluster.fenced.isConfirmed).toBe(true);
  rows.away = "the cable was cut";
  await cluster.catalog.describe(cluster.engine.find("o")!);
  rows.away = undefined;
  expect([cluster.trouble, cluster.fenced.isConfirmed]).toEqual([undefined, false]);
  expect(await left.pipeline(gets("o", 200))).toHaveLength(200);
  expect(cluster.fenced.isConfirmed).toBe(true);
  await stop();
});

describe("while the store is away", () => {
  const gone = "ERR store unavailable: the cable was cut";

  test("what is held is served, the rest is refused at once, and all resumes by itself", async () => {
    const { rows, one, left, stop } = await startTwo();
    await left.command("HSET", "o", "type", "3");
    await left.command("HSET", "r", "type", "1", "length", "4");
    await left.command("GET", "o");
    rows.away = "the cable was cut";
    await eventually(async () => one.cluster.trouble, "the cable was cut");
    const replies = await left.pipeline(gets("o", 110));
    expect(replies.slice(0, 99)).toEqual(
      Array.from({ length: 99 }, (_, index) => String(index + 1)),
    );
    expect(replies.slice(99)).toEqual(Array(11).fill(error(gone)));
    expect(await left.command("GET", "r")).toMatch(/^\d{4}$/);
    const calls = rows.calls;
    for (const words of [
      ["HSET", "p", "type", "3"],
      ["DEL", "o"],
      ["ADVANCE", "o", "500"],
      ["GET", "unknown"],
    ]) {
      expect(await left.command(...words)).toEqual(error(gone));
    }
    const { cluster_generated, ...info } = await left.info("o");
    expect(cluster_generated).toBeUndefined();
    expect(info).toMatchObject({
      ...{ generated: "100", cluster_figures: "local", cluster_lease_left: "0" },
      ...{ cluster_store_status: "unavailable", cluster_store_error: "the cable was cut" },
    });
    // They were not asked for: only the node itself looks whether it is back.
    expect(rows.calls - calls).toBeLessThan(4);
    rows.away = undefined;
    await eventually(async () => typeof (await left.command("GET", "o")), "string");
    const told = one.logged.filter((line) => line.includes("store"));
    expect(told.filter((line) => line.includes("unavailable"))).toHaveLength(1);
    expect(told.filter((line) => line.includes("available again"))).toHaveLength(1);
    await stop();
  });

  test("a node is ready as long as it holds leased numbers of any line, and when it is back", async () => {
    const { rows, one, two, left, right, stop } = await startTwo();
    const notReady = error(
      "NOTREADY the lease store cannot be used, and no leased number is left: see INFO cluster",
    );
    await left.command("HSET", "r", "type", "1", "length", "4");
    for (const name of ["o", "p", "q"]) await left.command("HSET", name, "type", "3");
    for (const name of ["o", "p", "q"]) await left.command("GET", name);
    await left.command("DEL", "q");
    await eventually(() => right.command("EXISTS", "o", "q"), 1);
    for (const client of [left, right]) expect(await client.command("READY")).toBe("READY");
    rows.away = "the cable was cut";
    await eventually(async () => [one, two].every(({ cluster }) => cluster.trouble), true);
    // The other node knows all names, and holds nothing of them.
    expect(await right.command("READY")).toEqual(notReady);
    expect(await right.command("GET", "r")).toMatch(/^\d{4}$/);
    await left.pipeline(gets("o", 99));
    expect(await left.command("READY")).toBe("READY");
    await left.pipeline(gets("p", 98));
    expect(await left.command("READY")).toBe("READY");
    expect(await left.command("GET", "p")).toBe("99");
    expect(await left.command("READY")).toEqual(notReady);
    expect(await left.pipeline([["MULTI"], ["READY"], ["EXEC"]])).toEqual([
      ...["OK", "QUEUED"],
      [notReady],
    ]);
    rows.away = undefined;
    for (const client of [left, right]) await eventually(() => client.command("READY"), "READY");
    await stop();
  });

  test("a node without any line is not ready, and one that comes back with numbers is", async () => {
    const rows = new SharedRows();
    const store = new MemoryStore();
    const one = await startNode(store, rows.open());
    const client = await TestClient.connect(one.port);
    rows.away = "the cable was cut";
    await eventually(async () => one.cluster.trouble, "the cable was cut");
    expect((await client.command("READY")) as Error).toBeInstanceOf(ReplyError);
    rows.away = undefined;
    await eventually(() => client.command("READY"), "READY");
    await client.command("HSET", "o", "type", "3");
    await client.command("GET", "o");
    client.close();
    await one.server.stop();
    const again = await startNode(store.reopen(), rows.open());
    const next = await TestClient.connect(again.port);
    rows.away = "the cable was cut";
    await eventually(async () => again.cluster.trouble, "the cable was cut");
    expect(await next.command("READY")).toBe("READY");
    next.close();
    await again.server.stop();
  });

  test("a lease whose answer was lost is never handed out", async () => {
    const { rows, one, left, right, stop } = await startTwo();
    await left.command("HSET", "o", "type", "3");
    rows.losesAnswers = true;
    expect(await left.command("GET", "o")).toEqual(
      error("ERR store unavailable: the answer was lost"),
    );
    rows.losesAnswers = false;
    expect(await right.command("GET", "o")).toBe("100");
    await eventually(async () => one.cluster.trouble, undefined);
    expect(await left.command("GET", "o")).toBe("200");
    expect(await left.info("o")).toMatchObject({ cluster_leased: "300", cluster_wasted: "100" });
    expect(one.logged.join("\n")).toContain("a lease was not heard of, and is lost dispenser=o");
    await stop();
  });

  test("a node that is started waits for it", async () => {
    const rows = new SharedRows();
    rows.away = "not there yet";
    const starting = startNode(new MemoryStore(), rows.open());
    await until(() => rows.calls > 0);
    rows.away = undefined;
    const { server: listener, logged } = await starting;
    expect(logged.join("\n")).toContain("not there yet");
    expect(logged.filter((line) => line.includes("takes no clients yet"))).toHaveLength(1);
    await listener.stop();
  });

  test("a node's full disk takes the lease back, and the next one comes behind it", async () => {
    const rows = new SharedRows();
    const store = new MemoryStore();
    const one = await startNode(store, rows.open());
    const client = await TestClient.connect(one.port);
    await client.command("HSET", "o", "type", "3");
    store.lasting = "unavailable";
    expect(await client.command("GET", "o")).toEqual(
      error("ERR storage unavailable: the disk is full"),
    );
    store.lasting = undefined;
    store.failures = [undefined, "unavailable"];
    expect(await client.command("GET", "o")).toEqual(
      error("ERR storage unavailable: the disk is full"),
    );
    expect(await client.command("GET", "o")).toBe("100");
    client.close();
    await one.server.stop();
  });
});

describe("a store that went back in time", () => {
  test("is taken for good by an operator, told what it forgot, and repeats nothing", async () => {
    const { rows, one, two, left, right, stop } = await startTwo();
    await left.command("HSET", "o", "type", "3");
    const before = new Set((await right.pipeline(gets("o", 50))) as string[]);
    const forget = rows.save();
    for (const number of await left.pipeline(gets("o", 150))) before.add(String(number));
    await left.command("HSET", "later", "type", "3");
    await left.command("GET", "later");
    await left.command("DEL", "nothing");
    forget();
    await eventually(async () => /went back in time/.test(one.cluster.trouble ?? ""), true);
    expect(await advanceHistory(rows.open(), 2000n, Date.now())).toBe(1);
    for (const { cluster } of [one, two]) await eventually(async () => cluster.trouble, undefined);
    for (const client of [left, right]) {
      for (const number of await client.pipeline(gets("o", 200))) {
        expect(before.has(String(number))).toBe(false);
        before.add(String(number));
      }
    }
    // The store forgot the name; the node that knew it told it.
    expect(await left.command("GET", "later")).toBe("1");
    await eventually(async () => typeof (await right.command("GET", "later")), "string");
    await stop();
  });

  test("an earlier epoch is no later one", async () => {
    const { rows, one, left, stop } = await startTwo();
    await left.command("HSET", "o", "type", "3");
    const forget = rows.save();
    await advanceHistory(rows.open(), 0n, Date.now());
    const accepted = "an operator accepted the store as it is";
    await eventually(async () => one.logged.some((line) => line.includes(accepted)), true);
    forget();
    await eventually(async () => /went back in time/.test(one.cluster.trouble ?? ""), true);
    await advanceHistory(rows.open(), 0n, Date.now());
    await eventually(async () => one.cluster.trouble, undefined);
    await stop();
  });

  test("is not leased from until an operator says so", async () => {
    const { rows, one, two, left, stop } = await startTwo();
    await left.command("HSET", "o", "type", "3");
    await left.command("GET", "o");
    const forget = rows.save();
    await left.command("ADVANCE", "o", "50");
    // A restored store was away first: that is said, and then what an operator has to know.
    rows.away = "restarting";
    await eventually(async () => one.cluster.trouble, "restarting");
    forget();
    rows.away = undefined;
    const hasSaid = ({ logged }: typeof one) => logged.join().includes("went back in time");
    await until(() => hasSaid(one) && hasSaid(two));
    expect(await left.command("INFO", "cluster")).toContain(
      "cluster_store_error:the store went back",
    );
    // Whichever noticed first tells the other.
    expect(String((await left.pipeline(gets("o", 100))).at(-1))).toMatch(
      /ERR store unavailable: the store went back in time \(its revision was \d+, and is \d+ now(, says node [\da-f-]+)?\): nothing is leased until 'number-dispenser cluster advance'$/,
    );
    await stop();
  });

  /** A node that is started, and whether it is in. */
  const begin = (rows: SharedRows, store = new MemoryStore()) => {
    const state = { isIn: false, node: startNode(store, rows.open()) };
    void state.node.then(() => {
      state.isIn = true;
    });
    return state;
  };

  test("is remembered over restarts of all nodes, and told to fresh ones", async () => {
    const rows = new SharedRows();
    const stores = [new MemoryStore(), new MemoryStore()];
    const [one, two] = await Promise.all(stores.map((store) => startNode(store, rows.open())));
    const [left, right] = await Promise.all(
      [one!, two!].map(({ port }) => TestClient.connect(port)),
    );
    await left!.command("HSET", "o", "type", "3");
    await left!.command("GET", "o");
    const forget = rows.save();
    const taken = await right!.pipeline(gets("o", 300));
    forget();
    await until(() => two!.cluster.trouble !== undefined && one!.cluster.trouble !== undefined);
    for (const client of [left, right]) client!.close();
    // They are killed; new lives and a new node find the store as it is.
    for (const { cluster } of [one!, two!]) cluster.abandon();
    const begun = [...stores.map((store) => begin(rows, store.reopen())), begin(rows)];
    const { calls } = rows;
    await until(() => rows.calls > calls + 30);
    expect(begun.map(({ isIn }) => isIn)).toEqual([false, false, false]);
    await advanceHistory(rows.open(), 1000n, Date.now());
    const nodes = await Promise.all(begun.map(({ node }) => node));
    for (const { port, logged, server: listener } of nodes) {
      expect(logged.join()).toContain("went back in time");
      const client = await TestClient.connect(port);
      const numbers = await client.pipeline(gets("o", 100));
      expect(numbers.filter((number) => taken.includes(number))).toEqual([]);
      taken.push(...numbers);
      client.close();
      await listener.stop();
    }
    await one!.server.stop();
    await two!.server.stop();
  });

  test("knows by itself that its rows were put back, and says so to a fresh node alone", async () => {
    const rows = new SharedRows();
    const first = await startNode(new MemoryStore(), rows.open());
    const client = await TestClient.connect(first.port);
    await client.command("HSET", "o", "type", "3");
    const forget = rows.save();
    await client.command("GET", "o");
    client.close();
    await first.server.stop();
    forget();
    rows.isRestored = true;
    const { node } = begin(rows);
    const { calls } = rows;
    await until(() => rows.calls > calls + 5);
    await advanceHistory(rows.open(), 500n, Date.now());
    const { port, logged, server: listener } = await node;
    expect(logged.join()).toContain("its rows were put back from a dump or snapshot");
    const other = await TestClient.connect(port);
    expect(await other.command("GET", "o")).toBe("500");
    other.close();
    await listener.stop();
  });

  test("a fresh node waits for those who know better, and hears of it", async () => {
    const rows = new SharedRows();
    const one = await startNode(new MemoryStore(), rows.open());
    const client = await TestClient.connect(one.port);
    await client.command("HSET", "o", "type", "3");
    await client.command("GET", "o");
    const forget = rows.save();
    await client.command("ADVANCE", "o", "5000");
    // Nothing shows it but the row of the node; that is the only one that looks.
    forget();
    const fresh = await startNode(new MemoryStore(), rows.open());
    const other = await TestClient.connect(fresh.port);
    expect(String(await other.command("GET", "o"))).toContain("went back in time");
    for (const each of [client, other]) each.close();
    for (const { server: listener } of [one, fresh]) await listener.stop();
  });

  test("a member that is gone is waited for, and not for ever", async () => {
    const rows = new SharedRows();
    const gone = await startNode(new MemoryStore(), rows.open());
    gone.cluster.abandon();
    const next = await startNode(new MemoryStore(), rows.open());
    const client = await TestClient.connect(next.port);
    await client.command("HSET", "o", "type", "3");
    expect(await client.command("GET", "o")).toBe("0");
    expect(next.logged.join("\n")).toContain(
      `went on without what these nodes know of the store nodes=${gone.cluster.node} count=1`,
    );
    client.close();
    for (const { server: listener } of [gone, next]) await listener.stop();
  });
});

describe("what a model of the protocol found", () => {
  test("a node that the store forgot is waited for before others lease", async () => {
    const rows = new SharedRows();
    const store = new MemoryStore();
    const one = await startNode(store, rows.open());
    const client = await TestClient.connect(one.port);
    await client.command("HSET", "o", "type", "3");
    client.close();
    one.cluster.abandon();
    const forget = rows.save();
    // It starts, and leases, while the other is down: nobody but it knows of that.
    const stranger = await startNode(new MemoryStore(), rows.open());
    const other = await TestClient.connect(stranger.port);
    const taken = await other.pipeline(gets("o", 50));
    expect(taken.at(-1)).toBe("49");
    forget();
    rows.term = "2";
    const again = await startNode(store.reopen(), rows.open());
    const back = await TestClient.connect(again.port);
    const replies = await back.pipeline(gets("o", 5));
    expect(String(replies.at(-1))).toContain("went back in time");
    for (const each of [other, back]) each.close();
    for (const { server: listener } of [one, stranger, again]) await listener.stop();
  });

  test("a node that could not tell the store all that it knew does so before it leases", async () => {
    const { rows, one, two, left, right, stop } = await startTwo();
    await left.command("HSET", "o", "type", "3");
    const forget = rows.save();
    const taken = await left.pipeline(gets("o", 60));
    forget();
    await until(() => one.cluster.trouble !== undefined && two.cluster.trouble !== undefined);
    rows.failsOnce = (keys) => keys.some((key) => key.startsWith("line/"));
    await advanceHistory(rows.open(), 1000n, Date.now());
    await until(() => rows.failsOnce === undefined);
    await until(() => one.cluster.trouble === undefined && two.cluster.trouble === undefined);
    const forgetAgain = rows.save();
    taken.push(...(await left.pipeline(gets("o", 300))));
    forgetAgain();
    // Nobody said that this is to be taken for good.
    await until(() => one.cluster.trouble !== undefined && two.cluster.trouble !== undefined);
    const replies = await right.pipeline(gets("o", 300));
    expect(replies.filter((reply) => taken.includes(reply))).toEqual([]);
    expect(String(replies.at(-1))).toContain("went back in time");
    await stop();
  });
});

describe("a replica that took over", () => {
  test("goes on by itself where it has all that every member wrote", async () => {
    const { rows, one, two, left, right, stop } = await startTwo();
    await left.command("HSET", "o", "type", "3");
    await left.command("GET", "o");
    rows.timeline = "2";
    for (const client of [left, right]) {
      await eventually(async () => typeof (await client.command("GET", "o")), "string");
      const numbers = await client.pipeline(gets("o", 300));
      expect(numbers.filter((number) => typeof number !== "string")).toEqual([]);
    }
    for (const { logged } of [one, two]) expect(logged.join()).not.toContain("went back");
    const { rows: found } = await rows.open().read(["cluster"]);
    expect(found.get("cluster")!.value).toContain('"timeline":"2"');
    await stop();
  });

  test("waits for an operator where a member cannot say so", async () => {
    const { rows, one, two, left, right, stop } = await startTwo();
    await left.command("HSET", "o", "type", "3");
    two.cluster.abandon();
    rows.timeline = "2";
    await until(() => one.cluster.trouble?.includes("did not confirm") === true);
    expect(one.cluster.trouble).toContain(
      `it goes by timeline 2 after 1, and node ${two.cluster.node} did not confirm what it wrote before`,
    );
    // It is no proof of anything: once the member is written off the others go on.
    await forgetNode(rows.open(), two.cluster.node);
    await eventually(async () => typeof (await left.command("GET", "o")), "string");
    expect(one.logged.join()).not.toContain("went back");
    right.close();
    await stop();
  });
});

describe("founding a cluster", () => {
  test("takes two steps, and is refused where nothing may be made", async () => {
    const rows = new SharedRows({ isFounded: false });
    const refused = startNode(new MemoryStore(), rows.open(), { create: false });
    await expect(refused).rejects.toThrow(
      "the store shared rows has no cluster, and storage.create is false: it may have been emptied",
    );
    const begun = performance.now();
    const nodes = await Promise.all([1, 2].map(() => startNode(new MemoryStore(), rows.open())));
    expect(performance.now() - begun).toBeGreaterThan(FOUNDING_MS);
    expect(new Set(nodes.map(({ cluster }) => cluster.node)).size).toBe(2);
    for (const { server: listener } of nodes) await listener.stop();
  });

  test("is objected to by the nodes of a store that was emptied", async () => {
    const rows = new SharedRows();
    const one = await startNode(new MemoryStore(), rows.open());
    const client = await TestClient.connect(one.port);
    await client.command("HSET", "o", "type", "3");
    expect(await client.command("GET", "o")).toBe("0");
    rows.empty();
    const fresh = startNode(new MemoryStore(), rows.open());
    await until(() => one.cluster.trouble?.includes("went back") === true);
    await advanceHistory(rows.open(), 0n, Date.now());
    const { server: listener, port } = await fresh;
    const other = await TestClient.connect(port);
    // The node told the store what it knows: the name, and how far it leased.
    await eventually(async () => other.command("GET", "o"), "100");
    // What the store forgot was leased all the same: one number was handed out by each node.
    const counts = { cluster_leased: "200", cluster_generated: "2", cluster_wasted: "0" };
    for (const each of [client, other]) {
      await eventually(async () => {
        const info = await each.info("o");
        return Object.fromEntries(Object.keys(counts).map((field) => [field, info[field]]));
      }, counts);
    }
    for (const each of [client, other]) each.close();
    for (const { server: each } of [{ server: listener }, one]) await each.stop();
  });

  test("is refused where rows are left, as the prefix of another cluster inside it would have them", async () => {
    const rows = new SharedRows({ isFounded: false });
    await rows.open().write({ guards: new Map(), puts: new Map([["name/cluster", "{}"]]) });
    await expect(startNode(new MemoryStore(), rows.open())).rejects.toThrow(
      "the store shared rows has the row name/cluster but none of a cluster",
    );
  });
});
