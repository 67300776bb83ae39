import { afterEach, describe, expect, test } from "bun:test";
import type { Config } from "../../../../src/config/settings.ts";
import { RESERVED_PLACES } from "../../../../src/server/net/admission.ts";
import { encodeRequest, ReplyError, readReplies, TestClient } from "../../../../testkit/resp.ts";
import { Turns } from "../../../../testkit/turns.ts";
import { FakeWire } from "../../../support/fake-wire.ts";
import { MemoryStore } from "../../../support/memory-store.ts";
import { clockOf, startLocal } from "../../../support/server.ts";

const running: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const stop of running.splice(0)) await stop();
});

/** A connection on a wire of ours, of a server whose turns end when turn() is called. */
function setUp(overrides: Partial<Config> = {}) {
  const turns = new Turns();
  const { schedule } = turns;
  // A clock that stands still: nothing takes long, whatever else the machine does.
  const clock = clockOf(() => 0);
  const server = startLocal(new MemoryStore(), overrides, { clock, schedule });
  const { resp } = server.server;
  const wire = new FakeWire();
  const ends = { address: "test", localAddress: "server", host: "client", isLocal: true };
  const connection = resp.connect(wire, ends);
  running.push(() => {
    resp.disconnect(connection);
    return server.server.stop();
  });
  const send = (...requests: string[][]) =>
    connection.receive(
      Buffer.from(requests.map((words) => encodeRequest(...words)).join(""), "latin1"),
    );
  const turn = () => {
    turns.end();
    expect(server.fatal).toEqual([]);
  };
  const replies = () => {
    const read = readReplies(wire.sent);
    wire.sent = "";
    return read;
  };
  const define = (...words: string[]) => {
    send(["HSET", ...words]);
    turn();
    replies();
  };
  return { ...server, wire, connection, send, turn, replies, define };
}

const full = new ReplyError("ERR storage unavailable: the disk is full");

describe("held replies", () => {
  test("wait for the commit, and hold what comes after them", () => {
    const { send, turn, replies, define } = setUp();
    define("x", "type", "3");
    send(["PING"], ["GET", "x"], ["PING"], ["GET", "x"]);
    expect(replies()).toEqual(["PONG"]);
    turn();
    expect(replies()).toEqual(["0", "PONG", "1"]);
  });

  test("become errors when the commit fails, and nothing else does", () => {
    const { send, turn, replies, define, store } = setUp();
    define("x", "type", "3");
    define("m", "type", "3", "auto_disk", "memory");
    store.failures = ["unavailable"];
    send(
      ["GET", "x"],
      ["GET", "m"],
      ["GET", "x"],
      ["PING"],
      ["HSET", "y", "type", "3"],
      ["GET", "y"],
    );
    turn();
    expect(replies()).toEqual([full, "0", full, "PONG", full, full]);
    send(["GET", "x"], ["GET", "y"]);
    turn();
    expect(replies()).toEqual(["0", new ReplyError("ERR dispenser not found: 'y'")]);
  });

  test("are those about numbers and changed names; what is about definitions is not", () => {
    const { send, turn, replies, define, store } = setUp();
    define("x", "type", "3");
    store.failures = ["unavailable"];
    send(["EXISTS", "x"], ["TYPE", "x"], ["HGET", "x", "step"], ["GET", "x"], ["INFO", "x"]);
    expect(replies()).toEqual([1, "dispenser", "1"]);
    send(["HGET", "x", "type"]);
    turn();
    expect(replies()).toEqual([full, full, "3"]);
  });

  test("an MGET that fails is one error; what it took of other lines is wasted", async () => {
    const { send, turn, replies, define, store, engine } = setUp();
    define("x", "type", "3");
    define("m", "type", "3", "auto_disk", "memory");
    store.failures = ["unavailable"];
    send(["MGET", "m", "x", "m"], ["PING"]);
    turn();
    expect(replies()).toEqual([full, "PONG"]);
    expect(engine.find("m")!.counts).toEqual({ generated: 0n, wasted: 2n });
    expect(engine.find("x")!.counts).toEqual({ generated: 0n, wasted: 0n });
    send(["MGET", "m", "x"]);
    turn();
    expect(replies()).toEqual([["2", "0"]]);
  });

  test("of a client that left are forgotten, and their commit goes on", () => {
    const { send, turn, connection, define, wire, engine } = setUp();
    define("x", "type", "3");
    send(["GET", "x"]);
    connection.gone();
    turn();
    expect(wire.sent).toBe("");
    expect(engine.find("x")!.current).toBe("1");
  });

  test("are sent before the connection ends", () => {
    const { send, turn, replies, define, wire, connection } = setUp();
    define("x", "type", "3");
    send(["GET", "x"], ["QUIT"], ["GET", "x"]);
    expect(wire.isShut).toBe(false);
    turn();
    expect(replies()).toEqual(["0", "OK"]);
    expect([wire.isShut, wire.isEnded]).toEqual([true, false]);
    connection.endInput();
    expect(wire.isEnded).toBe(true);
  });
});

describe("when the server is being stopped", () => {
  test("a client gets what was answered; what it still sends is thrown away", () => {
    const { send, replies, define, wire, connection } = setUp();
    define("m", "type", "3", "auto_disk", "memory");
    wire.room = 0;
    send(["GET", "m"]);
    connection.finish();
    expect(wire.isShut).toBe(false);
    send(["GET", "m"]);
    wire.room = Number.POSITIVE_INFINITY;
    connection.drain();
    expect(replies()).toEqual(["0"]);
    expect([wire.isShut, wire.isEnded]).toEqual([true, false]);
    connection.endInput();
    expect(wire.isEnded).toBe(true);
  });
});

describe("a client that does not read", () => {
  test("is not read from while too much is unsent, and loses nothing", () => {
    const { send, replies, define, wire, connection, turn } = setUp({
      ...{ replyBytesMax: 1024, bufferBytesMax: 45_000 },
    });
    define("m", "type", "3", "auto_disk", "memory");
    wire.room = 10;
    send(...Array.from({ length: 1000 }, () => ["GET", "m"]));
    expect(wire.isPaused).toBe(true);
    expect(connection.session.replies.length).toBeLessThan(5000);
    while (wire.isPaused) {
      wire.room = 700;
      connection.drain();
    }
    wire.room = Number.POSITIVE_INFINITY;
    connection.drain();
    turn();
    expect(replies()).toEqual(Array.from({ length: 1000 }, (_, index) => String(index)));
  });

  test("with held replies gets them all, once it reads", () => {
    const { send, replies, define, wire, connection, turn } = setUp({ replyBytesMax: 1024 });
    define("x", "type", "3");
    send(...Array.from({ length: 1000 }, () => ["GET", "x"]));
    for (let count = 0; wire.isPaused && count < 100; count++) {
      turn();
      connection.drain();
    }
    turn();
    expect(replies()).toEqual(Array.from({ length: 1000 }, (_, index) => String(index)));
  });
});

describe("over a real socket", () => {
  const listen = (overrides: Partial<Config> = {}) => {
    const { port, server: listener } = startLocal(new MemoryStore(), overrides);
    running.push(() => listener.stop());
    return port;
  };

  test("a client that ends its side first still gets its replies", async () => {
    const port = listen();
    const client = await TestClient.connect(port);
    client.send(encodeRequest("HSET", "x", "type", "3") + encodeRequest("GET", "x"));
    client.shutdown();
    expect(await client.next()).toBe(1);
    expect(await client.next()).toBe("0");
    await client.closed;
  });

  test("a protocol error is answered and the connection ended", async () => {
    const port = listen();
    const client = await TestClient.connect(port);
    client.send(`${encodeRequest("PING")}*1\r\n$x\r\nGET`);
    expect(await client.next()).toBe("PONG");
    expect(await client.next()).toEqual(new ReplyError("ERR Protocol error: invalid bulk length"));
    await client.closed;
  });

  test("a request of HTTP ends the connection without an answer", async () => {
    const port = listen();
    const client = await TestClient.connect(port);
    client.send("POST / HTTP/1.1\r\nDEL x\r\n");
    const answer = client.next();
    await client.closed;
    expect(await answer).toEqual(new ReplyError("connection closed"));
  });

  test("a PROXY header ends the connection without an answer, in either version", async () => {
    const port = listen();
    const version2 = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x0a\0\0\x01\x0a\0\0\x02\x04\xd2\x18\xec";
    for (const header of ["PROXY TCP4 10.0.0.1 10.0.0.2 1234 6380\r\n", version2]) {
      const client = await TestClient.connect(port);
      client.send(header + encodeRequest("PING"));
      const answer = client.next();
      await client.closed;
      expect(await answer).toEqual(new ReplyError("connection closed"));
    }
  });

  test("a connection too many is told so", async () => {
    const port = listen({ clientsMax: 1 });
    const first = await TestClient.connect(port);
    expect(await first.command("PING")).toBe("PONG");
    for (let count = 0; count < RESERVED_PLACES; count++) await TestClient.connect(port);
    const second = await TestClient.connect(port);
    expect(await second.next()).toEqual(new ReplyError("ERR max number of clients reached"));
    await second.closed;
    expect(await first.command("PING")).toBe("PONG");
  });

  test("a deep pipeline larger than any buffer comes back whole and in order", async () => {
    const port = listen();
    const client = await TestClient.connect(port);
    await client.command("HSET", "x", "type", "3", "auto_disk", "pre-base");
    const rounds = 20;
    for (let round = 0; round < rounds; round++) {
      const replies = await client.pipeline(Array.from({ length: 500 }, () => ["GET", "x"]));
      expect(replies).toEqual(
        Array.from({ length: 500 }, (_, index) => String(round * 500 + index)),
      );
    }
  });
});
