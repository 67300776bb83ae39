import { describe, expect, test } from "bun:test";
import { advanceHistory } from "../../../src/cluster/admin/operations.ts";
import { realClock } from "../../../src/cluster/stores/monotonic.ts";
import { lineKey, readLine } from "../../../src/cluster/stores/records.ts";
import type { Leased } from "../../../src/dispenser/allocation.ts";
import { ReplyError, TestClient } from "../../../testkit/resp.ts";
import { until } from "../../../testkit/until.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { startNode } from "../../support/server.ts";
import { SharedRows } from "../../support/shared-store.ts";

const HOUR_MS = 3_600_000;

/** A node whose wall clock is turned by hand, as if so much time passed. */
class ClockedNode {
  readonly client!: TestClient;
  store: MemoryStore;
  private wallMs: number;
  private running!: Awaited<ReturnType<typeof startNode>>;
  private readonly rows: SharedRows;

  private constructor(rows: SharedRows, time: string, store = new MemoryStore()) {
    this.rows = rows;
    this.store = store;
    this.wallMs = Date.parse(time);
  }

  static async start(rows: SharedRows, time: string): Promise<ClockedNode> {
    const node = new ClockedNode(rows, time);
    await node.open();
    return node;
  }

  private async open(): Promise<void> {
    const clock = { ...realClock, wallMs: () => this.wallMs, bootMs: () => this.wallMs };
    this.running = await startNode(this.store, this.rows.open(), {}, "here", { clock });
    const client = await TestClient.connect(this.running.port);
    Object.assign(this, { client });
  }

  get cluster() {
    return this.running.cluster;
  }

  get logged(): readonly string[] {
    return this.running.logged;
  }

  get engine() {
    return this.running.cluster.engine;
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.startAgain();
  }

  /** The next life, after stop(). */
  async startAgain(): Promise<void> {
    this.store = this.store.reopen();
    await this.open();
  }

  /** So much time passes. */
  pass(ms: number): void {
    this.wallMs += ms;
    this.engine.dated.checkClock();
  }

  /** The clock is wrong by so much from now on. */
  set(time: string): void {
    this.wallMs = Date.parse(time);
    this.engine.dated.checkClock();
  }

  get(name: string): Promise<unknown> {
    return this.client.command("GET", name);
  }

  async getMany(name: string, count: number): Promise<string[]> {
    const replies = await this.client.pipeline(Array.from({ length: count }, () => ["GET", name]));
    return replies.map(String);
  }

  allocation(name: string) {
    return this.engine.find(name)!.allocation as Leased;
  }

  async stop(): Promise<void> {
    this.client.close();
    await this.running.server.stop();
    expect(this.running.fatal).toEqual([]);
  }
}

const daily = ["type", "3", "format", "{yyyy}{MM}{dd}-{n}", "period", "day"];

async function startTwo(time: string) {
  const rows = new SharedRows();
  const [one, two] = [await ClockedNode.start(rows, time), await ClockedNode.start(rows, time)];
  const lineOf = async (name: string) => {
    const key = lineKey(one.engine.find(name)!.id);
    return readLine((await rows.open().read([key])).rows.get(key))!;
  };
  const stop = async () => {
    for (const node of [one, two]) await node.stop();
  };
  /** Both can use the store again. */
  const settle = () =>
    until(async () => {
      await Promise.all([one, two].map(({ cluster }) => cluster.poll()));
      return [one, two].every(({ cluster }) => cluster.trouble === undefined);
    });
  return { rows, one, two, lineOf, stop, settle };
}

const plain = (text: string) => Number(text.split("-")[1]);

describe("two nodes share a line with periods", () => {
  test("each period begins again, and no text comes twice", async () => {
    const { one, two, lineOf, stop } = await startTwo("2026-11-30T12:00:00Z");
    expect(await one.client.command("HSET", "d", ...daily)).toBe(3);
    const taken = [...(await one.getMany("d", 150)), ...(await two.getMany("d", 150))];
    for (const node of [one, two]) node.pass(12 * HOUR_MS);
    const next = [...(await one.getMany("d", 150)), ...(await two.getMany("d", 150))];
    expect(new Set([...taken, ...next]).size).toBe(600);
    expect(taken.every((text) => text.startsWith("20261130-"))).toBe(true);
    expect(next.every((text) => text.startsWith("20261201-"))).toBe(true);
    expect(next.map(plain)).toContain(0);
    expect((await lineOf("d")).periods!.map(({ period }) => period)).toHaveLength(2);
    await stop();
  });

  test("a node with a clock ahead opens no period for the other", async () => {
    const { one, two, stop } = await startTwo("2026-11-30T23:59:00Z");
    await one.client.command("HSET", "d", ...daily);
    expect(await two.get("d")).toBe("20261130-0");
    one.pass(HOUR_MS);
    expect(await one.get("d")).toBe("20261201-0");
    expect(await two.get("d")).toBe("20261130-1");
    one.set("2026-11-30T20:00:00Z");
    expect(await one.get("d")).toBe("20261201-1");
    two.pass(HOUR_MS);
    expect(await two.get("d")).toBe("20261201-100");
    await stop();
  });

  test("a node goes on in its period after a restart, and after a crash", async () => {
    const { one, stop } = await startTwo("2026-11-30T12:00:00Z");
    await one.client.command("HSET", "d", ...daily, "auto_disk", "pre_close");
    await one.getMany("d", 30);
    await one.restart();
    expect(await one.get("d")).toBe("20261130-30");
    one.pass(24 * HOUR_MS);
    expect(await one.get("d")).toBe("20261201-0");
    await one.restart();
    one.set("2026-11-30T12:00:00Z");
    expect(await one.get("d")).toBe("20261201-1");
    await stop();
  });

  test("each leases of the next period early, and goes on with that while the store is away", async () => {
    const { rows, one, two, lineOf, stop } = await startTwo("2026-11-30T12:00:00Z");
    await one.client.command("HSET", "d", ...daily);
    for (const node of [one, two]) await node.get("d");
    const leasedAhead = () => [one, two].filter((node) => node.allocation("d").ahead !== undefined);
    expect(leasedAhead()).toEqual([]);
    for (const node of [one, two]) {
      node.set("2026-11-30T23:59:00Z");
      await node.get("d");
    }
    await until(() => leasedAhead().length === 2);
    // What is leased ahead leaves the present period as it is.
    expect(await one.getMany("d", 120)).toHaveLength(120);
    rows.away = "it is away";
    await until(() => one.cluster.trouble !== undefined && two.cluster.trouble !== undefined);
    for (const node of [one, two]) node.pass(HOUR_MS);
    const next = [...(await one.getMany("d", 100)), ...(await two.getMany("d", 100))];
    expect(next.every((text) => text.startsWith("20261201-"))).toBe(true);
    expect(new Set(next).size).toBe(200);
    expect(await one.get("d")).toBeInstanceOf(ReplyError);
    rows.away = undefined;
    await until(() => one.cluster.trouble === undefined && two.cluster.trouble === undefined);
    expect(String(await one.get("d"))).toStartWith("20261201-");
    expect((await lineOf("d")).periods!.at(-1)!.next).toBeGreaterThan(200n);
    await stop();
  });

  test("counts are exact, and what is left of a lease at the end of its period is wasted", async () => {
    const { one, two, stop } = await startTwo("2026-11-30T12:00:00Z");
    await one.client.command("HSET", "d", ...daily, "auto_disk", "elegant_close");
    await one.getMany("d", 40);
    one.pass(24 * HOUR_MS);
    await one.getMany("d", 30);
    const info = await one.client.info("d");
    expect(info).toMatchObject({ generated: "70", wasted: "60", present_period: "2026-12-01" });
    expect(info).toMatchObject({ cluster_generated: "70", cluster_wasted: "60" });
    expect(Number(info.cluster_lease_left)).toBe(Number(info.cluster_leased) - 130);
    await two.get("d");
    await stop();
  });

  test("an exhausted period ends for both, and says until when", async () => {
    const { one, two, stop } = await startTwo("2026-11-30T12:00:00Z");
    const words = ["type", "2", "length", "1", "format", "{yyyy}{MM}{dd}{n}", "period", "day"];
    await one.client.command("HSET", "d", ...words);
    const taken: string[] = [];
    for (let round = 0; round < 6; round++) {
      for (const node of [one, two]) {
        const reply = await node.get("d");
        if (!(reply instanceof ReplyError)) taken.push(String(reply));
      }
    }
    expect(new Set(taken).size).toBe(10);
    expect(await one.get("d")).toEqual(
      new ReplyError("ERR number range exhausted until 2026-12-01T00:00:00+00:00: 'd'"),
    );
    for (const node of [one, two]) node.pass(12 * HOUR_MS);
    expect(String(await two.get("d"))).toStartWith("20261201");
    await stop();
  });

  test("codes are others in each period, and none comes twice", async () => {
    const { one, two, stop } = await startTwo("2026-11-30T12:00:00Z");
    const words = ["type", "4", "length", "8", "format", "{yy}{MM}-{n}", "period", "month"];
    await one.client.command("HSET", "c", ...words);
    const taken = [...(await one.getMany("c", 300)), ...(await two.getMany("c", 300))];
    for (const node of [one, two]) node.pass(24 * HOUR_MS);
    const next = [...(await one.getMany("c", 300)), ...(await two.getMany("c", 300))];
    expect(new Set([...taken, ...next]).size).toBe(1200);
    expect(new Set([...taken, ...next].map((text) => text.slice(5))).size).toBeGreaterThan(1190);
    for (const text of [taken[0]!, taken[599]!, next[5]!]) {
      expect(await two.client.command("VERIFY", "c", text)).toBe(1);
    }
    await stop();
  });
});

test("a node tells of a clock that is more than a minute off the store's", async () => {
  const rows = new SharedRows();
  rows.clockAheadMs = -90_000;
  const node = await startNode(new MemoryStore(), rows.open());
  const told =
    "warning the clock is not the store's: lines with periods begin them by this one ahead_seconds=90";
  await until(() => node.logged.includes(told));
  await node.server.stop();
});

describe("the store", () => {
  test("keeps the counters of three periods, and VERIFY says what it no longer knows", async () => {
    const { one, two, lineOf, stop } = await startTwo("2026-11-01T12:00:00Z");
    await one.client.command("HSET", "d", ...daily);
    for (let day = 0; day < 5; day++) {
      await one.get("d");
      one.pass(24 * HOUR_MS);
    }
    const { periods, since } = await lineOf("d");
    expect(periods).toHaveLength(3);
    expect(since).toBe(periods![0]!.period);
    const verify = (text: string) => one.client.command("VERIFY", "d", text);
    expect(await verify("20261105-0")).toBe(1);
    expect(await verify("20261105-100000")).toBe(0);
    expect(await verify("20261106-0")).toBe(0);
    expect(await verify("20261102-0")).toEqual(
      new ReplyError(
        "ERR the cluster no longer knows what 'd' did in 2026-11-02: it keeps the latest three periods",
      ),
    );
    // A node whose clock is far behind goes on where the others are.
    two.set("2026-10-01T00:00:00Z");
    expect(await two.client.command("ADVANCE", "d", "50000")).toBe("20261103-50000");
    expect(await two.get("d")).toBe("20261103-50000");
    await stop();
  });

  test("a line that was deleted goes on in its periods", async () => {
    const { one, two, stop } = await startTwo("2026-11-30T12:00:00Z");
    await one.client.command("HSET", "d", ...daily);
    const taken = await one.getMany("d", 150);
    await two.client.command("DEL", "d");
    await one.client.command("HSET", "d", ...daily);
    expect(plain(String(await one.get("d")))).toBeGreaterThan(Math.max(...taken.map(plain)));
    await two.client.command("DEL", "d");
    expect(await one.client.command("HSET", "d", ...daily, "zone", "Asia/Shanghai")).toEqual(
      new ReplyError(
        "ERR 'd' was deleted: its numbers may be in use. Define another name, or say reuse yes",
      ),
    );
    await stop();
  });

  test("ADVANCE holds in the present period, for both nodes", async () => {
    const { one, two, stop } = await startTwo("2026-11-30T23:59:00Z");
    await one.client.command("HSET", "d", ...daily);
    for (const node of [one, two]) await node.get("d");
    await until(() => two.allocation("d").ahead !== undefined);
    expect(await one.client.command("ADVANCE", "d", "20261130-5000")).toBe("20261130-5000");
    await until(async () => plain(String(await two.get("d"))) >= 5000);
    for (const node of [one, two]) node.pass(HOUR_MS);
    for (const node of [one, two]) expect(plain(String(await node.get("d")))).toBeLessThan(1000);
    expect(await one.client.command("ADVANCE", "d", "7000")).toBe("20261201-7000");
    await until(async () => plain(String(await two.get("d"))) >= 7000);
    await stop();
  });

  test("what ADVANCE skips of a lease ahead is skipped by an operator, and not lost", async () => {
    const { one, two, stop, settle } = await startTwo("2026-11-30T23:59:00Z");
    await one.client.command("HSET", "d", ...daily);
    for (const node of [one, two]) await node.get("d");
    await until(() => two.allocation("d").ahead !== undefined);
    const first = two.allocation("d").ahead!.first;
    one.pass(HOUR_MS);
    await one.client.command("ADVANCE", "d", `20261201-${first + 50n}`);
    await settle();
    await until(() => two.allocation("d").ahead!.from === first + 50n);
    await two.restart();
    expect(await two.getMany("d", 150)).toHaveLength(150);
    two.pass(HOUR_MS);
    expect(await two.get("d")).toBe(`20261201-${first + 50n}`);
    await two.getMany("d", 200);
    expect(two.logged.filter((line) => line.includes("lost"))).toEqual([]);
    await stop();
  });

  test("PERIOD is for a server alone", async () => {
    const { one, stop } = await startTwo("2026-11-30T23:59:00Z");
    await one.client.command("HSET", "d", ...daily);
    expect(await one.client.command("PERIOD", "d", "2026-11-29", "FORCE")).toEqual(
      new ReplyError("ERR PERIOD is for a server alone, and 'd' is shared by nodes"),
    );
    await stop();
  });

  test("cluster advance skips a margin in each period that has begun, not in later ones", async () => {
    const { rows, one, two, stop, settle } = await startTwo("2026-11-30T12:00:00Z");
    await one.client.command("HSET", "d", ...daily);
    await one.get("d");
    await advanceHistory(rows.open(), 1000n, Date.parse("2026-12-02T12:00:00Z"));
    await settle();
    const first = async (time: string) => {
      two.set(time);
      return plain(String(await two.get("d")));
    };
    expect(await first("2026-11-30T13:00:00Z")).toBeGreaterThanOrEqual(1100);
    expect(await first("2026-12-01T13:00:00Z")).toBe(1000);
    expect(await first("2026-12-02T13:00:00Z")).toBe(1000);
    expect(await first("2026-12-03T13:00:00Z")).toBe(0);
    await stop();
  });

  test("cluster advance skips a margin in the next period, too, where nodes may lease it early", async () => {
    const { rows, one, two, stop, settle } = await startTwo("2026-11-30T12:00:00Z");
    await one.client.command("HSET", "d", ...daily);
    for (const node of [one, two]) await node.get("d");
    const forget = rows.save();
    one.set("2026-11-30T23:59:00Z");
    await one.get("d");
    await until(() => one.allocation("d").ahead !== undefined);
    await one.stop();
    forget();
    await advanceHistory(rows.open(), 100_000n, Date.parse("2026-11-30T23:59:30Z"));
    two.set("2026-12-01T00:00:10Z");
    await until(async () => !((await two.get("d")) instanceof ReplyError));
    const taken = await two.getMany("d", 50);
    await one.startAgain();
    one.pass(HOUR_MS);
    await settle();
    taken.push(...(await one.getMany("d", 50)));
    expect(new Set(taken).size).toBe(100);
    await stop();
  });

  test("a line that the store forgot leases no period before that of the node which knows it", async () => {
    const { rows, one, two, stop, settle } = await startTwo("2026-11-30T23:59:00Z");
    await one.client.command("HSET", "x", ...daily);
    await settle();
    const forget = rows.save();
    await one.client.command("HSET", "d", ...daily);
    const taken = [...(await two.getMany("d", 5)), ...(await one.getMany("d", 5))];
    one.pass(HOUR_MS);
    taken.push(String(await one.get("d")));
    await settle();
    forget();
    await until(() => one.cluster.trouble !== undefined);
    await advanceHistory(rows.open(), 100_000n, Date.parse("2026-12-01T00:59:30Z"));
    await settle();
    taken.push(...(await two.getMany("d", 150)));
    expect(new Set(taken).size).toBe(taken.length);
    await stop();
  });

  test("ADVANCE of a period reaches a node that was away when that of the next one came", async () => {
    const { one, two, stop, settle } = await startTwo("2026-11-30T23:59:00Z");
    await one.client.command("HSET", "d", ...daily);
    for (const node of [one, two]) await node.get("d");
    await two.stop();
    expect(await one.client.command("ADVANCE", "d", "20261130-5000")).toBe("20261130-5000");
    one.pass(HOUR_MS);
    expect(await one.client.command("ADVANCE", "d", "20261201-7000")).toBe("20261201-7000");
    await two.startAgain();
    await settle();
    expect(plain(String(await two.get("d")))).toBeGreaterThanOrEqual(5000);
    await stop();
  });

  test("a line of which three periods began at their start is in use all the same", async () => {
    const { one, two, stop } = await startTwo("2026-11-27T12:00:00Z");
    await one.client.command("HSET", "d", ...daily);
    const taken = await one.getMany("d", 5);
    for (let day = 0; day < 3; day++) {
      one.pass(24 * HOUR_MS);
      expect(await one.client.command("ADVANCE", "d", "0")).toEndWith("-0");
      await one.client.command("ADVANCE", "d", "1");
    }
    expect(String(await one.client.command("HSET", "d", "format", "{dd}{MM}{yyyy}-{n}"))).toContain(
      "cannot change 'format'",
    );
    await one.client.command("DEL", "d");
    await one.client.command("HSET", "d", ...daily);
    taken.push(...(await two.getMany("d", 5)));
    expect(new Set(taken).size).toBe(10);
    await stop();
  });
});
