/**
 * What every client can do here: the same suite runs for all of them, each against a server of its
 * own, which is stopped and killed while the client takes numbers.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ServerProcess } from "../../../testkit/process.ts";
import type { Adapter } from "./adapter.ts";
import { Taker } from "./taker.ts";

/** The first whole number that a 64-bit float cannot hold. */
const PAST_FLOATS = 9007199254740993n;
const NUMBER_MAX = 9223372036854775807n;
const MANY = 500;

/** The numbers of a line from its position `from` on. */
function line(starting: bigint, from: number, count: number, step = 1n): string[] {
  return Array.from({ length: count }, (_, k) => String(starting + step * BigInt(from + k)));
}

/** Tests one client; where it cannot run, `unavailable` says why. */
export function describeClient(title: string, create: () => Adapter, unavailable?: string): void {
  if (unavailable !== undefined) console.warn(`${title} is not tested: ${unavailable}`);
  describe.skipIf(unavailable !== undefined)(title, () => {
    const client = create();
    let server: ServerProcess;

    beforeAll(async () => {
      server = await ServerProcess.start();
      await client.connect(server.port);
    });

    afterAll(async () => {
      await client.close();
      await server.end("SIGTERM");
    });

    /** What it rejects with, which has to be the client's error for a refusal. */
    async function refusalOf(work: Promise<unknown>): Promise<string> {
      const error: unknown = await work.then(
        (result) => new Error(`not refused, but ${JSON.stringify(result)}`),
        (reason) => reason,
      );
      const { message } = error as Error;
      expect([message, client.isRefusal(error)]).toEqual([message, true]);
      return message;
    }

    test("defines a dispenser and reads its definition", async () => {
      const fields = { type: "2", length: "6", starting: "41", step: "2" };
      expect(await client.define("defined", fields)).toBe(4);
      expect(await client.define("defined", fields)).toBe(0);
      expect(await client.definitionOf("defined")).toEqual({
        ...fields,
        auto_disk: "elegant_close",
      });
      expect(await client.take("defined")).toBe("000041");
    });

    test("gets the refusals of a wrong definition as its own errors", async () => {
      expect(await refusalOf(client.define("wrong", { type: "5" }))).toMatch(/invalid type '5'/);
      expect(await refusalOf(client.define("wrong", { type: "2" }))).toMatch(/length/);
      expect(await client.exists("wrong")).toBe(false);
    });

    test("gets an unknown name and the end of a line as its own errors", async () => {
      expect(await refusalOf(client.take("nobody"))).toMatch(/dispenser not found: 'nobody'$/);
      await client.define("ending", { type: "3", starting: String(NUMBER_MAX) });
      expect(await client.take("ending")).toBe(String(NUMBER_MAX));
      expect(await refusalOf(client.take("ending"))).toMatch(/number range exhausted: 'ending'$/);
    });

    test("takes numbers that no float can hold, exactly", async () => {
      await client.define("large", { type: "3", starting: String(PAST_FLOATS), step: "2" });
      expect(await client.take("large")).toBe(String(PAST_FLOATS));
      expect(await client.takeMany("large", 3)).toEqual(line(PAST_FLOATS, 1, 3, 2n));
      expect(await client.takeEach(["large", "large"])).toEqual(line(PAST_FLOATS, 4, 2, 2n));
      expect((await client.infoOf("large")).current).toBe(String(PAST_FLOATS + 12n));
    });

    test("takes all 18 digits of random numbers", async () => {
      await client.define("coupon", { type: "1", length: "18" });
      for (const number of await client.takeMany("coupon", 20)) {
        expect(number).toMatch(/^[1-9][0-9]{17}$/);
      }
    });

    test("takes codes, of which none comes twice, in a format that is not ASCII", async () => {
      const format = "Nº {n:4}/{mod37}";
      await client.define("voucher", { type: "code", length: "8", alphabet: "safe", format });
      const codes = await client.takeMany("voucher", MANY);
      for (const code of codes) expect(code).toMatch(/^Nº [2-9B-Z]{4}-[2-9B-Z]{4}\/[0-9A-Z]$/);
      expect(new Set(codes).size).toBe(MANY);
      expect(await client.infoOf("voucher")).toMatchObject({ current: "0", format });
    });

    test("takes many at once, in order", async () => {
      await client.define("many", { type: "3", starting: String(PAST_FLOATS) });
      expect(await client.takeMany("many", MANY)).toEqual(line(PAST_FLOATS, 0, MANY));
      expect(await client.infoOf("many")).toMatchObject({ generated: String(MANY), wasted: "0" });
    });

    test("takes many in a transaction, in order", async () => {
      await client.define("inside", { type: "3", starting: String(PAST_FLOATS) });
      const numbers = await client.takeManyInTransaction("inside", MANY);
      expect(numbers).toEqual(line(PAST_FLOATS, 0, MANY));
      expect(await client.infoOf("inside")).toMatchObject({ generated: String(MANY), wasted: "0" });
    });

    test("defines and takes in one transaction", async () => {
      const define = ["HSET", "at_once", "type", "3", "starting", "7"] as const;
      const replies = await client.transact([define, ["GET", "at_once"], ["GET", "at_once"]]);
      expect(replies).toEqual([2, "7", "8"]);
    });

    test("learns of one refused command in a transaction; the others ran", async () => {
      await client.define("beside", { type: "3" });
      const commands = [["GET", "beside"] as const, ["GET", "nobody"] as const];
      await refusalOf(client.transact([...commands, ["GET", "beside"]]));
      expect(await client.infoOf("beside")).toMatchObject({ generated: "2", wasted: "0" });
      expect(await client.take("beside")).toBe("2");
    });

    test("takes nothing in a transaction with a command that there is not", async () => {
      await client.define("untouched", { type: "3" });
      await refusalOf(
        client.transact([
          ["GET", "untouched"],
          ["NOSUCHCOMMAND", "untouched"],
        ]),
      );
      expect(await client.infoOf("untouched")).toMatchObject({ generated: "0", wasted: "0" });
      expect(await client.take("untouched")).toBe("0");
    });

    test("reads all fields of a dispenser's INFO", async () => {
      await client.define("looked_at", { type: "2", length: "4", auto_disk: "pre_close" });
      await client.takeMany("looked_at", 3);
      expect(await client.infoOf("looked_at")).toMatchObject({
        name: "looked_at",
        type: "2",
        length: "4",
        starting: "0",
        step: "1",
        // redis-py makes a number of the digits.
        current: expect.stringMatching(/^(000)?3$/),
        auto_disk: "pre_close",
        generated: "3",
        wasted: "0",
        waste_rate: "0.00%",
      });
    });

    test("reads the server's INFO", async () => {
      expect(await client.serverInfo()).toMatchObject({
        tcp_port: String(server.port),
        process_id: String(server.pid),
        role: "master",
        loading: "0",
      });
    });

    test("finds, counts and deletes names, in any script", async () => {
      const names = Array.from({ length: 25 }, (_, k) => `заказ:№${k}`);
      for (const name of names) await client.define(name, { type: "3" });
      expect((await client.names("заказ:*")).sort()).toEqual([...names].sort());
      expect(await client.exists(names[0]!)).toBe(true);
      expect(await client.takeEach([names[0]!, names[1]!, names[0]!])).toEqual(["0", "0", "1"]);
      expect(await refusalOf(client.takeEach([names[1]!, "nobody"]))).toMatch(
        /not found: 'nobody'$/,
      );
      expect(await client.take(names[1]!)).toBe("1");
      expect(await client.remove([...names, "nobody"])).toBe(names.length);
      expect(await client.exists(names[0]!)).toBe(false);
      expect(await client.names("заказ:*")).toEqual([]);
    });

    test("shares a line with a second connection", async () => {
      await client.define("shared", { type: "3" });
      const second = create();
      await second.connect(server.port);
      const both = [client.takeMany("shared", MANY), second.takeMany("shared", MANY)];
      const numbers = (await Promise.all(both)).flat().map(Number);
      await second.close();
      expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 2 * MANY }, (_, k) => k));
    });

    test.each(["SIGTERM", "SIGKILL"] as const)("goes on by itself after a %s", async (signal) => {
      for (const strategy of ["elegant_close", "pre_close"]) {
        const name = `${strategy}_${signal}`;
        await client.define(name, {
          type: "3",
          starting: String(PAST_FLOATS),
          auto_disk: strategy,
        });
      }
      const takers = ["elegant_close", "pre_close"].map(
        (strategy) => new Taker(client, `${strategy}_${signal}`),
      );
      for (const taker of takers) await taker.hasTaken(20);
      await server.end(signal);
      server = await server.startAgain();
      for (const taker of takers) taker.retry();
      for (const taker of takers) await taker.hasTaken(20);
      for (const taker of takers) {
        const numbers = await taker.stop();
        const ordered = [...new Set(numbers)].sort((a, b) => Number(a - b));
        expect(numbers).toEqual(ordered);
        const { generated, wasted } = await client.infoOf(taker.name);
        expect(BigInt(generated!)).toBeGreaterThanOrEqual(BigInt(numbers.length));
        if (taker.name === `elegant_close_${signal}`) expect(wasted).toBe("0");
      }
    });
  });
}
