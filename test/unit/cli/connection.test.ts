import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { ask, withServer } from "../../../src/cli/connection.ts";
import { health } from "../../../src/cli/inspect.ts";
import type { Unreachable } from "../../../src/cli/unreachable.ts";
import { parsePassword } from "../../../src/config/kinds.ts";
import { temporaryFolder } from "../../../testkit/folder.ts";
import { freePort } from "../../../testkit/ports.ts";
import { fromSource, root, ServerProcess } from "../../../testkit/process.ts";
import { TestClient } from "../../../testkit/resp.ts";
import { impostor, loggedIn, PASSWORD, stateOf } from "../../support/impostor.ts";
import { startInMemory } from "../../support/server.ts";
import { serverAt } from "../../support/server-settings.ts";

describe("what is the matter with a server", () => {
  const cases: [string, string | undefined, string, RegExp][] = [
    ["silent", undefined, "silent", /does not answer within 0.3 s/],
    ["one that closes", "", "refused", /closes the connection without a word/],
    ["one that wants a password", "-NOAUTH no\r\n", "password_wanted", /wants a password/],
    ["one with another password", "-WRONGPASS no\r\n", "password_refused", /refuses the password/],
    ["one that denies", "-DENIED you may not\r\n", "refused", /refuses: DENIED you may not$/],
    ["one of HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n", "not_ours", /protocol of Redis/],
    ["half an answer", "+PO", "silent", /does not answer/],
  ];
  test.each(cases)("%s", async (_, answer, status, reason) => {
    const server = impostor(answer);
    const began = performance.now();
    expect(await stateOf(serverAt(server.port), {}, 0.3)).toEqual([
      status,
      expect.stringMatching(reason),
    ]);
    expect(performance.now() - began).toBeLessThan(2000);
    server.stop();
  });

  test("nothing listens, on several addresses", async () => {
    const [one, other] = [freePort(), freePort()];
    const addr = [one, other].map((port) => ({ host: "127.0.0.1", port }));
    expect(await stateOf(serverAt(0, { addr }))).toEqual([
      "down",
      `nothing listens on 127.0.0.1:${one}, and nothing listens on 127.0.0.1:${other}`,
    ]);
  });

  test("it is full, and says so before it is asked", async () => {
    const server = impostor("", { greeting: "-ERR max number of clients reached\r\n" });
    const full = ["full", expect.stringMatching(/is full: .* limits\.clients, or close clients/)];
    expect(await stateOf(serverAt(server.port))).toEqual(full);
    server.stop();
    const { port, server: listener } = startInMemory({ clientsMax: 1 });
    const client = await TestClient.connect(port);
    expect(await client.command("PING")).toBe("PONG");
    expect((await stateOf(serverAt(port)))[0]).toBe("full");
    client.close();
    await listener.stop();
  });

  test("it is full, and lets in this program all the same", async () => {
    const info = "# Clients\r\nclients_full:1\r\nstorage_status:ok\r\n";
    const listener = Bun.listen({
      ...{ hostname: "127.0.0.1", port: 0 },
      socket: {
        data: (socket, chunk) =>
          void socket.write(
            chunk.includes("INFO") ? `$${info.length}\r\n${info}\r\n` : "+PONG\r\n",
          ),
      },
    });
    const found = await health(serverAt(listener.port), {}, 3, false);
    expect(found).toEqual({ isWell: false, text: expect.stringMatching(/^the server is full: /) });
    expect((await stateOf(serverAt(listener.port)))[0]).toBe("full");
    listener.stop(true);
  });

  test("an error that repeats the password is shown without it", async () => {
    const server = impostor(`-ERR unknown command 'AUTH', with args: '${PASSWORD}'\r\n`);
    const [status, reason] = await stateOf(serverAt(server.port), loggedIn);
    expect([status, reason]).toEqual(["refused", expect.not.stringContaining("SECRET")]);
    server.stop();
  });

  test("a stopped process, by the program itself, in time", async () => {
    const server = await ServerProcess.start();
    process.kill(server.pid, "SIGSTOP");
    const addr = `127.0.0.1:${server.port}`;
    const args = ["health", "-json", "-timeout", "0.5", "-addr", addr];
    const began = performance.now();
    const { exitCode, stdout } = Bun.spawnSync([...fromSource, ...args], { cwd: root });
    expect([exitCode, JSON.parse(stdout.toString())]).toEqual([
      1,
      { status: "silent", reason: expect.stringContaining(`${addr} does not answer within 0.5 s`) },
    ]);
    expect(performance.now() - began).toBeLessThan(5000);
    await server.end("SIGKILL");
  });
});

describe("the way to a server", () => {
  test("is its unix socket before its ports, with the password", async () => {
    const unix = join(temporaryFolder(), "socket");
    const server = impostor("-ERR no\r\n");
    const { server: listener } = startInMemory({
      addr: [{ unix }],
      requirepass: parsePassword(PASSWORD)!,
    });
    const addr = [{ host: "127.0.0.1", port: server.port }, { unix }];
    expect(await stateOf(serverAt(0, { addr }), loggedIn)).toEqual(["ok", undefined]);
    expect(server.got).toEqual([]);
    await listener.stop();
    server.stop();
  });

  test("is a port where no unix socket is, and the loopback interface before others", async () => {
    const { port, server: listener } = startInMemory();
    const addr = [
      { host: "192.0.2.1", port },
      { host: undefined, port },
      { unix: join(temporaryFolder(), "none") },
    ];
    expect(await stateOf(serverAt(0, { addr }))).toEqual(["ok", undefined]);
    await listener.stop();
  });

  test("is plain before TLS that only lets in clients with a certificate", async () => {
    const { port, server: listener } = startInMemory();
    const tlsAddr = [{ unix: "/nowhere/tls" }];
    const settings = serverAt(port, { tlsAddr, tlsClientCa: "/nowhere/ca.pem" });
    expect(await stateOf(settings)).toEqual(["ok", undefined]);
    await listener.stop();
  });
});

test("a long answer comes whole, and what takes long may take it", async () => {
  const server = impostor(undefined);
  const settings = serverAt(server.port);
  const failed = withServer(settings, {}, 0.2, (client) => ask(client, "GET", "x"));
  expect(await failed.catch((error) => (error as Unreachable).trouble)).toBe("silent");
  server.stop();
  const { port, server: listener } = startInMemory();
  const text = await withServer(serverAt(port), {}, 0.5, async (client) => {
    client.waitForever();
    await Bun.sleep(700);
    return ask(client, "ECHO", "x".repeat(500_000));
  });
  expect(text).toBe("x".repeat(500_000));
  await listener.stop();
});
