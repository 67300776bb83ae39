import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { health, info } from "../../../src/cli/inspect.ts";
import { parsePassword } from "../../../src/config/kinds.ts";
import { temporaryFolder } from "../../../testkit/folder.ts";
import { fromSource, root, ServerProcess } from "../../../testkit/process.ts";
import { TestClient } from "../../../testkit/resp.ts";
import { makeAuthority, makeCertificate } from "../../support/certificates.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { messageOf } from "../../support/message-of.ts";
import { startInMemory, startNode } from "../../support/server.ts";
import { serverAt } from "../../support/server-settings.ts";
import { SharedRows } from "../../support/shared-store.ts";

const at = serverAt;

describe("health", () => {
  test("says in how long the server answered, and that it can write", async () => {
    const { port, server: listener } = startInMemory();
    expect(await health(at(port), {}, 3, false)).toEqual({
      isWell: true,
      text: expect.stringMatching(/^ok: answered in [\d.]+ ms, storage ok$/),
    });
    expect(JSON.parse((await health(at(port), {}, 3, true)).text)).toEqual({
      status: "ok",
      answered_ms: expect.any(Number),
      storage: "ok",
    });
    await listener.stop();
  });

  test("says whether a node can use its store", async () => {
    const { port, server: listener } = await startNode(new MemoryStore(), new SharedRows().open());
    expect((await health(at(port), {}, 3, false)).text).toEndWith("storage ok, store ok");
    expect(JSON.parse((await health(at(port), {}, 3, true)).text)).toMatchObject({ store: "ok" });
    await listener.stop();
  });

  test("of a node whose store is away is well only while it holds leased numbers", async () => {
    const rows = new SharedRows();
    const { port, server: listener, cluster } = await startNode(new MemoryStore(), rows.open());
    const client = await TestClient.connect(port);
    await client.command("HSET", "x", "type", "3");
    await client.command("GET", "x");
    rows.away = "the cable was cut";
    while (cluster.trouble === undefined) await Bun.sleep(5);
    expect(await health(at(port), {}, 3, false)).toEqual({
      isWell: true,
      text: expect.stringMatching(/^ok: .* store unavailable$/),
    });
    await client.pipeline(Array.from({ length: 99 }, () => ["GET", "x"]));
    const reason =
      "the lease store cannot be used, and no leased number is left: the cable was cut";
    expect(await health(at(port), {}, 3, false)).toEqual({
      isWell: false,
      text: `the server answers, but is not ready: ${reason}`,
    });
    expect(JSON.parse((await health(at(port), {}, 3, true)).text)).toMatchObject({
      ...{ status: "not_ready", store: "unavailable", reason },
    });
    client.close();
    await listener.stop();
  });

  test("fails where the disk is full, and where nobody answers", async () => {
    const { port, server: listener, store } = startInMemory();
    store.lasting = "unavailable";
    const client = await TestClient.connect(port);
    await client.command("HSET", "x", "type", "3");
    expect(await health(at(port), {}, 3, false)).toEqual({
      isWell: false,
      text: "the server answers, but its storage is unavailable: the disk is full",
    });
    const { isWell, text } = await health(at(port), {}, 3, true);
    expect([isWell, JSON.parse(text)]).toEqual([
      false,
      {
        ...{ status: "unwell", answered_ms: expect.any(Number), storage: "unavailable" },
        reason: "the disk is full",
      },
    ]);
    store.lasting = undefined;
    client.close();
    await listener.stop();
    expect(await messageOf(health(at(port), {}, 3, false))).toBe(
      `CannotStart: nothing listens on 127.0.0.1:${port}`,
    );
    expect(JSON.parse((await health(at(port), {}, 3, true)).text)).toEqual({
      status: "down",
      reason: `nothing listens on 127.0.0.1:${port}`,
    });
  });

  test("logs in by what the environment says", async () => {
    const { port, server: listener } = startInMemory({ requirepass: parsePassword("secret")! });
    expect(await messageOf(health(at(port), {}, 3, false))).toBe(
      `CannotStart: the server on 127.0.0.1:${port} wants a password: it has to stand in ` +
        "NUMBER_DISPENSER_PASSWORD, and the user, if it is not the default one, in NUMBER_DISPENSER_USER",
    );
    const wrong = { NUMBER_DISPENSER_PASSWORD: "wrong" };
    expect(await messageOf(health(at(port), wrong, 3, false))).toContain("refuses the password");
    const environment = { NUMBER_DISPENSER_PASSWORD: "secret" };
    expect((await health(at(port), environment, 3, false)).text).toStartWith("ok: ");
    await listener.stop();
  });

  test("says that a certificate is wanted, or what else a server answers", async () => {
    const authority = makeAuthority("authority");
    const { cert, key } = makeCertificate("localhost", authority);
    const listening = [{ host: "127.0.0.1", port: 0 }];
    const { port, server: listener } = startInMemory({
      ...{ addr: [], tlsAddr: listening, tlsCert: cert, tlsKey: key },
      tlsClientCa: authority.cert,
    });
    const tlsAddr = [{ host: "127.0.0.1", port }];
    const files = { tlsCert: cert, tlsClientCa: authority.cert };
    expect(
      await messageOf(health(at(port, { addr: [], tlsAddr, ...files }), {}, 3, false)),
    ).toContain("only clients with a certificate get in");
    await listener.stop();
    const path = join(temporaryFolder(), "socket");
    const other = Bun.listen({
      unix: path,
      socket: { data: (socket) => void socket.write("-DENIED you may not\r\n") },
    });
    expect(await messageOf(health(at(0, { addr: [{ unix: path }] }), {}, 3, false))).toBe(
      `CannotStart: the server on unix:${path} refuses: DENIED you may not`,
    );
    other.stop(true);
  });

  test("has exit statuses for scripts", async () => {
    const server = await ServerProcess.start();
    const run = (...args: string[]) => {
      const { exitCode, stdout, stderr } = Bun.spawnSync([...fromSource, ...args], { cwd: root });
      return [exitCode, `${stdout}${stderr}`];
    };
    const addr = `127.0.0.1:${server.port}`;
    expect(run("health", "-addr", addr)).toEqual([0, expect.stringMatching(/^ok: /)]);
    expect(run("info", "nothing", "-addr", addr)).toEqual([
      1,
      "number-dispenser: the server refused: ERR dispenser not found: 'nothing'\n",
    ]);
    expect(run("health", "-adr", addr)).toEqual([2, expect.stringContaining("unknown flag -adr")]);
    await server.end("SIGTERM");
    expect(run("health", "-addr", addr)).toEqual([
      1,
      expect.stringContaining("nothing listens on"),
    ]);
  });
});

test("info shows the server's figures, or a dispenser's, as text and as JSON", async () => {
  const { port, server: listener } = startInMemory();
  const client = await TestClient.connect(port);
  await client.command("HSET", "order_id", "type", "3");
  await client.command("GET", "order_id");
  client.close();
  const lines = (await info("order_id", at(port), {}, 3, false)).split("\n");
  expect(lines.slice(0, 2)).toEqual(["name:order_id", "type:3"]);
  expect(JSON.parse(await info("order_id", at(port), {}, 3, true))).toMatchObject({
    current: "1",
    generated: "1",
  });
  expect(await info(undefined, at(port), {}, 3, false)).toContain("# Server\n");
  expect(JSON.parse(await info(undefined, at(port), {}, 3, true))).toMatchObject({
    dispensers: "1",
  });
  await listener.stop();
});
