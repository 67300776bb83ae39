/** Each setting under `limits` does what its line in config.yaml says, changed while it runs too. */

import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { type Config, settings } from "../../../../src/config/settings.ts";
import { BYTES_BESIDE_NAME } from "../../../../src/engine/engine.ts";
import { RESERVED_PLACES } from "../../../../src/server/net/admission.ts";
import type { ClientSession } from "../../../../src/server/session/session.ts";
import { encodeRequest, type Reply, ReplyError, TestClient } from "../../../../testkit/resp.ts";
import { Mute } from "../../../support/mute.ts";
import { type LocalServer, startInMemory } from "../../../support/server.ts";

const KIBIBYTE = 1024;
const MEBIBYTE = 1024 * KIBIBYTE;
/** Of one write of a test client, which a socket takes at once. */
const CHUNK_BYTES = 64 * KIBIBYTE;

const error = (text: string) => new ReplyError(text);
const messageOf = (reply: Reply) => (reply instanceof ReplyError ? reply.message : "");

const servers: LocalServer<never>[] = [];
afterAll(() => Promise.all(servers.map(({ server: listener }) => listener.stop())));

async function setUp(overrides: Partial<Config> = {}) {
  const server = startInMemory(overrides);
  servers.push(server as unknown as LocalServer<never>);
  const admin = await TestClient.connect(server.port);
  const set = async (name: string, value: number) =>
    expect([name, await admin.command("CONFIG", "SET", name, String(value))]).toEqual([name, "OK"]);
  const warnings = () => server.logged.filter((line) => line.startsWith("warning"));
  return { ...server, admin, set, warnings };
}

/** Waits for something that comes about by itself. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise<void>((resolve) => void setImmediate(resolve));
}

describe("clients", () => {
  test("are let in up to the limit, which may change while the server runs", async () => {
    const { port, admin, set } = await setUp();
    await set("maxclients", 2);
    const second = await TestClient.connect(port);
    expect(await second.command("PING")).toBe("PONG");
    const looking: TestClient[] = [];
    while (looking.length < RESERVED_PLACES) looking.push(await TestClient.connect(port));
    const refused = await TestClient.connect(port);
    expect(await refused.next()).toEqual(error("ERR max number of clients reached"));
    await refused.closed;
    for (const client of looking) client.close();
    await until(async () => Number((await admin.info("clients")).connected_clients) === 2);
    // Who is there already stays.
    await set("maxclients", 1);
    expect(await second.command("PING")).toBe("PONG");
    await set("maxclients", 10);
    const third = await TestClient.connect(port);
    expect(await third.command("PING")).toBe("PONG");
    expect(await admin.command("INFO", "clients")).toContain("maxclients:10\r\n");
    expect(await admin.command("INFO", "stats")).toContain("rejected_connections:1\r\n");
  });

  test("are never more than the process may open files for", async () => {
    const { admin } = await setUp();
    const reply = messageOf(await admin.command("CONFIG", "SET", "maxclients", "1000000"));
    expect(reply).toMatch(/the process may open too few files for 1000000 clients/);
  });
});

describe("a request", () => {
  test("has request_bytes at most, its headers counted", async () => {
    const { port } = await setUp({ requestBytesMax: 2048 });
    const client = await TestClient.connect(port);
    const head = "*2\r\n$4\r\nECHO\r\n$2000\r\n".length;
    const fitting = 2048 - head - 2;
    const fits = `*2\r\n$4\r\nECHO\r\n$${fitting}\r\n${"x".repeat(fitting)}\r\n`;
    client.send(fits);
    expect(await client.next()).toBe("x".repeat(fitting));
    client.send(`*2\r\n$4\r\nECHO\r\n$${fitting + 1}\r\n`);
    expect(await client.next()).toEqual(error("ERR Protocol error: invalid bulk length"));
    await client.closed;
  });

  test("has request_arguments at most", async () => {
    const { port } = await setUp({ requestArgumentsMax: 16 });
    const client = await TestClient.connect(port);
    expect(await client.command("EXISTS", ...Array<string>(15).fill("x"))).toBe(0);
    client.send("*17\r\n");
    expect(await client.next()).toEqual(error("ERR Protocol error: invalid multibulk length"));
    await client.closed;
  });
});

describe("a transaction", () => {
  test("has transaction_bytes at most, from the next MULTI on after a change", async () => {
    const { admin, set } = await setUp();
    await set("limits.transaction_bytes", 1400);
    const many = Array.from({ length: 9 }, () => ["GET", "x"]);
    const replies = await admin.pipeline([["MULTI"], ...many, ["EXEC"]]);
    expect(replies.slice(1, 8)).toEqual(Array(7).fill("QUEUED"));
    expect(messageOf(replies[8]!)).toStartWith("ERR transaction too large: limits.transaction_byt");
    expect(messageOf(replies[10]!)).toStartWith("EXECABORT");
    await set("limits.transaction_bytes", 2048);
    expect((await admin.pipeline([["MULTI"], ...many, ["EXEC"]])).at(-1)).toHaveLength(9);
  });
});

describe("replies not read", () => {
  const echoes = (count: number) => encodeRequest("ECHO", "x".repeat(10_000)).repeat(count);

  test("stop the reading at reply_bytes, live", async () => {
    const { port, server: listener, admin, set } = await setUp();
    await set("limits.reply_bytes", CHUNK_BYTES);
    await set("limits.buffer_bytes", MEBIBYTE);
    const mute = await Mute.connect(port, echoes(3000));
    const session = () => [...listener.sessions].find(({ lastCommand }) => lastCommand === "echo");
    const { counters } = listener;
    // Nothing more of it is answered while another client has so many turns.
    const TURNS = 100;
    const first = counters.commands;
    let pings = 0;
    await until(async () => {
      const before = counters.commands;
      for (let count = 0; count < TURNS; count++) await admin.command("PING");
      pings += TURNS;
      return (session()?.replyBytes ?? 0) > 0 && counters.commands === before + TURNS;
    });
    expect(counters.commands - pings - first).toBeLessThan(3000);
    expect(session()!.replyBytes).toBeLessThan(MEBIBYTE / 4 + CHUNK_BYTES + 2 * 10_000);
    expect(mute.closed).toBe(false);
    mute.close();
  });

  test("of more than reply_bytes_hard close the client, even where reply_bytes is more", async () => {
    const { port, set, warnings } = await setUp();
    await set("limits.reply_bytes_hard", 50_000);
    const mute = await Mute.connect(port, echoes(3000));
    await until(() => mute.closed);
    expect(warnings()[0]).toContain("client closed: unread replies");
  });

  test("of more than reply_bytes_hard close the client, live, and it is logged", async () => {
    const { port, server: listener, set, warnings } = await setUp();
    await set("limits.reply_bytes", CHUNK_BYTES);
    await set("limits.reply_bytes_hard", 2 * MEBIBYTE);
    const big = encodeRequest("ECHO", "x".repeat(1_000_000));
    // More than the system's own buffers take of it.
    await set("limits.transaction_bytes", 32 * MEBIBYTE);
    const mute = await Mute.connect(port, `MULTI\r\n${big.repeat(24)}EXEC\r\n`);
    await until(() => warnings().length > 0);
    expect(listener.sessions.size).toBe(1);
    expect(warnings()[0]).toMatch(
      /^warning client closed: unread replies client=127\.0\.0\.1:\d+ bytes=\d+ limit=2097152$/,
    );
    mute.close();
  });
});

test("buffer_bytes of all clients together: the one with the most is closed, live", async () => {
  const { port, server: listener, admin, set, warnings } = await setUp();
  await set("maxmemory-clients", 2 * MEBIBYTE);
  const half = (bytes: number) => `*2\r\n$4\r\nECHO\r\n$1000000\r\n${"x".repeat(bytes)}`;
  const small = await Mute.connect(port, half(100_000));
  const mutes = [small];
  for (let count = 0; count < 4; count++) mutes.push(await Mute.connect(port, half(900_000)));
  await until(() => warnings().length > 0);
  expect(warnings()[0]).toMatch(
    /^warning client closed: buffers of all clients are full client=\S+ bytes=\d+ limit=2097152$/,
  );
  expect(await admin.command("PING")).toBe("PONG");
  const sessions = [...listener.sessions] as ClientSession[];
  const held = sessions.reduce((sum, { heldBytes }) => sum + heldBytes, 0);
  expect(held).toBeLessThanOrEqual(2 * MEBIBYTE);
  expect(listener.sessions.size).toBeGreaterThan(1);
  expect(small.closed).toBe(false);
  for (const mute of mutes) mute.close();
});

test("idle_seconds close who is silent and nobody else, live", async () => {
  const { port, admin, set } = await setUp();
  const silent = await TestClient.connect(port);
  const busy = await TestClient.connect(port);
  let isOver = false;
  const traffic = (async () => {
    while (!isOver) {
      for (const client of [busy, admin]) expect(await client.command("PING")).toBe("PONG");
    }
  })();
  await set("timeout", 1);
  await silent.closed;
  isOver = true;
  await traffic;
});

test.skipIf(process.platform !== "linux")(
  "keepalive_seconds of silence have TCP ask, for clients that come after a change",
  async () => {
    const { port, server: listener, set } = await setUp();
    const hex = (number: number) => number.toString(16).toUpperCase().padStart(4, "0");
    /** The seconds until the timer of the server's end of a connection runs out; 0 for none. */
    const timerOf = (client: string) => {
      const ends = new RegExp(
        `:${hex(port)} \\w+:${hex(Number(client.split(":")[1]))} \\w+ \\w+:\\w+ (\\w+):(\\w+)`,
      );
      const [, kind, ticks] = ends.exec(readFileSync("/proc/net/tcp", "utf8"))!;
      return kind === "02" ? Number.parseInt(ticks!, 16) / 100 : 0;
    };
    const seconds: number[] = [];
    for (const setting of [200, 0]) {
      await set("tcp-keepalive", setting);
      const client = await TestClient.connect(port);
      await client.command("PING");
      seconds.push(timerOf([...listener.sessions].at(-1)!.address));
      client.close();
    }
    expect(seconds[0]).toBeGreaterThan(190);
    expect(seconds).toEqual([seconds[0]!, 0]);
  },
);

describe("dispensers", () => {
  test("are as many as the limit at most, live", async () => {
    const { admin, set } = await setUp();
    await set("limits.dispensers", 1);
    expect(await admin.command("HSET", "a", "type", "3")).toBe(1);
    const refusal = error("ERR max number of dispensers reached: limits.dispensers is 1");
    expect(await admin.command("HSET", "b", "type", "3")).toEqual(refusal);
    expect(await admin.command("HSET", "a", "auto_disk", "memory")).toBe(0);
    await set("limits.dispensers", 2);
    expect(await admin.command("HSET", "b", "type", "3")).toBe(1);
    expect(await admin.command("DEL", "a", "b")).toBe(2);
    expect(await admin.command("HSET", "c", "type", "3")).toBe(1);
  });

  test("take names_bytes of memory at most, live; those that are there stay", async () => {
    const { admin, set, server } = await setUp();
    const { engine } = server;
    const each = BYTES_BESIDE_NAME + 4;
    const most = Math.floor(2 ** 20 / each);
    const names = Array.from({ length: most + 1 }, (_, nth) => String(nth + 1000));
    await set("limits.names_bytes", 2 ** 20);
    const replies = await admin.pipeline(names.map((name) => ["HSET", name, "type", "3"]));
    const refusal =
      "ERR max memory of names reached: limits.names_bytes is 1048576, where a dispenser counts 1000 and its name. " +
      "Delete dispensers, or raise the limit if there is more memory";
    expect(replies.indexOf(1)).toBe(0);
    expect(replies.filter((reply) => reply === 1)).toHaveLength(most);
    expect(replies.at(-1)).toEqual(error(refusal));
    expect(engine.namesBytes).toBe(most * each);
    expect(await admin.command("HSET", "1000", "auto_disk", "memory")).toBe(0);
    expect(await admin.command("DEL", "1001")).toBe(1);
    expect(await admin.command("HSET", "mine", "type", "3")).toBe(1);
    expect(await admin.command("HSET", "more", "type", "3")).toEqual(error(refusal));
    await set("limits.names_bytes", 2 ** 21);
    expect(await admin.command("HSET", "more", "type", "3")).toBe(1);
  });

  test("have names of name_bytes at most, live; those that are there stay", async () => {
    const { admin, set } = await setUp();
    expect(await admin.command("HSET", "long-name", "type", "3")).toBe(1);
    await set("limits.name_bytes", 4);
    const refusal =
      "ERR invalid dispenser name: it may have 4 bytes (limits.name_bytes), and has 5: 'abcde'";
    expect(await admin.command("HSET", "abcde", "type", "3")).toEqual(error(refusal));
    expect(await admin.command("HSET", "abcd", "type", "3")).toBe(1);
    expect(await admin.command("GET", "long-name")).toBe("0");
    expect(await admin.command("HSET", "long-name", "auto_disk", "pre_close")).toBe(0);
  });
});

test("CONFIG SET changes all settings that are live, all of them or none, and no others", async () => {
  const { admin } = await setUp();
  for (const { path, redisName, isLive, isSecret } of Object.values(settings)) {
    const name = redisName ?? path;
    const shown = (await admin.command("CONFIG", "GET", name)) as string[];
    const value = isSecret ? "x" : shown[1]!;
    const reply = messageOf(await admin.command("CONFIG", "SET", name, value));
    const isRight = isLive ? reply === "" : reply.endsWith("can't set immutable config");
    expect([name, reply, isRight]).toEqual([name, reply, true]);
  }
  const refused = await admin.command("CONFIG", "SET", "timeout", "7", "maxclients", "none");
  expect(messageOf(refused)).toContain("it must be a whole number from 1 to 1000000");
  expect(await admin.command("CONFIG", "GET", "timeout")).toEqual(["timeout", "0"]);
});
