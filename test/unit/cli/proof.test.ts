import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Socket } from "bun";
import type { ServerSettings } from "../../../src/cli/connection.ts";
import { parsePassword } from "../../../src/config/kinds.ts";
import { temporaryFolder } from "../../../testkit/folder.ts";
import { freePort } from "../../../testkit/ports.ts";
import { endOnExit, fromSource, ServerProcess } from "../../../testkit/process.ts";
import { TestClient } from "../../../testkit/resp.ts";
import { succeeds } from "../../../testkit/until.ts";
import {
  type Certificate,
  makeAuthority,
  makeCertificate,
  noCertificates,
} from "../../support/certificates.ts";
import { impostor, loggedIn, PASSWORD, stateOf } from "../../support/impostor.ts";
import { startInMemory } from "../../support/server.ts";
import { serverAt } from "../../support/server-settings.ts";

describe.skipIf(noCertificates !== undefined)("over TLS", () => {
  let authority: Certificate;
  let own: Certificate;
  let other: Certificate;

  beforeAll(() => {
    authority = makeAuthority("authority");
    own = makeCertificate("own", authority);
    other = makeCertificate("other", authority);
  });

  const overTls = (port: number, tlsCert: string): ServerSettings =>
    serverAt(0, { addr: [], tlsAddr: [{ host: "127.0.0.1", port }], tlsCert });
  const filesOf = ({ cert, key }: Certificate) => ({ cert: Bun.file(cert), key: Bun.file(key) });

  test("the server is known by the first certificate of its file, whatever its name", async () => {
    const chain = join(temporaryFolder(), "chain.pem");
    writeFileSync(
      chain,
      (await Bun.file(own.cert).text()) + (await Bun.file(authority.cert).text()),
    );
    const named = makeAuthority("some.other.host");
    for (const [tlsCert, tlsKey] of [
      [own.cert, own.key],
      [chain, own.key],
      [named.cert, named.key],
    ] as [string, string][]) {
      const { port, server: listener } = startInMemory({
        ...{ addr: [], tlsAddr: [{ host: "127.0.0.1", port: 0 }], tlsCert, tlsKey },
        requirepass: parsePassword(PASSWORD)!,
      });
      expect(await stateOf(overTls(port, tlsCert), loggedIn)).toEqual(["ok", undefined]);
      await listener.stop();
    }
  });

  test("another certificate of the same authority, or one that it signed, gets not one byte", async () => {
    for (const shown of [other, authority, makeAuthority("own")]) {
      const server = impostor("+OK\r\n", { tls: filesOf(shown) });
      const [status, reason] = await stateOf(overTls(server.port, own.cert), loggedIn);
      // It runs as the user of this test, who is trusted: so it may be the server before SIGHUP.
      expect([status, reason]).toEqual([
        process.platform === "linux" ? "certificate_renewed" : "not_ours",
        expect.stringContaining(`tls.cert (${own.cert}), so it was sent nothing`),
      ]);
      expect(server.got).toEqual([]);
      server.stop();
    }
  });

  test("a renewed certificate is asked for until SIGHUP tells the server", async () => {
    const folder = temporaryFolder();
    const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
    const install = (from: Certificate) => {
      copyFileSync(from.cert, cert);
      copyFileSync(from.key, key);
    };
    install(own);
    const port = freePort();
    const env = {
      ...{ NUMBER_DISPENSER_TLS_ADDR: `127.0.0.1:${port}`, NUMBER_DISPENSER_TLS_CERT: cert },
      ...{ NUMBER_DISPENSER_TLS_KEY: key, NUMBER_DISPENSER_REQUIREPASS: PASSWORD },
    };
    const server = await ServerProcess.start({ env });
    const settings = overTls(port, cert);
    expect((await stateOf(settings, loggedIn))[0]).toBe("ok");
    install(other);
    expect(await stateOf(settings, loggedIn)).toEqual([
      process.platform === "linux" ? "certificate_renewed" : "not_ours",
      expect.stringMatching(/renewed.*SIGHUP/),
    ]);
    server.signal("SIGHUP");
    await succeeds(async () => expect((await stateOf(settings, loggedIn))[0]).toBe("ok"));
    await server.end("SIGTERM");
  });

  test("a certificate without its key is no proof", async () => {
    // A wire that passes the server's certificate on, and spoils the signature after it.
    const port = freePort();
    const files = ["-cert", own.cert, "-key", own.key];
    const child = Bun.spawn(
      ["openssl", "s_server", "-quiet", "-tls1_2", ...files, "-accept", String(port)],
      { stdin: "pipe", stdout: "pipe", stderr: "ignore" },
    );
    endOnExit(child);
    await succeeds(async () => void (await TestClient.connect(port)).close());
    const passedOn: Buffer[] = [];
    const wire = Bun.listen<{ up?: Socket; early: Buffer[] }>({
      ...{ hostname: "127.0.0.1", port: 0 },
      socket: {
        async open(socket) {
          socket.data = { early: [] };
          const up = await Bun.connect({
            ...{ hostname: "127.0.0.1", port },
            socket: {
              data(_, chunk) {
                const bytes = Buffer.from(chunk);
                bytes[bytes.length - 20]! ^= 0xff;
                socket.write(bytes);
              },
            },
          });
          for (const chunk of socket.data.early) up.write(chunk);
          socket.data.up = up;
        },
        data(socket, chunk) {
          passedOn.push(Buffer.from(chunk));
          if (socket.data.up) socket.data.up.write(chunk);
          else socket.data.early.push(Buffer.from(chunk));
        },
      },
    });
    const [status, reason] = await stateOf(overTls(wire.port, own.cert), loggedIn);
    expect([status, reason]).toEqual(["not_ours", expect.stringContaining("BAD_SIGNATURE")]);
    // Records of TLS: 22 is a handshake, 21 an alert, and 23 would be the password.
    expect(passedOn.map((chunk) => chunk[0])).not.toContain(23);
    wire.stop(true);
    child.kill();
    await child.exited;
  });

  test("a file that cannot be read, and a program without TLS, are told apart", async () => {
    const server = impostor("HTTP/1.1 400 Bad Request\r\n\r\n");
    expect(await stateOf(overTls(server.port, own.cert), loggedIn)).toEqual([
      "not_ours",
      expect.stringContaining("cannot be spoken to over TLS"),
    ]);
    expect(server.got.join("")).not.toContain("SECRET");
    server.stop();
    const tls = impostor("+OK\r\n", { tls: filesOf(own) });
    expect(await stateOf(overTls(tls.port, "/nowhere/cert.pem"), loggedIn)).toEqual([
      "not_ours",
      expect.stringContaining("cannot read tls.cert /nowhere/cert.pem"),
    ]);
    expect(tls.got).toEqual([]);
    tls.stop();
  });
});

const NOBODY = 65534;
const asNobody = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
const canBeAnother =
  process.platform === "linux" &&
  process.getuid?.() === 0 &&
  Bun.which("setpriv") !== null &&
  Bun.spawnSync([...asNobody, "test", "-r", fromSource[1]!], { cwd: "/" }).success;

describe.skipIf(!canBeAnother)("a program of another user", () => {
  let child: Bun.Subprocess | undefined;
  afterAll(() => child?.kill());

  /** Runs a program as another user, and waits until it listens. Answers what it writes. */
  async function run(port: number, ...program: string[]): Promise<() => Promise<string>> {
    const started = Bun.spawn([...asNobody, ...program], {
      cwd: "/",
      stdin: "pipe",
      stdout: "pipe",
      stderr: "ignore",
    });
    endOnExit(started);
    child = started;
    await succeeds(async () => void (await TestClient.connect(port)).close());
    return async () => {
      started.kill();
      return await new Response(started.stdout).text();
    };
  }

  test("is not sent the password", async () => {
    const port = freePort();
    const program = `Bun.listen({ hostname: "0.0.0.0", port: ${port}, socket: { data(s, chunk) {
      console.log("got " + chunk); s.write("+OK\\r\\n") } } })`;
    const written = await run(port, process.execPath, "-e", program);
    expect(await stateOf(serverAt(port), loggedIn)).toEqual([
      "not_ours",
      expect.stringMatching(/a program of user 65534, who is neither root.*not sent the password/),
    ]);
    expect(await written()).toBe("");
  });

  test("may not use a unix socket that is not its own, and is told so", async () => {
    const folder = temporaryFolder();
    chmodSync(folder, 0o755);
    const unix = join(folder, "socket");
    const { server: listener } = startInMemory({ addr: [{ unix }], unixSocketMode: 0o700 });
    const args = ["health", "-json", "-addr", `unix:${unix}`];
    const { stdout } = Bun.spawnSync([...asNobody, ...fromSource, ...args], { cwd: "/" });
    expect(JSON.parse(stdout.toString())).toEqual({
      status: "not_permitted",
      reason: `this user may not connect to unix:${unix}`,
    });
    await listener.stop();
  });

  test("is told from a server before SIGHUP", async () => {
    const { cert, key } = makeAuthority("other");
    chmodSync(dirname(cert), 0o755);
    chmodSync(key, 0o644);
    const port = freePort();
    const files = ["-cert", cert, "-key", key];
    const program = ["openssl", "s_server", "-quiet", ...files, "-accept", String(port)];
    const written = await run(port, ...program);
    const tlsAddr = [{ host: "127.0.0.1", port }];
    const tlsCert = makeAuthority("own").cert;
    expect(await stateOf(serverAt(0, { addr: [], tlsAddr, tlsCert }), loggedIn)).toEqual([
      "not_ours",
      expect.stringContaining("it is another program, of user 65534"),
    ]);
    expect(await written()).toBe("");
  });
});
