/** The time limits of clients: who has passed one is ended, and nobody else. The clock is the test's. */

import { afterEach, describe, expect, test } from "bun:test";
import { parsePassword } from "../../../../src/config/kinds.ts";
import type { Config } from "../../../../src/config/settings.ts";
import { encodeRequest, type Reply, readReplies } from "../../../../testkit/resp.ts";
import { Turns } from "../../../../testkit/turns.ts";
import { FakeWire } from "../../../support/fake-wire.ts";
import { MemoryStore } from "../../../support/memory-store.ts";
import { clockOf, startLocal } from "../../../support/server.ts";

const HALF = "*2\r\n$3\r\nGET\r\n$1\r\n";
const secret = { requirepass: parsePassword("secret")! };

const running: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of running.splice(0)) await stop();
});

/** A server whose clock, turns and timers are the test's. */
function setUp(overrides: Partial<Config> = {}) {
  let nowMs = 1_000_000;
  let tickMs = 0;
  const turns = new Turns();
  const timers: (() => void)[] = [];
  const server = startLocal(new MemoryStore(), overrides, {
    clock: clockOf(() => {
      nowMs += tickMs;
      return nowMs;
    }),
    schedule: turns.schedule,
    every: (_, work) => {
      timers.push(work);
      return () => {};
    },
  });
  const { server: listener, logged, fatal } = server;
  const { resp } = listener;
  running.push(() => listener.stop());

  /** A client on a socket of ours. */
  function connect({ host = "10.0.0.1", isReserved = false } = {}) {
    const wire = new FakeWire();
    const ends = { address: `${host}:1`, localAddress: "server", host, isLocal: true };
    const connection = resp.connect(wire, ends, isReserved);
    running.unshift(async () => resp.disconnect(connection));
    const send = (bytes: string) => {
      connection.receive(Buffer.from(bytes, "latin1"));
      while (turns.isDue) turns.end();
    };
    return {
      ...{ connection, wire, send },
      command: (...words: string[]): Reply => {
        wire.sent = "";
        send(encodeRequest(...words));
        return readReplies(wire.sent)[0]!;
      },
      get isThere(): boolean {
        return !wire.isShut && !wire.isTerminated;
      },
    };
  }

  /** Lets seconds pass, one by one, with what is done each second. */
  function pass(seconds: number, work = () => {}): void {
    for (let count = 0; count < seconds; count++) {
      nowMs += 1000;
      work();
      for (const timer of timers) timer();
      while (turns.isDue) turns.end();
    }
    expect(fatal).toEqual([]);
  }

  /** The reasons that the log gives for clients that were closed. */
  const reasons = () => {
    listener.summaries.flush();
    return logged.flatMap((line) => {
      const [, reason, times] =
        /client closed: (.*?) client=.*?(?: times=(\d+))?$/.exec(line) ?? [];
      return reason === undefined ? [] : Array<string>(Number(times ?? 1)).fill(reason);
    });
  };

  /** From now on each look at the clock takes so long. */
  const tick = (milliseconds: number) => {
    tickMs = milliseconds;
  };
  const admin = connect();
  const set = (name: string, value: number) =>
    expect(admin.command("CONFIG", "SET", name, String(value))).toBe("OK");
  return { ...server, connect, pass, reasons, set, turns, tick, admin };
}

const SLOW = "it did not go on with a request or a reply within limits.request_seconds";
const STRANGE = "it did not log in within limits.login_seconds";
const SILENT = "it was silent for limits.idle_seconds";

describe("limits.request_seconds", () => {
  test("ends a client that sent half a request, however it trickles in, and no other", () => {
    const { connect, pass, reasons } = setUp();
    const [half, trickling, silent, busy] = [connect(), connect(), connect(), connect()];
    half.send(HALF);
    trickling.send("*2\r\n$4\r\nECHO\r\n$1000\r\n");
    busy.send("*1\r\n$4\r\nPI");
    const work = () => {
      trickling.send("x");
      // Each second the rest of a request, and the beginning of the next one.
      busy.send("NG\r\n*1\r\n$4\r\nPI");
    };
    pass(60, work);
    expect([half, trickling].map(({ isThere }) => isThere)).toEqual([true, true]);
    pass(1, work);
    expect([half, trickling].map(({ wire }) => wire.isShut)).toEqual([true, true]);
    pass(200, work);
    expect([silent, busy].map(({ isThere }) => isThere)).toEqual([true, true]);
    expect(reasons()).toEqual([SLOW, SLOW]);
  });

  test("begins anew with each request, and may change while a client is slow", () => {
    const { connect, pass, set } = setUp();
    const client = connect();
    client.send(HALF);
    pass(50);
    client.send(`x\r\n${HALF}`);
    pass(50);
    expect(client.isThere).toBe(true);
    set("limits.request_seconds", 0);
    pass(1000);
    expect(client.isThere).toBe(true);
    set("limits.request_seconds", 2000);
    pass(1);
    expect(client.isThere).toBe(true);
    set("limits.request_seconds", 1000);
    pass(1);
    expect(client.isThere).toBe(false);
  });

  test("ends a client whose unread replies keep its requests waiting; then that of the replies begins", () => {
    const { connect, pass, reasons } = setUp({ replyBytesMax: 1024, bufferBytesMax: 10_000_000 });
    const client = connect();
    client.wire.room = 100;
    client.send(encodeRequest("ECHO", "x".repeat(50_000)).repeat(60));
    expect(client.wire.isPaused).toBe(true);
    for (let count = 0; count < 3; count++) {
      pass(59);
      client.wire.room = 1;
      client.connection.drain();
    }
    expect(client.isThere).toBe(true);
    pass(61);
    // It ends, what was answered is still there to be read, and what it sends is thrown away.
    expect(client.connection.session.isServed).toBe(false);
    expect([client.wire.isPaused, client.isThere]).toEqual([false, true]);
    pass(60);
    expect(client.isThere).toBe(true);
    pass(1);
    expect(client.wire.isTerminated).toBe(true);
    expect(reasons()).toEqual([SLOW, SLOW]);
  });

  test("gives the rest of a request its whole time where the server did not read on before", () => {
    const { connect, pass } = setUp({ replyBytesMax: 1024, bufferBytesMax: 1024 * 1024 });
    const client = connect();
    client.wire.room = 100;
    client.send(encodeRequest("ECHO", "x".repeat(300_000)) + HALF);
    expect(client.wire.isPaused).toBe(true);
    const readSlowly = () => {
      client.wire.room = 1;
      client.connection.drain();
    };
    pass(100, readSlowly);
    client.wire.room = Number.POSITIVE_INFINITY;
    client.connection.drain();
    pass(60);
    expect([client.wire.isPaused, client.isThere]).toEqual([false, true]);
    pass(1);
    expect(client.isThere).toBe(false);
  });
});

describe("limits.login_seconds", () => {
  test("ends who has not logged in, whatever it sends, and nobody who has", () => {
    const { connect, pass, reasons } = setUp(secret);
    const [silent, chatty, user] = [connect(), connect(), connect()];
    expect(user.command("AUTH", "secret")).toBe("OK");
    const chat = () => chatty.send("PING\r\n");
    pass(30, chat);
    expect([silent, chatty].map(({ isThere }) => isThere)).toEqual([true, true]);
    pass(1, chat);
    expect([silent, chatty, user].map(({ isThere }) => isThere)).toEqual([false, false, true]);
    pass(1000);
    expect(user.isThere).toBe(true);
    // The client that set the server up was a stranger, too.
    expect(reasons()).toEqual([STRANGE, STRANGE, STRANGE]);
    // From the connecting on, so after RESET it is over at once.
    expect(user.command("RESET")).toBe("RESET");
    pass(1);
    expect(user.isThere).toBe(false);
  });

  test("may change while clients wait; 0 is no limit", () => {
    const { connect, pass, admin, set } = setUp(secret);
    admin.command("AUTH", "secret");
    const client = connect();
    set("limits.login_seconds", 0);
    pass(5000);
    expect(client.isThere).toBe(true);
    set("limits.login_seconds", 5001);
    pass(1);
    expect(client.isThere).toBe(true);
    set("limits.login_seconds", 100);
    pass(1);
    expect([client.isThere, admin.isThere]).toEqual([false, true]);
  });

  test("is how long a client past limits.clients may be silent, and not how long it may stay", () => {
    const { connect, pass, reasons } = setUp();
    const [silent, looking] = [connect({ isReserved: true }), connect({ isReserved: true })];
    pass(31, () => void looking.command("INFO", "clients"));
    expect([silent, looking].map(({ isThere }) => isThere)).toEqual([false, true]);
    expect(reasons()).toEqual(["the server is full, and it was silent"]);
  });
});

describe("limits.idle_seconds", () => {
  test("ends who was silent for so long, changed while it runs; what was answered goes first", () => {
    const { connect, pass, set, reasons, admin } = setUp();
    const [silent, busy, unread] = [connect(), connect(), connect()];
    const work = () => {
      for (const client of [busy, admin]) client.send("PING\r\n");
    };
    pass(1000, work);
    unread.wire.room = 3;
    unread.send("PING\r\n");
    set("timeout", 10);
    pass(1, work);
    expect([silent, busy, unread].map(({ isThere }) => isThere)).toEqual([false, true, true]);
    pass(10, work);
    expect(unread.connection.session.isServed).toBe(false);
    // It has request_seconds for what was answered.
    pass(30, work);
    expect(unread.isThere).toBe(true);
    unread.wire.room = 100;
    unread.connection.drain();
    expect([unread.wire.isShut, unread.wire.sent]).toEqual([true, "+PONG\r\n"]);
    set("timeout", 0);
    pass(1000);
    expect(busy.isThere).toBe(true);
    expect(reasons()).toEqual([SILENT, SILENT]);
  });

  test("does not end a client whose job is under way, nor one that queues up for its turn", async () => {
    const { connect, pass, set, turns, tick, admin } = setUp(secret);
    admin.command("AUTH", "secret");
    for (let from = 0; from < 500; from++)
      admin.command("HSET", `line:${from}`, "type", "3", "auto_disk", "memory");
    const [searching, stranger] = [connect(), connect()];
    searching.command("AUTH", "secret");
    set("timeout", 10);
    set("limits.request_seconds", 10);
    tick(1);
    searching.wire.sent = "";
    searching.connection.receive(Buffer.from("KEYS *\r\n"));
    stranger.connection.receive(Buffer.from("PING\r\n"));
    tick(0);
    const { session } = searching.connection;
    expect([session.isBlocked, stranger.connection.isWaiting]).toEqual([true, true]);
    // Turns that never end: nobody goes on.
    const { waiting } = turns as unknown as { waiting: (() => void)[] };
    const held = waiting.splice(0);
    pass(20, () => admin.connection.receive(Buffer.from("PING\r\n")));
    expect([searching, stranger].map(({ isThere }) => isThere)).toEqual([true, true]);
    for (const work of held) turns.schedule(work);
    pass(1);
    await new Promise<void>((resolve) => void setImmediate(resolve));
    expect(readReplies(searching.wire.sent)[0]).toHaveLength(500);
    expect(stranger.wire.sent).toContain("NOAUTH");
  });
});

describe("limits.unauthenticated_per_address", () => {
  test("lets the oldest silent one of an address give way, and may change", () => {
    const { connect, admin, set, reasons } = setUp({ ...secret, unauthenticatedPerAddressMax: 3 });
    admin.command("AUTH", "secret");
    const from = (host: string) => connect({ host });
    const [spoken, silent, other] = [from("10.1.1.1"), from("10.1.1.1"), from("10.1.1.2")];
    spoken.send("PING\r\n");
    from("10.1.1.1");
    from("10.1.1.1");
    expect([spoken, silent, other].map(({ isThere }) => isThere)).toEqual([true, false, true]);
    set("limits.unauthenticated_per_address", 1);
    from("10.1.1.2");
    expect(other.isThere).toBe(false);
    expect(reasons()).toEqual(
      Array(2).fill("another client needs its place, and it has not logged in"),
    );
  });

  test("counts a client again after RESET, as one that spoke", () => {
    const { connect } = setUp({ ...secret, unauthenticatedPerAddressMax: 2 });
    const host = "10.1.1.1";
    const user = connect({ host });
    expect(user.command("AUTH", "secret")).toBe("OK");
    const [first, second] = [connect({ host }), connect({ host })];
    expect(first.isThere).toBe(true);
    expect(user.command("RESET")).toBe("RESET");
    expect([user, first, second].map(({ isThere }) => isThere)).toEqual([true, false, true]);
    const third = connect({ host });
    connect({ host });
    expect([user, second, third].map(({ isThere }) => isThere)).toEqual([true, false, false]);
  });

  test("frees the place at once, though the client has replies that it does not read", () => {
    const { connect, server: listener } = setUp({ ...secret, unauthenticatedPerAddressMax: 1 });
    const host = "10.1.1.1";
    const client = connect({ host });
    client.wire.room = 1;
    client.send("PING\r\n");
    const { size } = listener.sessions;
    connect({ host });
    expect(client.wire.isTerminated).toBe(true);
    expect(client.connection.session.isOver).toBe(true);
    expect(listener.sessions.size).toBe(size + 1);
  });
});
