/**
 * How connections end: with FIN, and with everything that was answered, also for a client that had
 * read nothing until then, over TCP, TLS and unix sockets.
 */

import { afterAll, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../../../../src/config/settings.ts";
import { RESERVED_PLACES } from "../../../../src/server/net/admission.ts";
import type { Server } from "../../../../src/server/server.ts";
import { temporaryFolder } from "../../../../testkit/folder.ts";
import { ServerProcess } from "../../../../testkit/process.ts";
import { encodeRequest, readReplies, TestClient } from "../../../../testkit/resp.ts";
import { until } from "../../../../testkit/until.ts";
import { makeAuthority, noCertificates } from "../../../support/certificates.ts";
import { LateReader, type Place } from "../../../support/late-reader.ts";
import { MemoryStore } from "../../../support/memory-store.ts";
import { clockOf, startLocal, troubleIn } from "../../../support/server.ts";

const GETS = 20_000;
const gets = encodeRequest("GET", "m").repeat(GETS);
const numbers = Array.from({ length: GETS }, (_, index) => String(index));

const running = new Set<Server>();
afterAll(() => Promise.all([...running].map(stop)));

function stop(server: Server): Promise<unknown> {
  running.delete(server);
  return server.stop();
}

const { cert: tlsCert, key: tlsKey } =
  noCertificates === undefined ? makeAuthority("own") : { cert: "", key: "" };

/** A server with a socket of each kind; its clock shows what sleep() was told. */
async function start(overrides: Partial<Config> = {}) {
  let nowMs = 1;
  const unix = join(temporaryFolder(), "socket");
  const tls = { tlsAddr: [{ host: "127.0.0.1", port: 0 }], tlsCert, tlsKey };
  const addr = [{ host: "127.0.0.1", port: 0 }, { unix }];
  const server = startLocal(
    new MemoryStore(),
    { addr, ...(noCertificates === undefined ? tls : {}), ...overrides },
    { clock: clockOf(() => nowMs) },
  );
  running.add(server.server);
  const { port, server: listener } = server;
  const tlsPort = Number(/tls:127\.0\.0\.1:(\d+)/.exec(listener.addresses.join())?.[1]);
  const places: Record<string, Place> = {
    TCP: { port },
    TLS: { port: tlsPort, isTls: true },
    "a unix socket": { unix },
  };
  const admin = await TestClient.connect(port);
  await admin.command("HSET", "m", "type", "3", "auto_disk", "memory");
  /** Lets time pass for the server. */
  const sleep = (seconds: number) => {
    nowMs += seconds * 1000;
  };
  return { ...server, places, admin, sleep };
}

/** The requests of a client that was answered so many GETs, and whose name then is "done". */
const answered = `${gets}${encodeRequest("CLIENT", "SETNAME", "done")}`;
const all = [...numbers, "OK"];

/** The ends of connections: what the client sends at last, and what the server does. */
const ends: Record<
  string,
  {
    readonly last?: string;
    readonly more?: readonly string[];
    readonly act?: (server: Awaited<ReturnType<typeof start>>, id: number) => unknown;
  }
> = {
  QUIT: { last: "QUIT\r\n", more: ["OK"] },
  "QUIT with requests behind it": { last: `QUIT\r\n${gets}`, more: ["OK"] },
  "a protocol error with input behind it": {
    last: `*x\r\n${"y".repeat(300_000)}`,
    more: ["ERR Protocol error: invalid multibulk length"],
  },
  "a request of HTTP": { last: `POST / HTTP/1.1\r\n\r\n${"y".repeat(300_000)}` },
  "CLIENT KILL": {
    last: "*2\r\n$3\r\nGE",
    act: ({ admin }, id) => admin.command("CLIENT", "KILL", "ID", String(id)),
  },
  "limits.idle_seconds": {
    act: async ({ admin, sleep }) => {
      expect(await admin.command("CONFIG", "SET", "timeout", "5")).toBe("OK");
      sleep(6);
    },
  },
  "limits.request_seconds": { last: "*2\r\n$3\r\nGE", act: ({ sleep }) => sleep(61) },
  "the end of the server": { act: ({ server }) => void stop(server) },
};

describe.each([["TCP"], ["a unix socket"], ...(noCertificates === undefined ? [["TLS"]] : [])])(
  "over %s what was answered arrives, and then FIN, after",
  (kind) => {
    test.each(Object.entries(ends))("%s", async (_, { last = "", more = [], act }) => {
      const server = await start();
      const { sessions } = server.server;
      const client = await LateReader.connect(server.places[kind]!);
      await client.send(answered);
      const session = () => [...sessions].find(({ name }) => name === "done");
      await until(() => session() !== undefined);
      const { id } = session()!;
      await client.send(last);
      if (act !== undefined && last !== "") await until(() => session()!.requestBytes > 0);
      await act?.(server, id);
      await until(() => session()?.isServed !== true);
      const { received, end } = await client.read();
      const replies = readReplies(received).map((reply) =>
        reply instanceof Error ? reply.message : reply,
      );
      expect(replies.length).toBe(all.length + more.length);
      expect(replies).toEqual([...all, ...more]);
      expect(end).toBe("FIN");
      server.admin.close();
      expect(server.fatal).toEqual([]);
    });

    test("its own end, though it is answered only then", async () => {
      const { places, admin } = await start();
      const client = await LateReader.connect(places[kind]!);
      await client.send(`${gets}*1\r\n`);
      client.shutdown();
      const { received, end } = await client.read();
      expect(readReplies(received)).toEqual(numbers);
      expect(end).toBe("FIN");
      admin.close();
    });
  },
);

/** Reads late over TLS, and takes an end without close_notify for an error. */
const STRICT = `
import socket, ssl, sys, time
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
plain = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
client = context.wrap_socket(plain, suppress_ragged_eofs=False)
client.sendall(b"GET m\\r\\n" * ${GETS} + b"QUIT\\r\\n" + b"PING\\r\\n" * 10000)
time.sleep(0.3)
received = b""
while chunk := client.recv(65536):
    received += chunk
print(received.count(b"$"), received[-5:])
`;

const python = Bun.which("python3");

test.skipIf(noCertificates !== undefined || python === null)(
  "over TLS the end is one that the other side can tell from a connection that was cut",
  async () => {
    const { places, admin } = await start();
    const { port } = places.TLS as { port: number };
    const child = Bun.spawn([python!, "-c", STRICT, String(port)], { stderr: "pipe" });
    const [out, error] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    expect([out.trim(), error]).toEqual([String.raw`20000 b'+OK\r\n'`, ""]);
    admin.close();
  },
);

test("SIGTERM: what was answered arrives, and then FIN, though the process has ended", async () => {
  const server = await ServerProcess.start();
  const admin = await TestClient.connect(server.port);
  await admin.command("HSET", "m", "type", "3", "auto_disk", "memory");
  const clients: LateReader[] = [];
  for (let count = 0; count < 10; count++) {
    const client = await LateReader.connect({ port: server.port });
    await client.send(`${gets}CLIENT SETNAME done${count}\r\n*2\r\n$3\r\nGE`);
    await until(async () =>
      ((await admin.command("CLIENT", "LIST")) as string).includes(`name=done${count} `),
    );
    clients.push(client);
  }
  server.signal("SIGTERM");
  // Input that nobody reads any more would reset a connection when the process ends.
  for (const client of clients) void client.send(gets.slice(0, 20_000));
  await admin.closed;
  expect(await server.exited()).toBe(0);
  for (const [index, client] of clients.entries()) {
    const { received, end } = await client.read();
    const replies = readReplies(received);
    const numbersOfIt = replies.slice(0, GETS).map(Number);
    expect([replies[GETS], end]).toEqual(["OK", "FIN"]);
    expect(numbersOfIt).toEqual(numbers.map((number) => Number(number) + index * GETS));
  }
});

describe("a refused client, which sends at once, reads why, and then FIN,", () => {
  test.each(["TCP", "a unix socket"])("over %s", async (kind) => {
    const { places, admin, server: listener } = await start({ clientsMax: 1 });
    const looking: LateReader[] = [];
    for (let count = 0; count < RESERVED_PLACES; count++) {
      looking.push(await LateReader.connect(places[kind]!));
      await until(() => listener.sessions.size === 2 + count);
    }
    const refused = await LateReader.connect(places[kind]!);
    await refused.send("HELLO 3\r\n".repeat(5000));
    await until(() => listener.counters.refusedConnections === 1);
    await refused.send("PING\r\n");
    expect(await refused.read()).toEqual({
      received: "-ERR max number of clients reached\r\n",
      end: "FIN",
    });
    for (const client of looking) client.close();
    admin.close();
  });
});

test.skipIf(noCertificates !== undefined)(
  "a client over TLS that is one too many sees FIN before its handshake, and is counted once",
  async () => {
    const { places, admin, server: listener, logged } = await start({ clientsMax: 1 });
    const looking: LateReader[] = [];
    for (let count = 0; count < RESERVED_PLACES; count++) {
      looking.push(await LateReader.connect(places.TCP!));
      await until(() => listener.sessions.size === 2 + count);
    }
    const { port } = places.TLS as { port: number };
    const refused = await LateReader.connect({ port });
    await until(() => listener.counters.refusedConnections > 0);
    await refused.send("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00");
    expect(await admin.command("PING")).toBe("PONG");
    expect(await refused.read()).toEqual({ received: "", end: "FIN" });
    expect(listener.counters.refusedConnections).toBe(1);
    expect(troubleIn(logged)).toEqual(["warning full: new clients are refused clients=1 limit=1"]);
    for (const client of looking) client.close();
    admin.close();
  },
);

test("a client that ends and does not read is given request_seconds anew, and then closed", async () => {
  const {
    port,
    server: listener,
    admin,
    sleep,
    logged,
  } = await start({
    transactionBytesMax: 64 * 1024 * 1024,
  });
  const client = await LateReader.connect({ port });
  const big = encodeRequest("ECHO", "x".repeat(1_000_000));
  await client.send(`CLIENT SETNAME slow\r\nMULTI\r\n${big.repeat(30)}EXEC\r\n`);
  const session = () => [...listener.sessions].find(({ name }) => name === "slow");
  await until(() => (session()?.replyBytes ?? 0) > 0);
  sleep(40);
  expect(await admin.command("CLIENT", "KILL", "ID", String(session()!.id))).toBe(1);
  sleep(40);
  expect(await admin.command("CLIENT", "KILL", "ID", String(session()!.id))).toBe(1);
  const swept = async () => {
    for (let count = 0; count < 10; count++) {
      await Bun.sleep(5);
      await admin.command("PING");
    }
  };
  await swept();
  expect(session()).toBeDefined();
  sleep(21);
  await until(() => session() === undefined);
  expect(logged.filter((line) => line.includes("limits.request_seconds"))).toHaveLength(1);
  expect((await client.read()).end).toBe("ECONNRESET");
  expect(listener.sessions.size).toBe(1);
  admin.close();
});

test.skipIf(process.platform !== "linux")(
  "a client that never ends its side is closed after five seconds, whatever it sends",
  async () => {
    const { places, admin, sleep } = await start();
    const open = () => readdirSync("/proc/self/fd").length;
    for (const place of Object.values(places)) {
      if (Number.isNaN((place as { port?: number }).port)) continue;
      const before = open();
      const client = await LateReader.connect(place);
      await client.send("QUIT\r\n");
      expect(await client.line()).toBe("+OK");
      // Both ends are in this process.
      expect(open()).toBe(before + 2);
      await client.send("PING\r\n");
      sleep(4);
      await admin.command("PING");
      expect(open()).toBe(before + 2);
      sleep(2);
      // Bun closes its end of a unix socket by itself then.
      await until(() => open() <= before + 1);
      client.close();
      await until(() => open() === before);
    }
    admin.close();
  },
);

test("1,000 clients that one CLIENT KILL ends see FIN, and are gone from the counts", async () => {
  const { port, admin, server: listener } = await start();
  const CLIENTS = 1000;
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, () => LateReader.connect({ port })),
  );
  await Promise.all(clients.map((client) => client.send("GET m\r\nPING\r\n*1\r\n")));
  await until(() => listener.counters.commands >= 2 * CLIENTS);
  await until(() => listener.sessions.size === CLIENTS + 1);
  expect(await admin.command("CLIENT", "KILL", "TYPE", "normal")).toBe(CLIENTS);
  const endings = await Promise.all(clients.map((client) => client.read()));
  expect(endings.filter(({ end }) => end !== "FIN")).toEqual([]);
  expect(endings.filter(({ received }) => !received.endsWith("+PONG\r\n"))).toEqual([]);
  expect(await admin.info("clients")).toMatchObject({
    connected_clients: "1",
    blocked_clients: "0",
  });
  admin.close();
});

test("a client that reads a long reply slowly is not idle: sending is activity", async () => {
  const {
    port,
    admin,
    server: listener,
    sleep,
  } = await start({
    transactionBytesMax: 64 * 1024 * 1024,
    idleSecondsMax: 10,
  });
  const slow = await LateReader.connect({ port });
  const requests = encodeRequest("ECHO", "x".repeat(1_000_000)).repeat(40);
  await slow.send(`CLIENT SETNAME slow\r\nMULTI\r\n${requests}EXEC\r\nPING\r\n`);
  const unsent = () => [...listener.sessions].find(({ name }) => name === "slow")?.replyBytes ?? 0;
  await until(() => unsent() > 0);
  let slept = 0;
  for (let bytes = 1_000_000, last = unsent(); unsent() > 0; bytes += 1_000_000) {
    await slow.readTo(bytes);
    // So the server has seen that there is room again.
    expect(await admin.command("PING")).toBe("PONG");
    if (unsent() === last) continue;
    last = unsent();
    sleep(6);
    slept += 6;
    await Bun.sleep(10);
  }
  expect(slept).toBeGreaterThan(20);
  slow.shutdown();
  const { received, end } = await slow.read();
  expect([received.length > 40_000_000, received.slice(-7), end]).toEqual([
    true,
    "+PONG\r\n",
    "FIN",
  ]);
  admin.close();
});
