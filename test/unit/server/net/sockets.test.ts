/** The listening sockets in this process; test/process/sockets.test.ts has them in a server's own. */

import { describe, expect, test } from "bun:test";
import { existsSync, linkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { clearUnixSockets } from "../../../../src/platform/unix-sockets.ts";
import { temporaryFolder } from "../../../../testkit/folder.ts";
import { ReplyError, TestClient } from "../../../../testkit/resp.ts";
import { makeAuthority, noCertificates } from "../../../support/certificates.ts";
import { startInMemory } from "../../../support/server.ts";

/** Asks over TLS, and answers what came back, or "closed". */
async function askOverTls(port: number, request: string): Promise<string> {
  const answer = Promise.withResolvers<string>();
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    tls: { rejectUnauthorized: false },
    socket: {
      open: (opened) => void opened.write(request),
      data: (_, chunk) => answer.resolve(chunk.toString()),
      close: () => answer.resolve("closed"),
      error: () => answer.resolve("closed"),
    },
  });
  const text = await answer.promise;
  socket.terminate();
  return text;
}

describe.skipIf(noCertificates !== undefined)("a listener with TLS", () => {
  test("needs files that can be read, and clients that the authority signed", async () => {
    const [own, other] = [makeAuthority("own"), makeAuthority("other")];
    const tls = { addr: [], tlsAddr: [{ host: "127.0.0.1", port: 0 }], tlsKey: own.key };
    const none = join(temporaryFolder(), "none.pem");
    expect(() => startInMemory({ ...tls, tlsCert: none })).toThrow(`cannot read tls.cert ${none}`);
    expect(() => startInMemory({ ...tls, tlsCert: own.cert, tlsClientCa: none })).toThrow(
      `cannot read tls.client_ca ${none}`,
    );
    const { port, server: listener } = startInMemory({
      ...tls,
      tlsCert: own.cert,
      tlsClientCa: other.cert,
    });
    expect(await askOverTls(port, "PING\r\n")).toBe("closed");
    await listener.stop();
  });

  test("lets clients in after their handshake, up to its limit, and reads certificates again", async () => {
    const { cert: tlsCert, key: tlsKey } = makeAuthority("test");
    const { server: listener, logged } = startInMemory({
      addr: [],
      tlsAddr: [{ host: "127.0.0.1", port: 0 }],
      tlsCert,
      tlsKey,
      clientsMax: 1,
    });
    const { port } = listener;
    expect(listener.addresses).toEqual([`tls:127.0.0.1:${port}`]);
    expect(await askOverTls(port, "PING\r\n")).toBe("+PONG\r\n");
    listener.reloadTls();
    expect(await askOverTls(port, "PING\r\n")).toBe("+PONG\r\n");
    writeFileSync(tlsCert, "nothing");
    listener.reloadTls();
    expect(await askOverTls(port, "PING\r\n")).toBe("+PONG\r\n");
    // A client that never introduces itself gives way.
    const silent = await TestClient.connect(port);
    expect(await askOverTls(port, "PING\r\n")).toBe("+PONG\r\n");
    await silent.closed;
    expect(logged.map((line) => line.replace(/ reason=.*/, ""))).toEqual([
      "info certificates read again",
      "error certificates not changed",
    ]);
    await listener.stop();
  });
});

describe("a listener on a unix socket", () => {
  test("takes clients of this machine, and leaves nothing behind", async () => {
    const unix = join(temporaryFolder(), "socket");
    const { server: listener } = startInMemory({ addr: [{ unix }] });
    expect(listener.port).toBe(0);
    const answer = Promise.withResolvers<string>();
    const socket = await Bun.connect({
      unix,
      socket: { data: (_, chunk) => answer.resolve(chunk.toString()) },
    });
    socket.write("PING\r\n");
    expect(await answer.promise).toBe("+PONG\r\n");
    await expect(clearUnixSockets([{ unix }])).rejects.toThrow("the address is in use");
    socket.terminate();
    // As a killed server leaves it: a name of a socket on which nobody listens any more.
    const left = join(temporaryFolder(), "left");
    linkSync(unix, left);
    await listener.stop();
    expect(existsSync(unix)).toBe(false);
    await clearUnixSockets([{ unix: left }]);
    expect(existsSync(left)).toBe(false);
    writeFileSync(unix, "");
    await expect(clearUnixSockets([{ unix }])).rejects.toThrow("a file that is no socket");
    await clearUnixSockets([{ host: "127.0.0.1", port: 1 }, { unix: join(unix, "none") }]);
    expect(() => startInMemory({ addr: [{ unix: join(unix, "x") }] })).toThrow("cannot listen on");
  });
});

test("a listener on all addresses takes clients of IPv4", async () => {
  const { port, server: listener } = startInMemory({ addr: [{ host: undefined, port: 0 }] });
  const client = await TestClient.connect(port);
  expect(await client.command("PING")).toBe("PONG");
  client.close();
  await listener.stop();
});

test("what CONFIG RESETSTAT sets back, and what COMMAND LIST may be asked for", async () => {
  const { port, server: listener } = startInMemory();
  const client = await TestClient.connect(port);
  await client.command("PING");
  expect(await client.command("CONFIG", "RESETSTAT")).toBe("OK");
  expect(listener.counters.commands).toBe(0);
  expect(await client.command("COMMAND", "LIST", "FILTERBY", "ACLCAT", "take")).toEqual([
    "get",
    "mget",
  ]);
  expect(await client.command("COMMAND", "LIST", "FILTERBY", "ACLCAT", "define")).toEqual([
    ...["hset", "hmset", "del", "advance", "period"],
  ]);
  expect(await client.command("COMMAND", "LIST", "FILTERBY", "MODULE", "x")).toEqual([]);
  expect(await client.command("CONFIG")).toBeInstanceOf(ReplyError);
  await listener.stop();
});
