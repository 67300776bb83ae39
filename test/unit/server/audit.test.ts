import { afterAll, describe, expect, test } from "bun:test";
import type { LogFields } from "../../../src/base/log.ts";
import { TestClient } from "../../../testkit/resp.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { startLocal } from "../../support/server.ts";

const entries: (LogFields & { action: string })[] = [];
const audit = (action: string, fields: LogFields) => void entries.push({ action, ...fields });
const store = new MemoryStore();
const { port, server, logged } = startLocal(store, {}, { audit });
const client = await TestClient.connect(port);

afterAll(async () => {
  client.close();
  await server.stop();
});

/** What the audit tells of a command. */
async function toldOf(...words: string[]): Promise<object[]> {
  entries.length = 0;
  await client.command(...words);
  // What waits for a commit is told before its reply leaves.
  return entries.map(({ user, client: address, id, ...rest }) => {
    expect([user, typeof id]).toEqual(["default", "number"]);
    expect(address).toMatch(/^127\.0\.0\.1:\d+$/);
    return rest;
  });
}

describe("the audit tells", () => {
  test("definitions that are new, changed and deleted, and no others", async () => {
    const name = "m\u00c3\u00bc"; // The bytes of a name in UTF-8.
    expect(await toldOf("HSET", name, "type", "3", "step", "2")).toEqual([
      {
        action: "dispenser defined",
        dispenser: "m\u00fc",
        definition: "type 3 starting 0 step 2 auto_disk elegant_close",
      },
    ]);
    expect(await toldOf("HSET", name, "type", "3", "step", "2")).toEqual([]);
    expect(await toldOf("HSET", name, "step", "3")).toEqual([]);
    expect(await toldOf("HSET", name, "auto_disk", "pre_close")).toEqual([
      {
        action: "dispenser changed",
        dispenser: "m\u00fc",
        definition: "type 3 starting 0 step 2 auto_disk pre_close",
      },
    ]);
    await client.command("GET", name);
    expect(await toldOf("HSET", name, "auto_disk", "memory", "reuse", "yes")).toMatchObject([
      { action: "dispenser changed", reuse: true },
    ]);
    expect(await toldOf("DEL", name, "nobody")).toEqual([
      {
        action: "dispenser deleted",
        dispenser: "m\u00fc",
        definition: "type 3 starting 0 step 2 auto_disk memory",
        next: "2",
      },
    ]);
    expect(await toldOf("GET", name)).toEqual([]);
  });

  test("of a deleted line all that defines it again, but no key", async () => {
    await client.command("HSET", "codes", "type", "4", "length", "12");
    await client.command("MGET", "codes", "codes");
    const shown = (await client.info("codes")).key!;
    const [deleted] = (await toldOf("DEL", "codes")) as LogFields[];
    expect(deleted).toMatchObject({ dispenser: "codes", position: 2n });
    expect(deleted!.definition).toMatch(new RegExp(`^type 4 length 12 .*key ${shown} auto_disk`));
    expect(Object.keys(deleted!)).not.toContain("next");
    await client.command("HSET", "digits", "type", "1", "length", "3");
    expect(await toldOf("DEL", "digits")).toEqual([
      {
        action: "dispenser deleted",
        dispenser: "digits",
        definition: "type 1 length 3 auto_disk elegant_close",
      },
    ]);
  });

  test("where a line was advanced from and to, also of many deleted names each", async () => {
    await client.command("HSET", "x", "type", "3");
    expect(await toldOf("ADVANCE", "x", "100")).toEqual([
      { action: "dispenser advanced", dispenser: "x", from: "0", to: "100" },
    ]);
    expect(await toldOf("ADVANCE", "x", "50")).toEqual([]);
    const names = Array.from({ length: 300 }, (_, index) => `n:${index}`);
    await client.pipeline(names.map((name) => ["HSET", name, "type", "3"]));
    expect(await toldOf("DEL", ...names)).toHaveLength(300);
  });

  test("nothing of a change whose commit fails", async () => {
    store.failures = ["unavailable"];
    expect(await toldOf("HSET", "failing", "type", "3")).toEqual([]);
    expect(await toldOf("HSET", "later", "type", "3")).toMatchObject([{ dispenser: "later" }]);
  });

  test("settings, clients that were killed, counters and shutdowns", async () => {
    expect(await toldOf("CONFIG", "SET", "timeout", "7", "limits.take", "9")).toEqual([
      { action: "setting changed", setting: "limits.idle_seconds", from: "0", to: "7" },
      { action: "setting changed", setting: "limits.take", from: "10000", to: "9" },
    ]);
    const victim = await TestClient.connect(port);
    const id = String(await victim.command("CLIENT", "ID"));
    expect(await toldOf("CLIENT", "KILL", "ID", id)).toEqual([
      { action: "clients killed", clients: 1 },
    ]);
    expect(await toldOf("CLIENT", "KILL", "ID", id)).toEqual([]);
    expect(await toldOf("CONFIG", "RESETSTAT")).toEqual([{ action: "counters reset" }]);
  });

  test("the same in the log", () => {
    const line = /^info dispenser advanced dispenser=x from=0 to=100 user=default client=\S+ id=1$/;
    expect(logged.some((each) => line.test(each))).toBe(true);
  });
});
