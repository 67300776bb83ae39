import { afterAll, describe, expect, test } from "bun:test";
import { TestClient } from "../../../testkit/resp.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { clockOf, startInMemory, startLocal } from "../../support/server.ts";

const { port, server } = startInMemory();
const client = await TestClient.connect(port);
await client.command("HSET", "x", "type", "2", "length", "1");

afterAll(async () => {
  client.close();
  await server.stop();
});

/** The figures of a command: calls, rejected and failed ones. */
async function figures(command: string): Promise<string | undefined> {
  const line = (await client.info("commandstats"))[`cmdstat_${command}`];
  return line?.replace(/,usec=\d+,usec_per_call=\d+\.\d\d/, "");
}

describe("INFO commandstats and errorstats", () => {
  test("count calls, on the fast path, in transactions and of subcommands", async () => {
    await client.command("CONFIG", "RESETSTAT");
    await client.pipeline([["GET", "x"], ["GET", "x"], ["MULTI"], ["GET", "x"], ["EXEC"]]);
    await client.command("CLIENT", "ID");
    expect(await figures("get")).toBe("calls=3,rejected_calls=0,failed_calls=0");
    expect(await figures("exec")).toBe("calls=1,rejected_calls=0,failed_calls=0");
    expect(await figures("client|id")).toBe("calls=1,rejected_calls=0,failed_calls=0");
    expect(await figures("mget")).toBeUndefined();
  });

  test("tell what was refused from what failed, by the code of the error", async () => {
    await client.command("CONFIG", "RESETSTAT");
    await client.command("GET", "nobody");
    await client.command("MGET", "x", "nobody");
    await client.command("CONFIG", "SET", "limits.take", "1");
    await client.command("MGET", "x", "x");
    await client.command("CONFIG", "SET", "limits.take", "10000");
    await client.command("NONSENSE");
    await client.pipeline([["MULTI"], ["GET", "nobody"], ["EXEC"]]);
    await client.pipeline([["MULTI"], ["KEYS", "*"], ["EXEC"]]);
    await client.command("HELLO", "9");
    expect(await figures("get")).toBe("calls=2,rejected_calls=0,failed_calls=2");
    expect(await figures("mget")).toBe("calls=1,rejected_calls=1,failed_calls=1");
    expect(await figures("keys")).toBe("calls=0,rejected_calls=1,failed_calls=0");
    expect(await client.info("errorstats")).toEqual({
      // Two GETs, two MGETs, an unknown command, and KEYS in a transaction.
      errorstat_ERR: "count=6",
      errorstat_EXECABORT: "count=1",
      errorstat_NOPROTO: "count=1",
    });
  });

  test("are as Redis has them: INFO alone shows errors, INFO all calls as well", async () => {
    const [alone, all] = [await client.command("INFO"), await client.command("INFO", "all")];
    expect(String(alone)).toContain("# Errorstats\r\n");
    expect(String(alone)).not.toContain("# Commandstats\r\n");
    expect(String(all)).toMatch(
      /# Commandstats\r\n(cmdstat_[a-z|]+:calls=\d+,usec=\d+,usec_per_call=\d+\.\d\d,rejected_calls=\d+,failed_calls=\d+\r\n)+/,
    );
  });

  test("count all of the time of a command that goes on for many turns", async () => {
    // Each look at the clock takes a millisecond, so time goes on with the work alone.
    let nowMs = 0;
    const counted = startLocal(new MemoryStore(), {}, { clock: clockOf(() => nowMs++) });
    const asks = await TestClient.connect(counted.port);
    for (let from = 0; from < 20_000; from += 1000) {
      const names = Array.from({ length: 1000 }, (_, index) => `name${from + index}`);
      await asks.pipeline(names.map((name) => ["HSET", name, "type", "3"]));
    }
    await asks.command("CONFIG", "RESETSTAT");
    expect(await asks.command("KEYS", "*")).toHaveLength(20_000);
    const line = (await asks.info("commandstats")).cmdstat_keys!;
    const usec = Number(/calls=1,usec=(\d+)/.exec(line)![1]);
    // The first turn sees the clock a few times only.
    expect(usec / 1000).toBeGreaterThan(50);
    asks.close();
    await counted.server.stop();
  });

  test("time GETs on the fast path by samples", async () => {
    await client.command("HSET", "y", "type", "3", "auto_disk", "memory");
    await client.command("CONFIG", "RESETSTAT");
    for (let round = 0; round < 130; round++) {
      await client.pipeline(Array.from({ length: 50 }, () => ["GET", "y"]));
    }
    const line = (await client.info("commandstats")).cmdstat_get!;
    const [, calls, each] = /calls=(\d+),usec=\d+,usec_per_call=(\d+\.\d+)/.exec(line)!;
    expect(Number(calls)).toBe(6500);
    expect(Number(each)).toBeGreaterThan(0);
    expect(Number(each)).toBeLessThan(200);
  });
});
