/** Where a real server listens: TLS, unix sockets, several addresses at once. */

import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import { temporaryFolder } from "../support/folder.ts";
import { ServerProcess } from "../support/server.ts";

const openssl = Bun.which("openssl");
if (openssl === null) console.warn("TLS is not tested: openssl is not installed.");

/** Runs redis-cli; what it printed, errors too. */
async function cli(...words: string[]): Promise<string> {
  const child = Bun.spawn(["redis-cli", ...words], { stdout: "pipe", stderr: "pipe" });
  const [out, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return (out + errors).trim();
}

/** A port that was free a moment ago. */
function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}

function run(...words: string[]): void {
  const { success, stderr } = Bun.spawnSync([openssl!, ...words]);
  if (!success) throw new Error(stderr.toString());
}

/** A certificate that signs itself, and its key. */
function certificate(folder: string, name: string): { cert: string; key: string } {
  const [cert, key] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  run("req", "-x509", ...curve, "-keyout", key, "-out", cert, "-subj", `/CN=${name}`, "-days", "2");
  return { cert, key };
}

/** The name in the certificate that a server shows. */
function shownName(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

describe.skipIf(openssl === null)("TLS", () => {
  test("serves beside plain TCP, and reads its certificate again on SIGHUP", async () => {
    const folder = temporaryFolder();
    const { cert, key } = certificate(folder, "first");
    const port = freePort();
    const env = {
      NUMBER_DISPENSER_TLS_ADDR: `127.0.0.1:${port}`,
      NUMBER_DISPENSER_TLS_CERT: cert,
      NUMBER_DISPENSER_TLS_KEY: key,
    };
    const server = await ServerProcess.start({ env });
    const secure = ["-p", String(port), "--tls", "--cacert", cert];
    expect(await cli(...secure, "HSET", "x", "type", "3")).toBe("1");
    expect(await cli(...secure, "GET", "x")).toBe("0");
    expect(await cli("-p", String(server.port), "GET", "x")).toBe("1");
    expect(await shownName(port)).toBe("first");

    const second = certificate(folder, "second");
    for (const [from, to] of [
      [second.cert, cert],
      [second.key, key],
    ] as const) {
      writeFileSync(to, await Bun.file(from).text());
    }
    server.signal("SIGHUP");
    await server.logged(/certificates read again/);
    expect(await shownName(port)).toBe("second");

    writeFileSync(cert, "no certificate");
    server.signal("SIGHUP");
    await server.logged(/certificates not changed reason=/);
    expect(await shownName(port)).toBe("second");
    expect(await server.end("SIGTERM")).toBe(0);
  });

  test("asks for a certificate of the client where tls.client_ca says so", async () => {
    const folder = temporaryFolder();
    const { cert, key } = certificate(folder, "server");
    const client = certificate(folder, "client");
    const stranger = certificate(folder, "stranger");
    const port = freePort();
    const server = await ServerProcess.start({
      env: {
        NUMBER_DISPENSER_TLS_ADDR: `127.0.0.1:${port}`,
        NUMBER_DISPENSER_TLS_CERT: cert,
        NUMBER_DISPENSER_TLS_KEY: key,
        NUMBER_DISPENSER_TLS_CLIENT_CA: client.cert,
      },
    });
    const secure = ["-p", String(port), "--tls", "--cacert", cert];
    const as = (who: typeof client) => ["--cert", who.cert, "--key", who.key];
    expect(await cli(...secure, ...as(client), "PING")).toBe("PONG");
    expect(await cli(...secure, "PING")).not.toContain("PONG");
    expect(await cli(...secure, ...as(stranger), "PING")).not.toContain("PONG");
    expect(await cli(...secure, ...as(client), "PING")).toBe("PONG");
    expect(await server.end("SIGTERM")).toBe(0);
  });

  test("is refused at the start with a key that is not the certificate's", async () => {
    const folder = temporaryFolder();
    const { cert } = certificate(folder, "one");
    const { key } = certificate(folder, "other");
    const { status, log } = await ServerProcess.run({
      env: {
        NUMBER_DISPENSER_TLS_ADDR: "127.0.0.1:0",
        NUMBER_DISPENSER_TLS_CERT: cert,
        NUMBER_DISPENSER_TLS_KEY: key,
      },
    });
    expect([status, log]).toEqual([1, expect.stringContaining("tls.cert or tls.key is of no use")]);
  });
});

describe("a unix socket", () => {
  const listenOn = (path: string) => ({ args: ["-addr", `127.0.0.1:0 unix:${path}`] });

  test("serves beside TCP with its permissions, and is removed at the stop", async () => {
    const path = join(temporaryFolder(), "socket");
    const server = await ServerProcess.start({
      ...listenOn(path),
      env: { NUMBER_DISPENSER_UNIX_SOCKET_MODE: "0770" },
    });
    expect((statSync(path).mode & 0o777).toString(8)).toBe("770");
    expect(await cli("-s", path, "HSET", "x", "type", "3")).toBe("1");
    expect(await cli("-p", String(server.port), "GET", "x")).toBe("0");
    const backup = join(temporaryFolder(), "backup.db");
    expect(await cli("-s", path, "BACKUP", backup)).toBe("OK");
    expect(await cli("-s", path, "CLIENT", "INFO")).toContain(`addr=unix:${path}`);
    expect(await server.end("SIGTERM")).toBe(0);
    expect(existsSync(path)).toBe(false);
  });

  test("that a killed server left is replaced; one in use, or a file, is not", async () => {
    const path = join(temporaryFolder(), "socket");
    const first = await ServerProcess.start(listenOn(path));
    await first.end("SIGKILL");
    expect(existsSync(path)).toBe(true);
    const second = await ServerProcess.start(listenOn(path));
    expect(await cli("-s", path, "PING")).toBe("PONG");
    const third = await ServerProcess.run(listenOn(path));
    expect([third.status, third.log]).toEqual([1, expect.stringContaining("address is in use")]);
    expect(await cli("-s", path, "PING")).toBe("PONG");
    expect(await second.end("SIGTERM")).toBe(0);
    writeFileSync(path, "a file");
    chmodSync(path, 0o600);
    const fourth = await ServerProcess.run(listenOn(path));
    expect([fourth.status, fourth.log]).toEqual([1, expect.stringContaining("no socket")]);
  });
});
