/** The log of a real server: nobody waits for who reads it, and no client can flood it. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { closeSync, constants, openSync, readSync, rmSync } from "node:fs";
import { join } from "node:path";
import { makeFifo, temporaryFolder } from "../../../testkit/folder.ts";
import { endOnExit, fromSource, root } from "../../../testkit/process.ts";
import { TestClient } from "../../../testkit/resp.ts";
import { until } from "../../../testkit/until.ts";

/** Connections that come and go, with a line each time: more than the pipe and the queue take. */
const CONNECTIONS = 3000;
const AT_A_TIME = 100;
/** The most bytes that a pipe holds on Linux. */
const PIPE_BYTES = 64 * 1024;
const PROMPT_MS = 500;
const STOP_MS_MAX = 2000;
/** The exit status when the data vanished. */
const VANISHED = 78;
const TIMEOUT_MS = 30_000;

let pipe: number;
let child: Bun.Subprocess;
/** What was read of the log so far. */
let log = "";
let client: TestClient;
let port = 0;
let dataDir: string;

/** Reads what the pipe has. */
function read(): string {
  const bytes = Buffer.alloc(PIPE_BYTES);
  try {
    log += bytes.toString("utf8", 0, readSync(pipe, bytes));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
  }
  return log;
}

beforeEach(async () => {
  const path = join(temporaryFolder(), "stderr");
  makeFifo(path);
  log = "";
  pipe = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  const stderr = openSync(path, "r+");
  dataDir = join(temporaryFolder(), "data");
  const args = ["-addr", "127.0.0.1:0", "-data", dataDir];
  child = Bun.spawn([...fromSource, ...args], {
    cwd: root,
    env: { ...process.env, NUMBER_DISPENSER_LOG_LEVEL: "debug" },
    stdio: ["ignore", "ignore", stderr],
  });
  endOnExit(child);
  closeSync(stderr);
  const ready = /ready .*address=127\.0\.0\.1:(\d+)/;
  await until(() => ready.test(read()));
  port = Number(ready.exec(log)![1]);
  client = await TestClient.connect(port);
  await client.command("HSET", "x", "type", "3");
});

afterEach(() => closeSync(pipe));

async function flood(): Promise<void> {
  for (let left = CONNECTIONS; left > 0; left -= AT_A_TIME) {
    const clients = await Promise.all(
      Array.from({ length: AT_A_TIME }, () => TestClient.connect(port)),
    );
    await Promise.all(clients.map((each) => each.command("PING")));
    for (const each of clients) each.close();
  }
}

async function takesPromptly(count: number): Promise<void> {
  for (let each = 0; each < count; each++) {
    const began = performance.now();
    expect(Number(await client.command("GET", "x"))).toBeNumber();
    expect(performance.now() - began).toBeLessThan(PROMPT_MS);
  }
}

describe("with a pipe full of lines that nobody reads", () => {
  test(
    "GETs are answered, and SIGTERM ends the server",
    async () => {
      await flood();
      await takesPromptly(100);
      const began = performance.now();
      child.kill("SIGTERM");
      expect(await child.exited).toBe(0);
      expect(child.signalCode).toBeNull();
      expect(performance.now() - began).toBeLessThan(STOP_MS_MAX);
    },
    TIMEOUT_MS,
  );

  test(
    "an error that ends the server does so",
    async () => {
      await flood();
      const began = performance.now();
      rmSync(dataDir, { recursive: true });
      expect(await child.exited).toBe(VANISHED);
      expect(performance.now() - began).toBeLessThan(STOP_MS_MAX);
      // What the pipe held is older; the last line found no room.
      expect(read()).not.toContain("was removed");
    },
    TIMEOUT_MS,
  );

  test(
    "a reader who comes back is told how many lines were dropped, and gets the last ones",
    async () => {
      await flood();
      await until(() => /log lines dropped/.test(read()));
      await takesPromptly(10);
      child.kill("SIGTERM");
      await until(() => /stopped, all positions saved/.test(read()));
      expect(await child.exited).toBe(0);
      const dropped = [...log.matchAll(/^\S+ warning log lines dropped count=(\d+)$/gm)];
      const count = dropped.reduce((sum, [, each]) => sum + Number(each), 0);
      expect(count).toBeGreaterThan(0);
      const shown = log.match(/debug client (connected|left)/g)!.length;
      // Each line was written or counted. The first client leaves with the server.
      expect(shown + count).toBe(2 * (CONNECTIONS + 1));
      for (const line of log.trimEnd().split("\n")) expect(line).toMatch(/^\d{4}-\d\d-\d\dT/);
    },
    TIMEOUT_MS,
  );
});

test(
  "wrong passwords are one line a second, however many and long they are",
  async () => {
    const guesses = await Promise.all(
      Array.from({ length: AT_A_TIME }, () => TestClient.connect(port)),
    );
    const user = "\x1b[2J\n".repeat(3000);
    await Promise.all(guesses.map((each) => each.command("AUTH", user, "guess")));
    child.kill("SIGTERM");
    await until(() => /stopped, all positions saved/.test(read()));
    const lines = log.split("\n").filter((line) => line.includes("wrong password"));
    expect(lines.length).toBeWithin(1, 5);
    for (const line of lines) {
      expect(line).toContain("\\u001b[2J\\n\\u001b[2J\\n");
      expect(line).toContain('... (cut from 15000 bytes)"');
      expect(line.length).toBeLessThan(2000);
    }
    expect(await child.exited).toBe(0);
  },
  TIMEOUT_MS,
);
