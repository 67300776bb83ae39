import { describe, expect, test } from "bun:test";
import { isLoopback } from "../../../src/config/address.ts";
import { LocalCatalog } from "../../../src/engine/local-catalog.ts";
import { denialFor } from "../../../src/server/net/admission.ts";
import { DiskBroken } from "../../../src/storage/store.ts";
import { encodeRequest, ReplyError, TestClient } from "../../../testkit/resp.ts";
import { until } from "../../../testkit/until.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { clockOf, startInMemory, startLocal } from "../../support/server.ts";

const full = new ReplyError("ERR storage unavailable: the disk is full");

describe("storage", () => {
  test("trouble is logged once, its end too, and INFO shows it", async () => {
    const { port, store, server: listener, logged } = startInMemory();
    const client = await TestClient.connect(port);
    await client.command("HSET", "x", "type", "3");
    store.lasting = "unavailable";
    for (let count = 0; count < 3; count++) expect(await client.command("GET", "x")).toEqual(full);
    expect(await client.command("INFO", "persistence")).toContain("storage_status:unavailable\r\n");
    store.lasting = undefined;
    expect(await client.command("GET", "x")).toBe("0");
    expect(await client.command("INFO", "persistence")).toContain("storage_status:ok\r\n");
    expect(logged.slice(1)).toEqual([
      'error storage unavailable reason="the disk is full"',
      "info storage available again",
    ]);
    await listener.stop();
  });

  test("of which nobody knows what is on disk is fatal: the GET gets no number", async () => {
    const { port, store, fatal, fatalOf, engine, server: listener } = startInMemory();
    const client = await TestClient.connect(port);
    await client.command("HSET", "x", "type", "3");
    store.lasting = "broken";
    client.send(encodeRequest("GET", "x"));
    let answer: unknown;
    void client.next().then((reply) => {
      answer = reply;
    });
    await fatalOf;
    expect(fatal[0]).toBeInstanceOf(DiskBroken);
    expect(answer).toBeUndefined();
    expect(engine.nextCommit).toBe(2);
    store.lasting = undefined;
    client.close();
    await listener.stop();
  });

  test("learns the counts in the background, without a commit of their own need", async () => {
    const { port, store, server: listener } = startInMemory({ autoSave: true });
    const client = await TestClient.connect(port);
    await client.command("HSET", "r", "type", "1", "length", "5");
    await client.pipeline(Array.from({ length: 10 }, () => ["GET", "r"]));
    while (store.commits < 2) await client.command("PING");
    expect([...store.load()].flat()[0]!.account!.generated).toBe(10n);
    await listener.stop();
  });

  test("does not learn them where auto_save is off, until the clean close", async () => {
    const { port, store, engine, server: listener } = startInMemory({ autoSave: false });
    const client = await TestClient.connect(port);
    await client.command("HSET", "r", "type", "1", "length", "5");
    await client.command("GET", "r");
    engine.stageCounts();
    expect(engine.commit()).toBeUndefined();
    expect(store.commits).toBe(1);
    await listener.stop();
    expect([...store.reopen().load()].flat()[0]!.account!.generated).toBe(1n);
  });

  test("that cannot be tidied now is a warning, and nothing else", async () => {
    const store = new MemoryStore();
    store.maintain = () => {
      store.lasting = "unavailable";
      store.commit();
    };
    const { port, logged, fatal, server: listener } = startLocal(store);
    const client = await TestClient.connect(port);
    expect(await client.command("HSET", "x", "type", "3")).toBe(1);
    expect(logged).toEqual([
      expect.stringMatching(/^info dispenser defined /),
      'warning storage not tidied reason="the disk is full"',
    ]);
    expect(fatal).toEqual([]);
    store.maintain = () => {};
    store.lasting = undefined;
    client.close();
    await listener.stop();
  });
});

describe("a clean stop", () => {
  test("commits what is staged, ends connections and refuses new ones", async () => {
    const { port, server: listener, store, engine } = startInMemory();
    const client = await TestClient.connect(port);
    new LocalCatalog(engine).define("x", new Map([["type", "3"]]));
    await listener.stop();
    await client.closed;
    expect(TestClient.connect(port)).rejects.toThrow();
    const next = store.reopen();
    expect(next.crashed).toBe(false);
    expect([...next.load()].flat().map(({ name }) => name)).toEqual(["x"]);
  });
});

describe("listening", () => {
  test("on all interfaces takes clients of IPv4", async () => {
    const { port, server: listener } = startInMemory({ addr: [{ host: undefined, port: 0 }] });
    const client = await TestClient.connect(port);
    expect(await client.command("PING")).toBe("PONG");
    client.close();
    await listener.stop();
  });

  test("on a port in use fails, and says so", () => {
    const { port, server: listener } = startInMemory();
    const again = () => startInMemory({ addr: [{ host: "127.0.0.1", port }] });
    expect(again).toThrow(`cannot listen on 127.0.0.1:${port}: the address is in use`);
    return listener.stop();
  });
});

describe("who is let in", () => {
  test.each(["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])(
    "%s is this machine",
    (address) => {
      expect(isLoopback(address)).toBe(true);
      expect(denialFor(true, true)).toBeUndefined();
    },
  );

  test.each(["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "1.127.0.0"])(
    "%s is not, and is told why in protected mode",
    (address) => {
      expect(isLoopback(address)).toBe(false);
      expect(denialFor(false, true)?.message).toMatch(/^-DENIED .*protected_mode: false.*\r\n$/);
      expect(denialFor(false, false)).toBeUndefined();
    },
  );
});

/** Three wrong passwords of one client, each for another user. */
async function guess(port: number): Promise<void> {
  const client = await TestClient.connect(port);
  for (const user of ["one", "two", "m\u00c3\u00bcller"])
    await client.command("AUTH", user, "guess");
  client.close();
}

describe("wrong passwords in a second", () => {
  const clock = { ...clockOf(() => 5000), sleep: async () => {} };

  test("are one line and a summary", async () => {
    const { port, server, logged } = startLocal(new MemoryStore(), {}, { clock });
    await guess(port);
    await until(() => logged.join().includes("müller"));
    const times = logged.map((line) => Number(/times=(\d+)$/.exec(line)?.[1] ?? 1));
    expect(logged[0]).toMatch(/^warning wrong password client=127\.0\.0\.1:\d+ user=one$/);
    expect(times.reduce((sum, each) => sum + each, 0)).toBe(3);
    await server.stop();
  });

  test("that were only counted are logged at the clean stop", async () => {
    const every = () => () => {};
    const { port, server, logged } = startLocal(new MemoryStore(), {}, { clock, every });
    await guess(port);
    expect(logged.length).toBe(1);
    await server.stop();
    expect(logged[1]).toMatch(/^warning wrong password client=\S+ user=müller times=2$/);
  });
});

describe("a line that runs out is told of", () => {
  const told = (logged: readonly string[]) =>
    logged.filter((line) => /line (used|exhausted)/.test(line)).map((line) => line.slice(8));

  test.each(["elegant_close", "pre_close", "memory"])(
    "once for each step, by %s",
    async (strategy) => {
      const { port, server, logged } = startLocal(new MemoryStore());
      const client = await TestClient.connect(port);
      await client.command("HSET", "x", "type", "2", "length", "2", "auto_disk", strategy);
      // One after the other, so that no two steps come in one commit.
      for (let taken = 0; taken < 100; taken++) await client.command("GET", "x");
      await client.command("GET", "x");
      await client.command("PING");
      const all = [
        "line used up to 80 % dispenser=x remaining=20",
        "line used up to 90 % dispenser=x remaining=10",
        "line used up to 99 % dispenser=x remaining=1",
        "line exhausted dispenser=x remaining=0",
      ];
      expect(told(logged)).toEqual(all);
      // It goes on, and its end is far away again.
      await client.command("HSET", "x", "length", "3");
      for (let taken = 0; taken < 50; taken++) await client.command("GET", "x");
      expect(told(logged)).toEqual(all);
      await client.command("ADVANCE", "x", "850", "FORCE");
      await client.command("GET", "x");
      // It is the second of its kind and line in this second: logged at once, or with a count.
      await until(() => told(logged).length === 5);
      expect(told(logged)[4]).toMatch(
        /^line used up to 80 % dispenser=x remaining=150( times=1)?$/,
      );
      client.close();
      await server.stop();
    },
  );

  test("by its name, although others ran out in the same second", async () => {
    const { port, server, logged } = startLocal(new MemoryStore());
    const client = await TestClient.connect(port);
    const names = Array.from({ length: 20 }, (_, index) => `z${index}`);
    for (const name of names) await client.command("HSET", name, "type", "2", "length", "1");
    for (const name of names)
      await client.pipeline(Array.from({ length: 10 }, () => ["GET", name]));
    expect(told(logged)).toEqual(
      names.map((name) => `line exhausted dispenser=${name} remaining=0`),
    );
    client.close();
    await server.stop();
  });

  test("with the last step where one write takes it over several", async () => {
    const { port, server, logged } = startLocal(new MemoryStore());
    const client = await TestClient.connect(port);
    await client.command("HSET", "x", "type", "2", "length", "2");
    await client.pipeline(Array.from({ length: 100 }, () => ["GET", "x"]));
    expect(told(logged)).toEqual(["line exhausted dispenser=x remaining=0"]);
    client.close();
    await server.stop();
  });
});
