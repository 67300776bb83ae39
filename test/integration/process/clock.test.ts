/** Lines with periods on a server whose wall clock is another, is set, or comes to midnight. */

import { describe, expect, test } from "bun:test";
import { ServerProcess } from "../../../testkit/process.ts";
import { type Reply, ReplyError, TestClient } from "../../../testkit/resp.ts";
import { until } from "../../../testkit/until.ts";
import { WallClock } from "../../support/faketime.ts";
import { noFaketime } from "../../support/installed.ts";

const strategies = ["memory", "pre-base", "pre-checkpoint", "elegant_close", "pre_close"];
/** A line of each is named after it. */
const lines = strategies.map((strategy) => `line:${strategy}`);
const durable = lines.filter((line) => line !== "line:memory");
const strategyOf = (line: string) => line.slice("line:".length);
const TIMEOUT_MS = 60_000;

/** A server with a clock of its own, which may be killed and started again. */
class Clocked {
  readonly clock = new WallClock();
  server!: ServerProcess;
  client!: TestClient;

  async start(time: string): Promise<void> {
    this.clock.set(time);
    const { env } = this.clock;
    const known = this.server === undefined ? {} : { dataDir: this.server.dataDir };
    this.server = await ServerProcess.start({ ...known, env });
    this.client = await TestClient.connect(this.server.port);
  }

  define(name: string, ...words: string[]): Promise<unknown> {
    return this.client.command("HSET", name, ...words);
  }

  async get(name: string): Promise<string> {
    const reply = await this.client.command("GET", name);
    return reply instanceof ReplyError ? reply.message : String(reply);
  }

  async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    this.client.close();
    await this.server.end(signal);
  }
}

/** Takes numbers of lines, as many as come, until it is told to stop or the server is gone. */
async function takeMany(port: number, names: readonly string[], isOver: () => boolean) {
  const client = await TestClient.connect(port);
  const taken = new Map(names.map((name) => [name, [] as string[]]));
  const requests = names.flatMap((name) => Array.from({ length: 8 }, () => ["GET", name]));
  while (!isOver()) {
    let replies: readonly Reply[];
    try {
      replies = await client.pipeline(requests);
    } catch {
      // The server was killed before it was asked.
      break;
    }
    for (const [index, reply] of replies.entries()) {
      const isCut = reply instanceof ReplyError && reply.message === "connection closed";
      if (!isCut) taken.get(requests[index]![1]!)!.push(String(reply));
    }
  }
  client.close();
  return taken;
}

const daily = [
  ...["type", "2", "length", "9", "format", "{yyyy}{MM}{dd}-{n}"],
  ...["period", "day", "auto_disk"],
];

describe.skipIf(noFaketime !== undefined)("a server whose clock", () => {
  test(
    "comes to midnight under load begins the next day once, with each strategy",
    async () => {
      const node = new Clocked();
      await node.start("2026-11-30T23:59:58Z");
      for (const line of lines) await node.define(line, ...daily, strategyOf(line));
      let isOver = false;
      const takers = [1, 2, 3].map(() => takeMany(node.server.port, lines, () => isOver));
      await until(async () => (await node.get("line:elegant_close")).startsWith("20261201"));
      // For a while longer, so that each taker has numbers of both days.
      await Bun.sleep(300);
      isOver = true;
      const all = await Promise.all(takers);
      for (const line of lines) {
        const texts = all.flatMap((taken) => taken.get(line)!);
        expect(new Set(texts).size).toBe(texts.length);
        for (const taken of all) {
          const own = taken.get(line)!;
          expect(own).toEqual(own.toSorted());
        }
        const days = new Set(texts.map((text) => text.slice(0, 8)));
        expect(days).toEqual(new Set(["20261130", "20261201"]));
        expect(texts).toContain("20261201-000000000");
        const { generated, wasted } = await node.client.info(line);
        expect([line, wasted]).toEqual([line, "0"]);
        expect(Number(generated)).toBeGreaterThanOrEqual(texts.length);
      }
      await node.end("SIGTERM");
    },
    TIMEOUT_MS,
  );

  test(
    "is at midnight when the server is killed, and is wrong afterwards, repeats nothing",
    async () => {
      const node = new Clocked();
      await node.start("2026-11-30T23:59:57Z");
      for (const line of durable) await node.define(line, ...daily, strategyOf(line));
      const received = new Map(durable.map((line) => [line, new Set<string>()]));
      const times = ["57", "59", "58", "59"].map((second) => `2026-11-30T23:59:${second}Z`);
      for (const [round, time] of times.entries()) {
        if (round > 0) await node.start(time);
        const takers = [1, 2].map(() => takeMany(node.server.port, durable, () => false));
        // Around midnight, as the clock of the server has it.
        await Bun.sleep(500 + 450 * round);
        await node.end("SIGKILL");
        for (const taken of await Promise.all(takers)) {
          for (const [line, texts] of taken) {
            const known = received.get(line)!;
            for (const text of texts) {
              expect(known.has(text) ? text : "new").toBe("new");
              known.add(text);
            }
          }
        }
      }
      const days = new Set([...received.get("line:pre_close")!].map((text) => text.slice(0, 8)));
      expect(days).toEqual(new Set(["20261130", "20261201"]));
    },
    TIMEOUT_MS,
  );

  test(
    "is set back a day goes on in its day; ahead a year, it waits for ten minutes",
    async () => {
      const node = new Clocked();
      await node.start("2026-11-30T12:00:00Z");
      await node.define("d", ...daily, "pre_close");
      expect(await node.get("d")).toBe("20261130-000000000");
      node.clock.set("2026-11-29T12:00:00Z");
      await until(async () => {
        const [seconds] = (await node.client.command("TIME")) as [string];
        return Number(seconds) * 1000 < Date.parse("2026-11-29T13:00:00Z");
      });
      expect(await node.get("d")).toBe("20261130-000000001");
      node.clock.set("2027-11-30T12:00:00Z");
      await node.server.logged(/warning the clock jumped ahead: .* ahead_seconds=3[0-9]{7}/);
      expect(await node.get("d")).toBe("20261130-000000002");
      expect(await node.client.info("d")).toMatchObject({ present_period: "2026-11-30" });
      await node.end("SIGTERM");
      // A start cannot know: it says so, and goes by the clock.
      await node.start("2027-11-30T12:00:00Z");
      expect(node.server.log).toMatch(
        /warning .*the clock says 2027-11-30T12:00:0\d.\d+Z, and the newest commit is of /,
      );
      expect(await node.get("d")).toBe("20271130-000000000");
      await node.end("SIGTERM");
      await node.start("2026-11-30T13:00:00Z");
      expect(await node.client.command("PERIOD", "d", "2026-11-30", "FORCE")).toBe(
        "20261130-000000003",
      );
      await node.end("SIGTERM");
    },
    TIMEOUT_MS,
  );

  test.each([
    [
      "skips midnight in Cairo",
      ["type", "3", "format", "{yyyy}{MM}{dd}-{n}", "period", "day", "zone", "Africa/Cairo"],
      ["2023-04-27T21:59:30Z 20230427-0", "2023-04-27T22:00:30Z 20230428-0"],
    ],
    [
      "skips 2011-12-30 in Apia",
      ["type", "3", "format", "{yyyy}{MM}{dd}-{n}", "period", "day", "zone", "Pacific/Apia"],
      ["2011-12-30T09:59:30Z 20111229-0", "2011-12-30T10:00:30Z 20111231-0"],
    ],
    [
      "has two midnights in St. John's",
      ["type", "3", "format", "{yyyy}{MM}{dd}-{n}", "period", "day", "zone", "America/St_Johns"],
      [
        ...["2010-11-07T02:29:30Z 20101106-0", "2010-11-07T02:30:30Z 20101107-0"],
        ...["2010-11-07T02:31:30Z 20101107-1", "2010-11-07T03:30:30Z 20101107-2"],
      ],
    ],
    [
      "has hour 02 twice in Berlin",
      ["type", "3", "format", "{yyyy}{DDD}{HH}-{n}", "period", "hour", "zone", "Europe/Berlin"],
      [
        ...["2026-10-25T00:30:00Z 202629802-0", "2026-10-25T01:30:00Z 202629802-1"],
        "2026-10-25T02:00:30Z 202629803-0",
      ],
    ],
    [
      "comes to week 53 and out of it",
      ["type", "3", "format", "{gggg}W{ww}-{n}", "period", "week"],
      [
        ...["2026-12-31T23:00:00Z 2026W53-0", "2027-01-03T23:59:30Z 2026W53-1"],
        "2027-01-04T00:00:30Z 2027W01-0",
      ],
    ],
    [
      "comes to fiscal years of April",
      ["type", "3", "format", "{fy}/{fy+1}-{n}", "period", "fiscal_year", "year_start", "4"],
      ["2026-03-31T23:59:30Z 25/26-0", "2026-04-01T00:00:30Z 26/27-0"],
    ],
    [
      "comes to fiscal years of October",
      ["type", "4", "length", "6", "format", "{fyyy+1}-{n}", "period", "fiscal_year"].concat([
        ...["year_start", "10", "key", "000102030405060708090a0b0c0d0e0f"],
      ]),
      ["2026-09-30T23:59:30Z 2026-", "2026-10-01T00:00:30Z 2027-"],
    ],
  ])(
    "%s shows and counts each period",
    async (_, words, steps) => {
      const node = new Clocked();
      for (const [index, step] of steps.entries()) {
        const [time, text] = step.split(" ") as [string, string];
        await node.start(time);
        if (index === 0) expect(await node.define("x", ...words)).toBeNumber();
        expect(await node.get("x")).toStartWith(text);
        await node.end("SIGKILL");
      }
    },
    TIMEOUT_MS,
  );
});
