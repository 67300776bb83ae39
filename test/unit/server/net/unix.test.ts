/** Unix sockets, and several addresses at a time. */

import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, lstatSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeFifo, temporaryFolder } from "../../../../testkit/folder.ts";
import { fromSource, ServerProcess } from "../../../../testkit/process.ts";
import { encodeRequest, type Reply, readReply, TestClient } from "../../../../testkit/resp.ts";
import { succeeds } from "../../../../testkit/until.ts";
import { makeAuthority, makeCertificate, noCertificates } from "../../../support/certificates.ts";

const servers: ServerProcess[] = [];
afterAll(() => Promise.all(servers.map((server) => server.end("SIGKILL"))));

/** A server on a unix socket and on a port; `wait` false: one that is expected to refuse. */
async function start(socket: string, env: Record<string, string> = {}): Promise<ServerProcess> {
  const server = await ServerProcess.start({
    args: ["-addr", `127.0.0.1:0 unix:${socket}`],
    env,
  });
  servers.push(server);
  return server;
}

const refusalOf = (socket: string) => ServerProcess.run({ args: ["-addr", `unix:${socket}`] });

/** The reply to one request over a unix socket. */
async function ask(unix: string, ...words: string[]): Promise<Reply> {
  const { promise, resolve } = Promise.withResolvers<Reply>();
  let received = "";
  const socket = await Bun.connect({
    unix,
    socket: {
      data: (_, chunk) => {
        received += chunk.toString("latin1");
        const read = readReply(received);
        if (read !== undefined) resolve(read.reply);
      },
      close: () => resolve("closed"),
    },
  });
  socket.write(encodeRequest(...words));
  const reply = await promise;
  socket.terminate();
  return reply;
}

const permissionsOf = (path: string) => (statSync(path).mode & 0o777).toString(8);
const freshPath = () => join(temporaryFolder(), "server.sock");

describe("a unix socket", () => {
  test("is its owner's alone, or has the permissions of the settings", async () => {
    const [first, second] = [freshPath(), freshPath()];
    await start(first);
    expect(lstatSync(first).isSocket()).toBe(true);
    expect(permissionsOf(first)).toBe("700");
    await start(second, { NUMBER_DISPENSER_UNIX_SOCKET_MODE: "0770" });
    expect(permissionsOf(second)).toBe("770");
  });

  test("serves the same dispensers, under its path as the client's address", async () => {
    const path = freshPath();
    const server = await start(path);
    const client = await TestClient.connect(server.port);
    expect(await client.command("HSET", "x", "type", "3")).toBe(1);
    expect(await ask(path, "GET", "x")).toBe("0");
    expect(await client.command("GET", "x")).toBe("1");
    expect(await ask(path, "CLIENT", "INFO")).toContain(`addr=unix:${path} laddr=unix:${path} `);
    client.close();
  });

  test("is removed at the stop", async () => {
    const path = freshPath();
    const server = await start(path);
    expect(await server.end("SIGTERM")).toBe(0);
    expect(existsSync(path)).toBe(false);
  });

  test("that a killed server left is replaced", async () => {
    const path = freshPath();
    const killed = await start(path);
    await killed.end("SIGKILL");
    expect(lstatSync(path).isSocket()).toBe(true);
    await start(path);
    expect(await ask(path, "PING")).toBe("PONG");
  });

  test("on which a server listens, or a file that is none, is refused and left", async () => {
    const path = freshPath();
    await start(path);
    expect(await refusalOf(path)).toEqual({
      status: 1,
      log: `number-dispenser: cannot listen on unix:${path}: the address is in use\n`,
    });
    expect(await ask(path, "PING")).toBe("PONG");
    const file = freshPath();
    writeFileSync(file, "precious");
    expect(await refusalOf(file)).toEqual({
      status: 1,
      log: `number-dispenser: cannot listen on unix:${file}: there is a file that is no socket\n`,
    });
    expect(await Bun.file(file).text()).toBe("precious");
    const nowhere = "/nowhere/server.sock";
    expect(await refusalOf(nowhere)).toEqual({
      status: 1,
      log: `number-dispenser: cannot listen on unix:${nowhere}: there is no such folder\n`,
    });
  });

  test("is not made where a link or a FIFO is, and what the link leads to stays", async () => {
    const victim = freshPath();
    const stale = await start(victim);
    await stale.end("SIGKILL");
    const [link, dangling, fifo] = [freshPath(), freshPath(), freshPath()];
    symlinkSync(victim, link);
    symlinkSync("/nowhere/server.sock", dangling);
    makeFifo(fifo);
    for (const path of [link, dangling, fifo]) {
      expect(await refusalOf(path)).toEqual({
        status: 1,
        log: `number-dispenser: cannot listen on unix:${path}: there is a file that is no socket\n`,
      });
    }
    expect(lstatSync(victim).isSocket()).toBe(true);
  });

  test("on which a server is too busy to answer is not taken for a dead one's", async () => {
    const path = freshPath();
    const server = await start(path);
    process.kill(server.pid, "SIGSTOP");
    // Until its queue is full, and nobody can connect any more.
    const clients: { terminate(): void }[] = [];
    try {
      for (;;) clients.push(await Bun.connect({ unix: path, socket: { data() {} } }));
    } catch {
      expect(clients.length).toBeGreaterThan(0);
    }
    expect((await refusalOf(path)).log).toBe(
      `number-dispenser: cannot listen on unix:${path}: the address is in use\n`,
    );
    process.kill(server.pid, "SIGCONT");
    for (const client of clients) client.terminate();
    await succeeds(() => ask(path, "PING"));
  });

  test("is where an administrator is: BACKUP and SHUTDOWN work, in protected mode too", async () => {
    const path = freshPath();
    const server = await start(path);
    await ask(path, "HSET", "x", "type", "3");
    const folder = temporaryFolder();
    const backUp = (file: string) => {
      const args = ["backup", join(folder, file), "-addr", `unix:${path}`];
      const { exitCode, stdout, stderr } = Bun.spawnSync([...fromSource, ...args]);
      return [exitCode, stdout.toString() + stderr.toString()];
    };
    expect(backUp("one.db")).toEqual([0, expect.stringMatching(/^backup of 1 dispensers: /)]);
    expect(await ask(path, "BACKUP", join(folder, "two.db"))).toBe("OK");
    expect(await ask(path, "SHUTDOWN")).toBe("closed");
    expect(await server.exited()).toBe(0);
    expect(server.log).toContain(`stopping reason="SHUTDOWN from unix:${path}"`);
  });

  test("asks for the password like any other address, and logs wrong ones", async () => {
    const path = freshPath();
    const server = await start(path, { NUMBER_DISPENSER_REQUIREPASS: "secret" });
    expect((await ask(path, "SHUTDOWN")) as Error).toBeInstanceOf(Error);
    expect(await ask(path, "AUTH", "secret")).toBe("OK");
    expect((await ask(path, "AUTH", "guess")) as Error).toBeInstanceOf(Error);
    await server.logged(new RegExp(`wrong password client=unix:${path} user=default`));
  });

  test("serves `backup` with a password", async () => {
    const path = freshPath();
    await start(path, { NUMBER_DISPENSER_REQUIREPASS: "secret" });
    const file = join(temporaryFolder(), "backup.db");
    const { exitCode } = Bun.spawnSync([...fromSource, "backup", file, "-addr", `unix:${path}`], {
      env: { ...process.env, NUMBER_DISPENSER_PASSWORD: "secret" },
    });
    expect(exitCode).toBe(0);
  });
});

test.skipIf(noCertificates !== undefined)(
  "IPv4, IPv6, unix and TLS together serve one line of numbers",
  async () => {
    const { cert, key } = makeCertificate("server", makeAuthority("authority"));
    const [plain, tls] = [freshPath(), freshPath()];
    const server = await ServerProcess.start({
      args: ["-addr", `127.0.0.1:0 [::1]:0 unix:${plain}`],
      env: {
        NUMBER_DISPENSER_TLS_ADDR: `127.0.0.1:0 unix:${tls}`,
        NUMBER_DISPENSER_TLS_CERT: cert,
        NUMBER_DISPENSER_TLS_KEY: key,
      },
    });
    servers.push(server);
    const addresses = /address=(\S+)/.exec(server.log)![1]!.split(",");
    expect(addresses.map((address) => address.replace(/:\d+$/, ""))).toEqual([
      "127.0.0.1",
      "[::1]",
      `unix:${plain}`,
      "tls:127.0.0.1",
      `tls:unix:${tls}`,
    ]);
    const port = (index: number) => addresses[index]!.split(":").at(-1)!;
    await ask(plain, "HSET", "x", "type", "3");
    const insecure = ["--tls", "--insecure"];
    const ways = [
      ["-h", "127.0.0.1", "-p", port(0)],
      ["-h", "::1", "-p", port(1)],
      ["-s", plain],
      ["-h", "127.0.0.1", "-p", port(3), ...insecure],
      ["-s", tls, ...insecure],
    ];
    for (const [index, way] of ways.entries()) {
      const child = Bun.spawn(["redis-cli", ...way, "GET", "x"], { stderr: "pipe" });
      expect([way, (await child.stdout.text()).trim()]).toEqual([way, String(index)]);
    }
    expect(await server.end("SIGTERM")).toBe(0);
    expect([existsSync(plain), existsSync(tls)]).toEqual([false, false]);
  },
);
