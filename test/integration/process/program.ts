/** What the program has to do however it is run: the suite for the source and for the binary. */

import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { strategyNames } from "../../../src/dispenser/strategy.ts";
import { temporaryFolder } from "../../../testkit/folder.ts";
import { ServerProcess } from "../../../testkit/process.ts";
import { type Reply, TestClient } from "../../../testkit/resp.ts";
import { Rounds } from "../../campaigns/kills/rounds.ts";

/** The most that may be wasted of so many handed out, at SIGTERM and at SIGKILL. */
const wasteMax: Record<
  string,
  { SIGTERM: (handedOut: number) => number; SIGKILL: (handedOut: number) => number }
> = {
  "pre-base": { SIGTERM: (n) => n, SIGKILL: (n) => n },
  "pre-checkpoint": { SIGTERM: (n) => Math.floor(n / 19), SIGKILL: (n) => Math.floor(n / 19) },
  elegant_close: { SIGTERM: () => 0, SIGKILL: () => 0 },
  pre_close: { SIGTERM: () => 0, SIGKILL: (n) => Math.floor(n / 19) },
};

const TIMEOUT_MS = 30_000;
/** Lives on one data folder; `bun run kills` has more of them. */
const ROUNDS = 10;

async function takeMany(client: TestClient, name: string, count: number): Promise<number[]> {
  const replies: Reply[] = [];
  for (let left = count; left > 0; left -= 1000) {
    const requests = Array.from({ length: Math.min(left, 1000) }, () => ["GET", name]);
    replies.push(...(await client.pipeline(requests)));
  }
  return replies.map(Number);
}

/** Takes a number of a line 10, 13, 16 … of which `count` were taken before the signal. */
async function checkNextLife(
  client: TestClient,
  strategy: string,
  signal: "SIGTERM" | "SIGKILL",
  count: number,
): Promise<void> {
  const before = await client.info("dispenser", strategy);
  const next = Number(await client.command("GET", strategy));
  const { current, generated, wasted } = await client.info("dispenser", strategy);
  expect(next).toBe(Number(before.current));
  expect(Number(current)).toBe(10 + 3 * (Number(generated) + Number(wasted)));
  if (strategy === "memory") {
    expect(next).toBe(10);
    return;
  }
  const skipped = (next - 10) / 3 - count;
  expect(skipped).toBeGreaterThanOrEqual(0);
  expect(skipped).toBeLessThanOrEqual(wasteMax[strategy]![signal](count));
  if (signal === "SIGTERM") {
    expect([Number(generated), Number(wasted)]).toEqual([count + 1, skipped]);
  }
}

export function describeProgram(title: string, program: () => readonly string[]): void {
  const start = (dataDir?: string) =>
    ServerProcess.start({ program: program(), ...(dataDir === undefined ? {} : { dataDir }) });

  describe(title, () => {
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      for (const count of [5, 20_000]) {
        test(
          `after ${count} numbers and ${signal} no strategy repeats one or wastes too many`,
          async () => {
            const first = await start();
            const client = await TestClient.connect(first.port);
            const taken: Record<string, number[]> = {};
            for (const strategy of strategyNames) {
              await client.command(
                "HSET",
                strategy,
                "type",
                "3",
                "starting",
                "10",
                "step",
                "3",
                "auto_disk",
                strategy,
              );
              taken[strategy] = await takeMany(client, strategy, count);
              expect(taken[strategy]).toEqual(Array.from({ length: count }, (_, k) => 10 + 3 * k));
            }
            const status = await first.end(signal);
            expect(status).toBe(signal === "SIGTERM" ? 0 : 128);

            const second = await start(first.dataDir);
            const again = await TestClient.connect(second.port);
            for (const strategy of strategyNames) {
              await checkNextLife(again, strategy, signal, count);
            }
            if (signal === "SIGKILL") expect(second.log).toContain("recovered from a crash");
            expect(await second.end("SIGTERM")).toBe(0);
          },
          TIMEOUT_MS,
        );
      }
    }

    const seed = Number(process.env.KILLS_SEED ?? Date.now() % 1_000_000_000);
    test(
      `${ROUNDS} lives, most ended by SIGKILL, repeat nothing and keep the order, seed ${seed}`,
      async () => {
        const rounds = new Rounds(program(), seed);
        for (let round = 0; round < ROUNDS; round++) await rounds.round();
        expect(rounds.numbers).toBeGreaterThan(1000);
      },
      TIMEOUT_MS,
    );

    test(
      "SIGTERM under load loses no number that was acknowledged, and the next life goes on",
      async () => {
        const server = await start();
        const client = await TestClient.connect(server.port);
        await client.command("HSET", "x", "type", "3");
        let last = -1;
        for (let isOpen = true; isOpen; ) {
          const replies = await client.pipeline(Array.from({ length: 50 }, () => ["GET", "x"]));
          if (last < 500 && Number(replies.at(-1)) >= 500) server.signal("SIGTERM");
          for (const reply of replies) {
            if (typeof reply === "string") last = Number(reply);
            else isOpen = false;
          }
        }
        expect(await server.exited()).toBe(0);
        const next = await start(server.dataDir);
        const again = await TestClient.connect(next.port);
        const first = Number(await again.command("GET", "x"));
        // Every number that was taken has reached the client.
        expect(first).toBe(last + 1);
        await next.end("SIGTERM");
      },
      TIMEOUT_MS,
    );

    test(
      "SIGTERM in the middle of long pipelines of several clients is a clean close",
      async () => {
        const server = await start();
        const clients = await Promise.all([1, 2, 3, 4].map(() => TestClient.connect(server.port)));
        await clients[0]!.command("HSET", "a", "type", "3", "auto_disk", "pre_close");
        await clients[0]!.command("HSET", "b", "type", "3");
        const last = { a: -1, b: -1 };
        const load = clients.map(async (client) => {
          const pair = [
            ["GET", "a"],
            ["GET", "b"],
          ];
          const requests = Array.from({ length: 2000 }, () => pair).flat();
          for (;;) {
            const replies = await client.pipeline(requests);
            const numbers = replies.filter((reply) => typeof reply === "string").map(Number);
            for (const [index, number] of numbers.entries()) {
              const name = index % 2 === 0 ? "a" : "b";
              last[name] = Math.max(last[name], number);
            }
            if (numbers.length < replies.length) return (replies.at(-1) as Error).message;
            if (last.b > 10_000) server.signal("SIGTERM");
          }
        });
        expect(await Promise.all(load)).toEqual(Array(4).fill("connection closed"));
        expect(await server.exited()).toBe(0);
        const next = await start(server.dataDir);
        expect(next.log).not.toContain("recovered from a crash");
        const again = await TestClient.connect(next.port);
        for (const name of ["a", "b"] as const) {
          expect(Number(await again.command("GET", name))).toBe(last[name] + 1);
        }
        await next.end("SIGTERM");
      },
      TIMEOUT_MS,
    );

    test("when the disk stays full, SIGTERM says so, and the next start recovers", async () => {
      // A limit on the size of files stands for the full disk: writes past it fail (EFBIG).
      const limited = ["sh", "-c", 'trap "" XFSZ; ulimit -f 200; exec "$@"', "sh", ...program()];
      const server = await ServerProcess.start({ program: limited });
      const client = await TestClient.connect(server.port);
      await client.command("HSET", "x", "type", "3");
      await client.command("HSET", "p", "type", "3", "auto_disk", "pre-base");
      for (let count = 0; count < 3; count++) await client.command("GET", "p");
      const taken: Reply[] = [];
      let reply = await client.command("GET", "x");
      for (; typeof reply === "string"; reply = await client.command("GET", "x")) {
        taken.push(reply);
      }
      expect((reply as Error).message).toStartWith("ERR storage unavailable: ");
      expect(await client.command("HSET", "y", "type", "3")).toEqual(reply);
      expect(await server.end("SIGTERM")).toBe(1);
      expect(server.log).toContain("the clean close could not be saved");

      const next = await start(server.dataDir);
      expect(next.log).toContain("recovered from a crash");
      const again = await TestClient.connect(next.port);
      expect(await again.command("GET", "x")).toBe(String(taken.length));
      expect(await again.command("EXISTS", "y")).toBe(0);
      expect(await next.end("SIGTERM")).toBe(0);
    });

    test("a start that is refused leaves every byte as it was, the WAL too", async () => {
      const server = await start();
      const client = await TestClient.connect(server.port);
      await client.command("HSET", "x", "type", "3");
      await client.command("GET", "x");
      await server.end("SIGKILL");
      const database = join(server.dataDir, "number-dispenser.db");
      const bytes = readFileSync(database);
      const damaged = Buffer.from(bytes);
      damaged.fill(0, 68, 72);
      writeFileSync(database, damaged);
      const wal = readFileSync(`${database}-wal`);
      const refused = await ServerProcess.run({ program: program(), dataDir: server.dataDir });
      expect([refused.status, refused.log]).toEqual([
        1,
        `number-dispenser: ${database} is damaged, or not a Number Dispenser database\n`,
      ]);
      expect(readFileSync(database).equals(damaged)).toBe(true);
      expect(readFileSync(`${database}-wal`).equals(wal)).toBe(true);
      writeFileSync(database, bytes);
      const next = await start(server.dataDir);
      const again = await TestClient.connect(next.port);
      expect(await again.command("GET", "x")).toBe("1");
      await next.end("SIGTERM");
    });

    test("a crash is told of even where the start then fails", async () => {
      const running = await start();
      const crashed = await start();
      const client = await TestClient.connect(crashed.port);
      await client.command("HSET", "x", "type", "3", "auto_disk", "pre-base");
      for (let count = 0; count < 9; count++) await client.command("GET", "x");
      await crashed.end("SIGKILL");
      const { dataDir } = crashed;
      const args = ["-addr", `127.0.0.1:${running.port}`];
      const failed = await ServerProcess.run({ program: program(), dataDir, args });
      expect(failed.status).toBe(1);
      expect(failed.log).toMatch(/numbers skipped dispenser=x numbers=\d/);
      expect(failed.log).toEndWith(
        `number-dispenser: cannot listen on 127.0.0.1:${running.port}: the address is in use\n`,
      );
      const next = await start(dataDir);
      expect(next.log).not.toContain("crash");
      const again = await TestClient.connect(next.port);
      const { generated, wasted, current } = await again.info("x");
      expect(Number(current)).toBe(Number(generated) + Number(wasted));
      for (const server of [running, next]) expect(await server.end("SIGTERM")).toBe(0);
    });

    test("a crash is told of once, with what each line lost", async () => {
      const first = await start();
      const client = await TestClient.connect(first.port);
      await client.command("HSET", "x", "type", "3", "auto_disk", "pre-base");
      for (let count = 0; count < 9; count++) await client.command("GET", "x");
      await first.end("SIGKILL");
      const second = await start(first.dataDir);
      expect(second.log).toMatch(/numbers skipped dispenser=x numbers=\d/);
      const { current } = await (await TestClient.connect(second.port)).info("x");
      await second.end("SIGKILL");
      const third = await start(first.dataDir);
      expect(third.log).toContain("recovered from a crash dispensers_that_skipped=0 numbers=0");
      expect((await (await TestClient.connect(third.port)).info("x")).current).toBe(current!);
      await third.end("SIGTERM");
    });

    test(
      "ten thousand dispensers are saved within two seconds of SIGTERM",
      async () => {
        const server = await start();
        const client = await TestClient.connect(server.port);
        for (let from = 0; from < 10_000; from += 1000) {
          const names = Array.from({ length: 1000 }, (_, index) => `line:${from + index}`);
          const define = (name: string) => ["HSET", name, "type", "3", "auto_disk", "pre_close"];
          await client.pipeline(names.map(define));
          await client.command("MGET", ...names);
        }
        const began = performance.now();
        expect(await server.end("SIGTERM")).toBe(0);
        expect(performance.now() - began).toBeLessThan(2000);
        const next = await start(server.dataDir);
        const again = await TestClient.connect(next.port);
        expect(await again.command("DBSIZE")).toBe(10_000);
        expect(await again.command("MGET", "line:0", "line:9999")).toEqual(["1", "1"]);
        await next.end("SIGTERM");
      },
      TIMEOUT_MS,
    );

    test("a command answered before it was killed is there at the next start", async () => {
      const first = await start();
      const client = await TestClient.connect(first.port);
      await client.pipeline([
        ["HSET", "kept", "type", "2", "length", "6"],
        ["HSET", "gone", "type", "3"],
        ["ADVANCE", "kept", "500"],
        ["MGET", "gone", "gone"],
        ["DEL", "gone"],
        ["HSET", "kept", "auto_disk", "pre_close"],
      ]);
      await first.end("SIGKILL");
      const second = await start(first.dataDir);
      const again = await TestClient.connect(second.port);
      expect(await again.command("KEYS", "*")).toEqual(["kept"]);
      expect(await again.command("HGET", "kept", "auto_disk")).toBe("pre_close");
      expect(await again.command("GET", "kept")).toBe("000500");
      // What it handed out before it was deleted does not come again.
      expect(String(await again.command("HSET", "gone", "type", "3", "step", "2"))).toContain(
        "'gone' was deleted at 2: its numbers may be in use. Give starting 2, or say reuse yes",
      );
      expect(await again.command("HSET", "gone", "type", "3")).toBe(1);
      await second.end("SIGKILL");
      const third = await start(first.dataDir);
      const last = await TestClient.connect(third.port);
      expect(await last.command("GET", "gone")).toBe("2");
      await third.end("SIGTERM");
    });

    test("SIGINT and SHUTDOWN end it cleanly, too, and SIGHUP does not end it", async () => {
      const first = await start();
      first.signal("SIGHUP");
      await first.logged(/settings read again changed=nothing/);
      expect(await first.end("SIGINT")).toBe(0);
      const second = await start(first.dataDir);
      const client = await TestClient.connect(second.port);
      client.send("SHUTDOWN\r\n");
      await client.closed;
      expect(await second.exited()).toBe(0);
      expect(second.log).toContain("stopped, all positions saved");
      expect(second.log).not.toContain("recovered from a crash");
    });

    test("backs a running server up and restores it, each line moved ahead", async () => {
      const server = await start();
      const client = await TestClient.connect(server.port);
      await client.command("HSET", "x", "type", "3");
      await client.command("GET", "x");
      const folder = temporaryFolder();
      const [file, dataDir] = [join(folder, "monday.db"), join(folder, "data")];
      const [command, ...first] = program() as [string, ...string[]];
      const run = (...args: string[]) => {
        const { exitCode, stdout, stderr } = Bun.spawnSync([command, ...first, ...args]);
        return [exitCode, stdout.toString(), stderr.toString()];
      };
      const address = `127.0.0.1:${server.port}`;
      expect(run("backup", file, "-addr", address)).toEqual([
        0,
        expect.stringMatching(/^backup of 1 dispensers: .*monday\.db \(\d+ KiB\)\n$/),
        "",
      ]);
      expect(run("backup", file, "-addr", address)).toEqual([
        1,
        "",
        `number-dispenser: the server refused: ERR cannot back up to '${file}': file already exists (EEXIST)\n`,
      ]);
      expect(run("restore", file, "-data", dataDir, "-margin", "100")).toEqual([
        2,
        "",
        expect.stringMatching(/^number-dispenser: restore needs -confirm: .*\n$/),
      ]);
      expect(run("restore", file, "-data", dataDir, "-margin", "100", "-confirm")[0]).toBe(0);
      expect(await server.end("SIGTERM")).toBe(0);
      const restored = await start(dataDir);
      const again = await TestClient.connect(restored.port);
      expect(await again.command("GET", "x")).toBe("101");
      expect(restored.log).not.toContain("crash");
      expect(await restored.end("SIGTERM")).toBe(0);
    });

    test("says what it is and how it is used", () => {
      const [command, ...args] = program() as [string, ...string[]];
      const run = (flag: string) => Bun.spawnSync([command, ...args, flag]).stdout.toString();
      const commit = "(source|commit ([0-9a-f]{12}\\+?|unknown))";
      const line = new RegExp(
        `^number-dispenser \\d+\\.\\d+\\.\\d+ \\(${commit}, Bun ${Bun.version}\\)\n$`,
      );
      expect(run("-version")).toMatch(line);
      expect(run("--help")).toContain("-addr host:port");
    });

    test("measures itself", () => {
      const [command, ...args] = program() as [string, ...string[]];
      const folder = temporaryFolder();
      const bench = ["bench", "-json", "-seconds", "0.1", "-data", folder];
      const { stdout, stderr } = Bun.spawnSync([command, ...args, ...bench]);
      expect(stderr.toString()).toBe("");
      expect(JSON.parse(stdout.toString()).loads).toHaveLength(18);
      expect(readdirSync(folder)).toEqual([]);
    });

    test("ends with status 2 and one line for bad usage", async () => {
      const file = join(temporaryFolder(), "bad.yaml");
      writeFileSync(file, "server:\n  port: 1\n");
      const cases: [string[], string][] = [
        [["-nonsense"], "unknown flag -nonsense; see -help"],
        [["-addr", "6380"], "-addr: '6380' must be one or several of host:port"],
        [["-config", file], `${file}:2: unknown setting 'server.port'`],
      ];
      for (const [args, message] of cases) {
        const { status, log } = await ServerProcess.run({ program: program(), args });
        expect(status).toBe(2);
        expect(log).toStartWith(`number-dispenser: ${message}`);
        expect(log.trim().split("\n").length).toBe(1);
      }
    });

    test("ends with status 1 and one line for what the environment refuses", async () => {
      const running = await start();
      const other = join(temporaryFolder(), "data");
      const folder = temporaryFolder();
      mkdirSync(join(folder, "file"));
      const cases: [string[], string][] = [
        [
          ["-data", running.dataDir],
          `data folder ${running.dataDir} is in use by process ${running.pid}`,
        ],
        [
          ["-data", other, "-addr", `127.0.0.1:${running.port}`],
          `cannot listen on 127.0.0.1:${running.port}: the address is in use`,
        ],
        [
          ["-config", "/nowhere.yaml"],
          "cannot read the config file /nowhere.yaml: no such file or directory (ENOENT)",
        ],
        [
          ["-data", other, "-addr", "192.0.2.1:7401"],
          "cannot listen on 192.0.2.1:7401: it is not an address of this machine",
        ],
        [["-data", "/proc/data"], "cannot make data folder /proc/data: "],
      ];
      for (const [args, message] of cases) {
        const { status, log } = await ServerProcess.run({ program: program(), args });
        expect(log).toStartWith(`number-dispenser: ${message}`);
        expect(log.trim().split("\n").length).toBe(1);
        expect(status).toBe(1);
      }
      expect(existsSync(join(other, "number-dispenser.db-wal"))).toBe(false);
      await running.end("SIGTERM");
    });
  });
}
