import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";
import { versionText } from "../../../src/base/version.ts";
import { bench } from "../../../src/cli/bench.ts";
import { load } from "../../../src/cli/load.ts";
import { strategyNames } from "../../../src/dispenser/strategy.ts";
import { temporaryFolder } from "../../../testkit/folder.ts";
import { fromSource } from "../../../testkit/process.ts";
import { TestClient } from "../../../testkit/resp.ts";
import { until } from "../../../testkit/until.ts";
import { messageOf } from "../../support/message-of.ts";
import { startInMemory } from "../../support/server.ts";

/** Somewhere to show progress. */
function screen(isTTY: boolean) {
  const shown: string[] = [];
  const write = (text: string) => shown.push(text);
  return { shown, stream: { isTTY, write } as unknown as NodeJS.WriteStream };
}

describe("bench", () => {
  test("measures every strategy on the disk of the data folder, shows how far it is, and leaves nothing", async () => {
    const folder = temporaryFolder();
    const { shown, stream } = screen(true);
    const flags = new Map([["seconds", "0.1"]]);
    // What is set for the server does not reach the one that is measured.
    const environment = { ...process.env, NUMBER_DISPENSER_REQUIREPASS: "secret" };
    const lines = (await bench(join(folder, "not/there/yet"), flags, environment, stream)).split(
      "\n",
    );
    expect(lines[0]).toBe(versionText);
    expect(lines[1]).toMatch(/ \d+ cores, \d+ syncs a second on the disk of the data folder$/);
    const rows = lines.slice(lines.findIndex((line) => line.includes("16 deep")) + 1);
    expect(rows.map((row) => row.split(" ")[0]!)).toEqual([...strategyNames, "random"]);
    for (const row of rows) {
      expect(row.slice(row.indexOf(" "))).toMatch(/^(\s+[\d,]+ \([\d.]+, [\d.]+\)){3}$/);
    }
    expect(shown[0]).toContain("0 %  memory, 1 deep");
    expect(shown.at(-1)).toEndWith("\x1b[K");
    expect(readdirSync(folder)).toEqual([]);
  });

  test("answers scripts in JSON, and shows no bar where nobody looks", async () => {
    const { shown, stream } = screen(false);
    const flags = new Map([
      ["seconds", "0.1"],
      ["json", ""],
    ]);
    const { version, syncs_per_second, loads } = JSON.parse(
      await bench(temporaryFolder(), flags, process.env, stream),
    );
    expect([version, syncs_per_second > 0, loads.length]).toEqual([versionText, true, 18]);
    expect(loads[0]).toMatchObject({ strategy: "memory", depth: 1 });
    for (const measured of loads) {
      expect(measured.numbers_per_second).toBeGreaterThan(0);
      expect(measured.numbers_per_cpu_second).toBeGreaterThan(0);
      expect(measured.p99_ms).toBeGreaterThanOrEqual(measured.p50_ms);
    }
    expect(shown).toEqual([]);
  });

  test.each([
    [["seconds", "0"], "UsageError: -seconds: '0' must be a number from 0.1 to 60"],
    [["seconds", "1e1"], "UsageError: -seconds: '1e1' must be a number from 0.1 to 60"],
  ] as const)("refuses %p", async ([flag, value], message) => {
    const { stream } = screen(false);
    expect(await messageOf(bench("/nowhere", new Map([[flag, value]]), {}, stream))).toBe(message);
  });
});

test("bench leaves nothing where it is ended meanwhile", async () => {
  const folder = temporaryFolder();
  const child = Bun.spawn([...fromSource, "bench", "-data", folder], { stderr: "ignore" });
  const serverFile = () => [
    ...new Glob(".bench-*/data/*.pid").scanSync({ cwd: folder, dot: true }),
  ];
  await until(() => serverFile().length > 0);
  const server = Number(readFileSync(join(folder, serverFile()[0]!), "utf8"));
  child.kill("SIGTERM");
  await child.exited;
  expect(child.signalCode).toBe("SIGTERM");
  expect(readdirSync(folder)).toEqual([]);
  // It is gone, or about to be.
  await until(
    () =>
      !existsSync(`/proc/${server}/cmdline`) || !readFileSync(`/proc/${server}/cmdline`, "utf8"),
  );
});

describe("a load", () => {
  test("fails where the server answers no number, or is not there", async () => {
    const { port, server: listener } = startInMemory();
    const options = { port, name: "x", connections: 2, depth: 3, seconds: 0.1 };
    expect(await messageOf(load(options))).toStartWith(
      "CannotStart: the server answered '-ERR dispenser not found: 'x'",
    );
    await listener.stop();
    expect(await messageOf(load(options))).toStartWith("CannotStart: cannot connect: ");
  });

  test("fails where the server closes, and where it says nothing", async () => {
    const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const options = { name: "x", connections: 2, depth: 3, seconds: 0.05, patienceSeconds: 0.05 };
    expect(await messageOf(load({ ...options, port: silent.port }))).toBe(
      "CannotStart: the server does not answer in 0.05 seconds",
    );
    silent.stop(true);
    const closing = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (socket) => void socket.end() },
    });
    expect(await messageOf(load({ ...options, port: closing.port }))).toBe(
      "CannotStart: the server closed the connection",
    );
    closing.stop(true);
  });

  test("counts what it took", async () => {
    const { port, server: listener } = startInMemory();
    const client = await TestClient.connect(port);
    await client.command("HSET", "x", "type", "3");
    const result = await load({ port, name: "x", connections: 3, depth: 5, seconds: 0.05 });
    expect(Number((await client.info("x")).generated)).toBe(result.numbers);
    expect(result.waitsMs.length * 5).toBe(result.numbers);
    client.close();
    await listener.stop();
  });
});
