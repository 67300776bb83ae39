/**
 * Pipelines that are written to the end before anything of the replies is read: both sides would
 * wait for each other for ever if the server kept nothing.
 */

import { afterEach, expect, test } from "bun:test";
import type { Config } from "../../../../src/config/settings.ts";
import { encodeRequest, readReplies, TestClient } from "../../../../testkit/resp.ts";
import { until } from "../../../../testkit/until.ts";
import { LateReader } from "../../../support/late-reader.ts";
import { MemoryStore } from "../../../support/memory-store.ts";
import { clockOf, startLocal, troubleIn } from "../../../support/server.ts";

/** A number of as many digits as make its reply almost as long as its request. */
const STARTING = 1_000_000_000_000_000;
const GET = encodeRequest("GET", "m");

const running: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of running.splice(0)) await stop();
});

async function start(overrides: Partial<Config> = {}) {
  let nowMs = 1;
  const server = startLocal(new MemoryStore(), overrides, { clock: clockOf(() => nowMs) });
  running.push(() => server.server.stop());
  const admin = await TestClient.connect(server.port);
  const fields = ["type", "3", "auto_disk", "memory", "starting", String(STARTING)];
  expect(await admin.command("HSET", "m", ...fields)).toBe(3);
  const sleep = (seconds: number) => {
    nowMs += seconds * 1000;
  };
  return { ...server, admin, sleep };
}

/** How many of the line's numbers arrived, in order and without a gap. */
function numbersIn(received: string): number {
  const replies = readReplies(received);
  const wrong = replies.findIndex((reply, index) => reply !== String(STARTING + index));
  expect(wrong).toBe(-1);
  return replies.length;
}

test("550,000 GETs that are written before anything is read are all answered", async () => {
  const GETS = 550_000;
  const { port, admin, logged } = await start();
  const client = await LateReader.connect({ port });
  await client.send(GET.repeat(GETS));
  client.shutdown();
  const { received, end } = await client.read();
  expect([numbersIn(received), end]).toEqual([GETS, "FIN"]);
  expect(troubleIn(logged)).toEqual([]);
  admin.close();
});

test("more than the server may keep end in limits.request_seconds, with a line of the log", async () => {
  const GETS = 1_500_000;
  const limits = { bufferBytesMax: 2 * 1024 * 1024, replyBytesMax: 64 * 1024 };
  const { port, admin, logged, sleep, server: listener } = await start(limits);
  const client = await LateReader.connect({ port });
  let isWritten = false;
  const written = client.send(GET.repeat(GETS)).then(() => {
    isWritten = true;
  });
  const session = () => [...listener.sessions].at(-1);
  const answered = () => listener.counters.commands;
  for (let before = -1; before !== answered() || answered() < 1000; ) {
    before = answered();
    await Bun.sleep(200);
  }
  // Nobody can go on, and all others are served.
  expect(isWritten).toBe(false);
  expect(session()!.replyBytes).toBeGreaterThan(0);
  expect(session()!.replyBytes).toBeLessThan(2 * 1024 * 1024);
  sleep(59);
  expect(await admin.command("PING")).toBe("PONG");
  await Bun.sleep(50);
  expect(troubleIn(logged)).toEqual([]);
  sleep(2);
  await until(() => troubleIn(logged).length > 0);
  expect(troubleIn(logged)).toEqual([
    expect.stringMatching(/^warning client closed: .* within limits\.request_seconds client=/),
  ]);
  // What it had yet to write is thrown away; what was answered arrives.
  await written;
  const { received, end } = await client.read();
  expect(end).toBe("FIN");
  const count = numbersIn(received);
  expect(count).toBeGreaterThan(1000);
  expect(count).toBeLessThan(GETS);
  await until(() => listener.sessions.size === 1);
  expect(troubleIn(logged)).toHaveLength(1);
  admin.close();
});

test("GETs whose replies are read late, but are read, are all answered with small limits, too", async () => {
  const GETS = 600_000;
  const limits = { bufferBytesMax: 2 * 1024 * 1024, replyBytesMax: 64 * 1024 };
  const { port, admin, logged } = await start({ ...limits, replyBytesHardMax: 1024 * 1024 });
  const client = await LateReader.connect({ port });
  const written = client.send(GET.repeat(GETS)).then(() => client.shutdown());
  await Bun.sleep(100);
  const { received, end } = await client.read();
  await written;
  expect([numbersIn(received), end]).toEqual([GETS, "FIN"]);
  expect(troubleIn(logged)).toEqual([]);
  admin.close();
});
