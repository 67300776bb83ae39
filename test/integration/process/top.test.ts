/** `top` on a terminal, as a person uses it, and where there is none. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { RedisClient } from "bun";
import { fromSource, root, ServerProcess } from "../../../testkit/process.ts";
import { Terminal } from "../clients/terminal.ts";

const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";

let server: ServerProcess;
let client: RedisClient;
let isOver = false;
let taking: Promise<void>;
beforeAll(async () => {
  server = await ServerProcess.start();
  client = new RedisClient(`redis://127.0.0.1:${server.port}`);
  await client.send("HSET", ["busy", "type", "3"]);
  await client.send("HSET", ["nearly", "type", "2", "length", "1"]);
  await client.send("HSET", ["idle", "type", "3"]);
  await client.send("MGET", Array(9).fill("nearly"));
  taking = (async () => {
    for (; !isOver; await Bun.sleep(5)) await client.get("busy").catch(() => {});
  })();
});
afterAll(async () => {
  isOver = true;
  await taking;
  client.close();
  await server.end("SIGTERM");
});

const words = (...more: string[]) => [
  ...fromSource,
  "top",
  "-addr",
  `127.0.0.1:${server.port}`,
  ...more,
];
const open = () => new Terminal(words(), { cols: 80, rows: 24 });
const titles = /RATE +USED% +TYPE +NEXT +LEFT +TAKEN +WASTED +NAME\n/;
/** The names in the table that was drawn first. */
const namesIn = (screen: string) =>
  [...(screen.split(titles)[1] ?? "").split("\n\n")[0]!.matchAll(/(\S+)$/gm)].map(
    ([, name]) => name!,
  );

describe("top on a terminal", () => {
  test("shows the busiest first, and those nearest their end at a key", async () => {
    const terminal = open();
    const names = await terminal.until((screen) => {
      const found = namesIn(screen.slice(screen.lastIndexOf("numbers a second:")));
      return found.length === 3 ? found : undefined;
    });
    expect(names[0]).toBe("busy");
    await terminal.shows(/\n *[1-9]\d* +0\.00 +3 +\d+ +9\.2E +\d+ +0 busy\n/);
    terminal.press("u");
    await terminal.shows(/sorted by used percent/);
    expect(namesIn(terminal.screen)[0]).toBe("nearly");
    terminal.press("p");
    await terminal.shows(/sorted by rate/);
    expect(namesIn(terminal.screen)[0]).toBe("busy");
    terminal.resize(60, 10);
    await terminal.shows(/keys: p by rate/);
    const wide = terminal.screen.split("\n").map((line) => Bun.stringWidth(line));
    expect(Math.max(...wide)).toBeLessThanOrEqual(60);
    terminal.press("q");
    expect(await terminal.exited()).toBe(0);
    expect(terminal.bytes).toStartWith(ENTER);
    expect(terminal.bytes).toEndWith(LEAVE);
    await terminal.close();
  });

  test.each([
    ["Ctrl-C", (terminal: Terminal) => terminal.press("\x03"), "SIGINT"],
    ["SIGINT", (terminal: Terminal) => terminal.signal("SIGINT"), "SIGINT"],
    ["SIGTERM", (terminal: Terminal) => terminal.signal("SIGTERM"), "SIGTERM"],
  ])("gives it back as it was after %s", async (_, end, signal) => {
    const terminal = open();
    await terminal.shows(titles);
    end(terminal);
    await terminal.exited();
    expect(terminal.endedBy).toBe(signal);
    expect(terminal.bytes).toEndWith(LEAVE);
    await terminal.close();
  });

  test("leaves the line discipline as it was, too", async () => {
    const script = `stty -g; ${words().join(" ")}; echo "status $?"; stty -g; echo end`;
    const terminal = new Terminal(["sh", "-c", script], { cols: 80, rows: 24 });
    await terminal.shows(titles);
    terminal.press("q");
    await terminal.shows(/end\n$/);
    const [before, after] = [...Bun.stripANSI(terminal.bytes).matchAll(/^[\da-f:]{20,}/gm)];
    expect(terminal.screen).toContain("status 0");
    expect(after?.[0]).toBe(before![0]);
    await terminal.close();
  });

  test("says so when the server goes away", async () => {
    const other = await ServerProcess.start();
    const addr = `127.0.0.1:${other.port}`;
    const terminal = new Terminal([...fromSource, "top", "-addr", addr], { cols: 80, rows: 24 });
    await terminal.shows(titles);
    await other.end("SIGKILL");
    expect(await terminal.exited()).toBe(1);
    const [, after] = terminal.bytes.split(LEAVE);
    expect(after).toContain(`number-dispenser: the server on ${addr} closes the connection`);
    await terminal.close();
  });
});

test("top where the output is no terminal shows one table and ends", async () => {
  const child = Bun.spawn(words("-sort", "used"), { cwd: root, stdout: "pipe" });
  const text = await child.stdout.text();
  expect(await child.exited).toBe(0);
  expect(text).not.toContain("\x1b");
  expect(text).toMatch(/^numbers a second: \d+, busy dispensers: 1, clients: \d, storage: ok\n/);
  expect(namesIn(text)[0]).toBe("nearly");
  const wrong = Bun.spawnSync(words("-sort", "name"), { cwd: root });
  expect([wrong.exitCode, wrong.stderr.toString()]).toEqual([
    2,
    "number-dispenser: -sort: 'name' must be one of rate, used\n",
  ]);
});

test("list into a pipe that is closed early ends quietly", async () => {
  const program = [...fromSource, "list", "-addr", `127.0.0.1:${server.port}`].join(" ");
  const { stdout, stderr } = Bun.spawnSync(["sh", "-c", `${program} | head -n 1`], { cwd: root });
  expect([stdout.toString(), stderr.toString()]).toEqual([expect.stringMatching(/^NAME /), ""]);
});
