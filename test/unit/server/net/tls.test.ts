/** TLS and mutual TLS with redis-cli and Bun's client, and certificates changed while it runs. */

import { afterAll, describe, expect, spyOn, test } from "bun:test";
import { copyFileSync, existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RedisClient } from "bun";
import { Admission } from "../../../../src/server/net/admission.ts";
import { makeFifo, temporaryFolder } from "../../../../testkit/folder.ts";
import { fromSource, type ProcessOptions, ServerProcess } from "../../../../testkit/process.ts";
import { TestClient } from "../../../../testkit/resp.ts";
import {
  type Certificate,
  makeAuthority,
  makeCertificate,
  noCertificates,
} from "../../../support/certificates.ts";
import { MemoryStore } from "../../../support/memory-store.ts";
import { clockOf, startLocal } from "../../../support/server.ts";

if (noCertificates !== undefined) console.warn(`skipped: ${noCertificates}`);

const servers: ServerProcess[] = [];
afterAll(() => Promise.all(servers.map((server) => server.end("SIGTERM"))));

/** A server with TLS beside its plain address. */
async function start(certificate: Certificate, options: ProcessOptions & { ca?: string } = {}) {
  const server = await ServerProcess.start({
    ...options,
    env: {
      NUMBER_DISPENSER_TLS_ADDR: "127.0.0.1:0",
      NUMBER_DISPENSER_TLS_CERT: certificate.cert,
      NUMBER_DISPENSER_TLS_KEY: certificate.key,
      ...(options.ca === undefined ? {} : { NUMBER_DISPENSER_TLS_CLIENT_CA: options.ca }),
      ...options.env,
    },
  });
  servers.push(server);
  const tlsPort = Number(/tls:127\.0\.0\.1:(\d+)/.exec(server.log)![1]);
  return { server, tlsPort };
}

/** What redis-cli prints for a command sent over TLS. */
async function redisCli(port: number, ca: string, words: string[], own?: Certificate) {
  const identity = own === undefined ? [] : ["--cert", own.cert, "--key", own.key];
  const args = ["-p", String(port), "--tls", "--cacert", ca, ...identity, ...words];
  const child = Bun.spawn(["redis-cli", "-h", "127.0.0.1", ...args], { stderr: "pipe" });
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return (out + err).trim();
}

/** A client of Bun that trusts an authority, perhaps with a certificate of its own. */
function bunClient(port: number, ca: string, own?: Certificate): RedisClient {
  const identity = own && { cert: Bun.file(own.cert), key: Bun.file(own.key) };
  const tls = { ca: Bun.file(ca), ...identity };
  return new RedisClient(`rediss://127.0.0.1:${port}`, { tls, autoReconnect: false });
}

describe.skipIf(noCertificates !== undefined)("TLS", () => {
  // Made only where there is openssl.
  const made = () => {
    const authority = makeAuthority("authority");
    const stranger = makeAuthority("stranger");
    return {
      authority,
      stranger,
      server: makeCertificate("server", authority),
      client: makeCertificate("client", authority),
      wrong: makeCertificate("wrong", stranger),
    };
  };
  const {
    authority,
    stranger,
    server: own,
    client: right,
    wrong,
  } = noCertificates === undefined ? made() : ({} as ReturnType<typeof made>);

  test("takes redis-cli and Bun's client, beside clients without TLS", async () => {
    const { server, tlsPort } = await start(own);
    const plain = await TestClient.connect(server.port);
    expect(await plain.command("HSET", "x", "type", "3")).toBe(1);
    expect(await redisCli(tlsPort, authority.cert, ["GET", "x"])).toBe("0");
    const client = bunClient(tlsPort, authority.cert);
    expect(await client.get("x")).toBe("1");
    const many = await Promise.all(Array.from({ length: 5000 }, () => client.get("x")));
    expect(many).toEqual(Array.from({ length: 5000 }, (_, index) => String(index + 2)));
    const large = "y".repeat(500_000);
    expect(await client.send("ECHO", [large])).toBe(large);
    client.close();
    expect(await redisCli(tlsPort, stranger.cert, ["PING"])).toContain("SSL_connect failed");
    expect(await plain.command("GET", "x")).toBe("5002");
    plain.close();
  });

  test("is not spoken on the plain address, nor the other way round; both go on", async () => {
    const { server, tlsPort } = await start(own);
    const lost = await Bun.connect({
      hostname: "127.0.0.1",
      port: server.port,
      tls: true,
      socket: { data() {} },
    });
    lost.write("PING\r\n");
    const plain = await TestClient.connect(tlsPort);
    plain.send("PING\r\n");
    await plain.closed;
    expect(await redisCli(tlsPort, authority.cert, ["PING"])).toBe("PONG");
    const other = await TestClient.connect(server.port);
    expect(await other.command("PING")).toBe("PONG");
    lost.terminate();
    other.close();
  });

  test("with client_ca wants a certificate that the authority signed", async () => {
    const { server, tlsPort } = await start(own, { ca: authority.cert });
    const ping = (certificate?: Certificate) =>
      redisCli(tlsPort, authority.cert, ["PING"], certificate);
    expect(await ping()).not.toContain("PONG");
    expect(await ping(wrong)).not.toContain("PONG");
    expect(await ping(stranger)).not.toContain("PONG");
    expect(await ping(right)).toBe("PONG");
    const client = bunClient(tlsPort, authority.cert, right);
    expect(await client.send("CLIENT", ["INFO"])).toContain("addr=127.0.0.1:");
    client.close();
    for (const certificate of [undefined, wrong]) {
      const refused = bunClient(tlsPort, authority.cert, certificate);
      expect((await refused.get("x").catch((error: Error) => error)) as Error).toBeInstanceOf(
        Error,
      );
      refused.close();
    }
    const plain = await TestClient.connect(server.port);
    expect(await plain.command("INFO", "clients")).toContain("connected_clients:1\r\n");
    plain.close();
  });

  test("reads its certificate again on SIGHUP; who is there goes on, a bad one is told of", async () => {
    const folder = temporaryFolder();
    const live = { cert: join(folder, "live.pem"), key: join(folder, "live.key") };
    const put = ({ cert, key }: Certificate) => {
      copyFileSync(cert, live.cert);
      copyFileSync(key, live.key);
    };
    put(own);
    const { server, tlsPort } = await start(live);
    const old = bunClient(tlsPort, authority.cert);
    expect(await old.send("PING", [])).toBe("PONG");

    writeFileSync(live.cert, "not a certificate");
    server.signal("SIGHUP");
    await server.logged(/error certificates not changed reason=\S.*tls\.cert/);
    expect(await redisCli(tlsPort, authority.cert, ["PING"])).toBe("PONG");

    put(wrong);
    copyFileSync(own.key, live.key);
    server.signal("SIGHUP");
    await server.logged(/(certificates not changed[\s\S]*){2}/);
    expect(await redisCli(tlsPort, authority.cert, ["PING"])).toBe("PONG");

    rmSync(live.key);
    makeFifo(live.key);
    server.signal("SIGHUP");
    await server.logged(
      /certificates not changed reason="cannot read tls.key .*not a regular file/,
    );
    expect(await redisCli(tlsPort, authority.cert, ["PING"])).toBe("PONG");
    rmSync(live.key);

    put(wrong);
    server.signal("SIGHUP");
    await server.logged(/info certificates read again/);
    expect(await redisCli(tlsPort, stranger.cert, ["PING"])).toBe("PONG");
    expect(await redisCli(tlsPort, authority.cert, ["PING"])).toContain("SSL_connect failed");
    expect(await old.send("PING", [])).toBe("PONG");
    old.close();
  });

  test("files that are none end the start with what is wrong", async () => {
    const start = (cert: string) =>
      ServerProcess.run({
        env: {
          NUMBER_DISPENSER_TLS_ADDR: "127.0.0.1:0",
          NUMBER_DISPENSER_TLS_CERT: cert,
          NUMBER_DISPENSER_TLS_KEY: own.key,
        },
      });
    const missing = await start("/nowhere.pem");
    expect(missing).toEqual({
      status: 1,
      log: "number-dispenser: cannot read tls.cert /nowhere.pem: no such file or directory (ENOENT)\n",
    });
    const other = await start(wrong.cert);
    expect(other.status).toBe(1);
    expect(other.log).toMatch(
      /^number-dispenser: cannot listen on .*tls\.cert or tls\.key is of no/,
    );
  });

  test("serves `backup`, with a password too", async () => {
    const password = { NUMBER_DISPENSER_REQUIREPASS: "secret" };
    const { server, tlsPort } = await start(own, { env: password });
    const backUp = (file: string, env: Record<string, string>) => {
      const { exitCode, stdout, stderr } = Bun.spawnSync([...fromSource, "backup", file], {
        env: {
          ...process.env,
          NUMBER_DISPENSER_ADDR: "",
          NUMBER_DISPENSER_TLS_ADDR: `127.0.0.1:${tlsPort}`,
          NUMBER_DISPENSER_TLS_CERT: own.cert,
          NUMBER_DISPENSER_TLS_KEY: own.key,
          ...env,
        },
      });
      return [exitCode, stdout.toString() + stderr.toString()];
    };
    const file = join(temporaryFolder(), "backup.db");
    expect(backUp(file, {})[0]).toBe(1);
    expect(backUp(file, { NUMBER_DISPENSER_PASSWORD: "wrong" })[0]).toBe(1);
    expect(existsSync(file)).toBe(false);
    expect(backUp(file, { NUMBER_DISPENSER_PASSWORD: "secret" })).toEqual([
      0,
      expect.stringMatching(/^backup of 0 dispensers: /),
    ]);
    await server.logged(/warning wrong password client=127\.0\.0\.1:\d+ user=default/);
    expect(server.log).not.toContain("secret");
  });

  test("handshakes that are never finished are closed after ten seconds", async () => {
    // The server's clock stands still but for this: a machine that is busy for seconds closes nobody.
    let nowMs = 0;
    const tlsAddr = [{ host: "127.0.0.1", port: 0 }];
    const settings = { addr: [], tlsAddr, tlsCert: own.cert, tlsKey: own.key };
    const clock = clockOf(() => nowMs);
    const { port, server: listener, logged } = startLocal(new MemoryStore(), settings, { clock });
    const silent = await TestClient.connect(port);
    const half = await TestClient.connect(port);
    half.send("\x16\x03\x01\x02\x00\x01");
    const whole = bunClient(port, authority.cert);
    expect(await whole.send("PING", [])).toBe("PONG");
    nowMs = 9999;
    let isEarly = false;
    for (const { closed } of [silent, half]) void closed.then(() => (isEarly = true));
    const sweep = spyOn(Admission.prototype, "sweep");
    while (sweep.mock.calls.length < 2) expect(await whole.send("PING", [])).toBe("PONG");
    sweep.mockRestore();
    expect(isEarly).toBe(false);
    nowMs = 10_001;
    await Promise.all([silent.closed, half.closed]);
    expect(await whole.send("PING", [])).toBe("PONG");
    expect(logged).toEqual([]);
    whole.close();
    await listener.stop();
  });
});
