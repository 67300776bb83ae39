/** TLS handshakes: how soon the first request after one is answered, and what the log tells of failed ones. */

import { afterAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { Config } from "../../../../src/config/settings.ts";
import { temporaryFolder } from "../../../../testkit/folder.ts";
import { TestClient } from "../../../../testkit/resp.ts";
import { until } from "../../../../testkit/until.ts";
import {
  type Certificate,
  makeAuthority,
  makeCertificate,
  noCertificates,
} from "../../../support/certificates.ts";
import { MemoryStore } from "../../../support/memory-store.ts";
import { clockOf, type LocalServer, startLocal } from "../../../support/server.ts";

/** A client that sends what it has only once the server has acknowledged what it sent before. */
const NAGLE = `
import socket, ssl, sys, time
context = ssl.create_default_context(cafile=sys.argv[2])
for _ in range(5):
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as client:
            began = time.perf_counter()
            client.sendall(b"PING\\r\\n")
            reply = client.recv(100)
            print(client.version(), reply, (time.perf_counter() - began) * 1000)
`;

const python = Bun.which("python3");

const servers: LocalServer<MemoryStore>[] = [];
afterAll(() => Promise.all(servers.map(({ server: listener }) => listener.stop())));

describe.skipIf(noCertificates !== undefined)("a handshake", () => {
  const made = () => {
    const authority = makeAuthority("authority");
    const [own, right] = ["server", "client"].map((name) => makeCertificate(name, authority));
    return { authority, own: own!, right: right!, stranger: makeAuthority("stranger") };
  };
  const { authority, own, right, stranger } =
    noCertificates === undefined ? made() : ({} as ReturnType<typeof made>);
  let nowMs = 0;

  function start(overrides: Partial<Config> = {}) {
    const settings = {
      tlsAddr: [{ host: "127.0.0.1", port: 0 }],
      tlsCert: own.cert,
      tlsKey: own.key,
    };
    const clock = clockOf(() => nowMs);
    const every = () => () => {};
    const server = startLocal(new MemoryStore(), { ...settings, ...overrides }, { clock, every });
    servers.push(server);
    const tlsPort = Number(/tls:127\.0\.0\.1:(\d+)/.exec(server.server.addresses.join())![1]);
    return { ...server, tlsPort };
  }

  /** Lets redis-cli send a PING over TLS, and answers what it prints. */
  async function ping(port: number, ca: string, identity?: Certificate): Promise<string> {
    const more = identity === undefined ? [] : ["--cert", identity.cert, "--key", identity.key];
    const args = ["-h", "127.0.0.1", "-p", String(port), "--tls", "--cacert", ca, ...more, "PING"];
    const child = Bun.spawn(["redis-cli", ...args], { stderr: "pipe" });
    const [out, error] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    return (out + error).trim();
  }

  /** Sends bytes without TLS, and waits until the server closes. */
  async function sendPlain(port: number, bytes: string): Promise<void> {
    const client = await TestClient.connect(port);
    client.send(bytes);
    await client.closed;
  }

  test.skipIf(python === null)(
    "is acknowledged at once: a client that uses Nagle does not wait",
    async () => {
      const { tlsPort } = start();
      const script = join(temporaryFolder(), "nagle.py");
      await Bun.write(script, NAGLE);
      const child = Bun.spawn([python!, script, String(tlsPort), authority.cert], {
        stderr: "pipe",
      });
      const [lines, error] = await Promise.all([child.stdout.text(), child.stderr.text()]);
      expect(error).toBe("");
      const answers = lines
        .trim()
        .split("\n")
        .map((line) => line.split(" "));
      expect(answers.map(([version, reply]) => `${version} ${reply}`)).toEqual(
        Array(5).fill(String.raw`TLSv1.3 b'+PONG\r\n'`),
      );
      // The acknowledgement that it waited for came after 40 ms.
      expect(Math.min(...answers.map(([, , ms]) => Number(ms)))).toBeLessThan(20);
    },
  );

  test("that fails is told of with its reason, and with the client's address", async () => {
    const open = start();
    const mutual = start({ tlsClientCa: authority.cert });
    const cases: [LocalServer<MemoryStore>, () => Promise<unknown>, string][] = [
      [
        open,
        () => sendPlain(open.tlsPort, "PING\r\n"),
        "it does not speak TLS, which this address is for",
      ],
      [
        open,
        () => sendPlain(open.tlsPort, "GET / HTTP/1.1\r\n\r\n"),
        "it speaks plain HTTP, and this address is for TLS",
      ],
      [
        open,
        () => ping(open.port, authority.cert),
        "it speaks TLS, and this address is for plain RESP",
      ],
      [
        open,
        () => ping(open.tlsPort, stranger.cert),
        "it broke off the handshake: perhaps it does not trust tls.cert",
      ],
      [
        mutual,
        () => ping(mutual.tlsPort, authority.cert),
        "it shows no certificate, and tls.client_ca asks for one",
      ],
      [
        mutual,
        () => ping(mutual.tlsPort, authority.cert, stranger),
        "tls.client_ca does not vouch for its certificate: self signed certificate",
      ],
    ];
    for (const [{ logged, server }, attempt, reason] of cases) {
      server.summaries.flush();
      logged.length = 0;
      nowMs += 1001;
      const before = server.counters.refusedConnections;
      await attempt();
      await until(() => logged.length > 0);
      expect(logged[0]).toMatch(/^warning client refused client=127\.0\.0\.1:\d+ reason="/);
      expect(logged[0]).toContain(`reason="${reason}"`);
      expect(server.counters.refusedConnections).toBeGreaterThan(before);
      // redis-cli tries again at once.
      expect(logged).toHaveLength(1);
    }
    nowMs += 1001;
    expect(await ping(mutual.tlsPort, authority.cert, right)).toBe("PONG");
    expect(mutual.server.sessions.size).toBeLessThan(2);
  });

  test("that fails many times a second is one line a second, which counts the others", async () => {
    const { tlsPort, logged, server } = start();
    for (let count = 0; count < 20; count++) await sendPlain(tlsPort, "PING\r\n");
    expect(logged).toHaveLength(1);
    server.summaries.flush();
    expect(logged).toHaveLength(2);
    expect(logged[1]).toEndWith(" times=19");
  });

  test("that a client breaks off without a reason is told to nobody", async () => {
    const { tlsPort, logged, server } = start();
    for (const bytes of ["", "P", "\x16\x03\x01\x02\x00\x01"]) {
      const client = await TestClient.connect(tlsPort);
      client.send(bytes);
      client.close();
      await client.closed;
    }
    expect(await ping(tlsPort, authority.cert)).toBe("PONG");
    expect(logged).toEqual([]);
    expect(server.counters.refusedConnections).toBe(0);
  });
});

test("bytes of TLS inside a request are part of it", async () => {
  const { port, server: listener } = startLocal(new MemoryStore());
  const client = await TestClient.connect(port);
  const hello = "\x16\x03\x01\x02\x00\x01\x00";
  client.send(`*2\r\n$4\r\nECHO\r\n$${hello.length}\r\n`);
  await until(() => [...listener.sessions].some(({ requestBytes }) => requestBytes > 0));
  client.send(`${hello}\r\n`);
  expect(await client.next()).toBe(hello);
  client.close();
  await listener.stop();
});
