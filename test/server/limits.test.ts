/** The limits of the settings, each as a client meets it. */

import { afterEach, describe, expect, test } from "bun:test";
import { Attacker } from "../hostile/attacks.ts";
import { encodeRequest, ReplyError, TestClient } from "../support/resp.ts";
import { startInMemory } from "../support/server.ts";

const running: { stop(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const listener of running.splice(0)) await listener.stop();
});

async function setUp(overrides: Parameters<typeof startInMemory>[0] = {}) {
  const server = startInMemory(overrides);
  running.push(server.listener);
  return { ...server, client: await TestClient.connect(server.port) };
}

const set = (client: TestClient, name: string, value: number) =>
  client.command("CONFIG", "SET", name, String(value));

describe("a limit that can be changed while the server runs", () => {
  test("dispensers", async () => {
    const { client } = await setUp();
    expect(await set(client, "limits.dispensers", 1)).toBe("OK");
    expect(await client.command("HSET", "a", "type", "3")).toBe(1);
    expect(await client.command("HSET", "b", "type", "3")).toEqual(
      new ReplyError("ERR max number of dispensers reached: limits.dispensers is 1"),
    );
    expect(await client.command("HSET", "a", "auto_disk", "pre_close")).toBe(0);
    await client.command("DEL", "a");
    expect(await client.command("HSET", "b", "type", "3")).toBe(1);
  });

  test("name_bytes", async () => {
    const { client } = await setUp();
    expect(await set(client, "limits.name_bytes", 3)).toBe("OK");
    expect(await client.command("HSET", "abcd", "type", "3")).toEqual(
      new ReplyError("ERR invalid dispenser name: it has 4 bytes, limits.name_bytes is 3"),
    );
    expect(await client.command("HSET", "abc", "type", "3")).toBe(1);
  });

  test("clients", async () => {
    const { client, port } = await setUp();
    expect(await set(client, "maxclients", 1)).toBe("OK");
    const late = await TestClient.connect(port);
    expect(await late.next()).toEqual(new ReplyError("ERR max number of clients reached"));
    expect(((await set(client, "maxclients", 1_000_000)) as Error).message).toStartWith(
      "ERR CONFIG SET failed - the process may open too few files",
    );
  });

  test("idle_seconds", async () => {
    const { client, port } = await setUp();
    const silent = await TestClient.connect(port);
    expect(await set(client, "timeout", 1)).toBe("OK");
    let isClosed = false;
    void silent.closed.then(() => {
      isClosed = true;
    });
    while (!isClosed) expect(await client.command("PING")).toBe("PONG");
    client.close();
  });

  test("transaction_bytes", async () => {
    const { client } = await setUp();
    expect(await set(client, "limits.transaction_bytes", 1024)).toBe("OK");
    await client.command("MULTI");
    const replies = await client.pipeline(Array.from({ length: 20 }, () => ["PING"]));
    expect((replies.at(-1) as Error).message).toStartWith("ERR transaction too large: ");
    expect(await client.command("EXEC")).toEqual(
      new ReplyError("EXECABORT Transaction discarded because of previous errors."),
    );
    expect(await client.command("PING")).toBe("PONG");
  });

  test("reply_bytes_hard", async () => {
    const { client, port, logged } = await setUp();
    expect(await set(client, "limits.reply_bytes", 1024)).toBe("OK");
    expect(await set(client, "limits.reply_bytes_hard", 1024)).toBe("OK");
    // A reply that the kernel takes at once is no unread one.
    expect(await client.command("ECHO", "x".repeat(2000))).toBe("x".repeat(2000));
    const greedy = await Attacker.connect(port, false);
    for (let sent = 0; sent < 100 && logged.length === 0; sent++) {
      void greedy.send(encodeRequest("ECHO", "x".repeat(200_000)));
      await client.command("PING");
    }
    expect(logged.join()).toContain("client closed: unread replies");
    greedy.reset();
  });

  test("buffer_bytes closes the client that holds the most", async () => {
    const { client, port, logged } = await setUp();
    expect(await set(client, "limits.buffer_bytes", 1_048_576)).toBe("OK");
    const small = await TestClient.connect(port);
    small.send("*2\r\n$4\r\nECHO\r\n$3\r\n");
    const large = await TestClient.connect(port);
    large.send(`*2\r\n$4\r\nECHO\r\n$1000000\r\n${"x".repeat(100_000)}`);
    for (let sent = 0; sent < 5; sent++) {
      await client.command("PING");
      large.send("x".repeat(100_000));
    }
    const another = await TestClient.connect(port);
    another.send(`*2\r\n$4\r\nECHO\r\n$1000000\r\n${"x".repeat(400_000)}`);
    await Promise.race([large.closed, another.closed]);
    expect(logged.join()).toContain("client closed: buffers of all clients are full");
    small.send("abc\r\n");
    expect(await small.next()).toBe("abc");
    another.close();
  });
});

test("a setting that cannot change is refused, and so is a value that it cannot have", async () => {
  const { client } = await setUp();
  const failed = "ERR CONFIG SET failed (possibly related to argument";
  expect(await set(client, "port", 1)).toEqual(
    new ReplyError(`${failed} 'port') - can't set immutable config`),
  );
  expect(await set(client, "limits.name_bytes", 256)).toEqual(
    new ReplyError(`${failed} 'limits.name_bytes') - it must be a whole number from 1 to 255`),
  );
  expect(await client.command("CONFIG", "SET", "timeout", "5", "limits.name_bytes", "0")).toEqual(
    new ReplyError(`${failed} 'limits.name_bytes') - it must be a whole number from 1 to 255`),
  );
  expect(await client.command("CONFIG", "GET", "timeout")).toEqual(["timeout", "0"]);
});
