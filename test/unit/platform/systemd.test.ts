import { ptr } from "bun:ffi";
import { describe, expect, test } from "bun:test";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { RedisClient } from "bun";
import { duplicate, openLibc } from "../../../src/platform/libc.ts";
import { notify, passedSockets } from "../../../src/platform/systemd.ts";
import { temporaryFolder } from "../../../testkit/folder.ts";
import { freePort } from "../../../testkit/ports.ts";
import { fromSource, ServerProcess } from "../../../testkit/process.ts";
import { TestClient } from "../../../testkit/resp.ts";
import { makeAuthority, makeCertificate } from "../../support/certificates.ts";

const python = "/usr/bin/python3";
const hasPython = Bun.which(python) !== null;
if (!hasPython) console.warn("notify() is not tested: there is no python3 to listen.");

/** Listens on a datagram socket, which Bun has none of, and says what it is told. */
const LISTEN = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1].replace("@", "\\0", 1) if sys.argv[1][0] == "@" else sys.argv[1])
print("bound", flush=True)
for _ in range(int(sys.argv[2])):
    print(s.recv(1000).decode(), flush=True)
`;

/** Once it listens; what it was told comes when it heard so much. */
async function listen(socket: string, count: number): Promise<{ told: Promise<string[]> }> {
  const child = Bun.spawn([python, "-c", LISTEN, socket, String(count)], { stdout: "pipe" });
  const bound = Promise.withResolvers<void>();
  const told = (async () => {
    let text = "";
    for await (const chunk of child.stdout) {
      text += Buffer.from(chunk).toString();
      bound.resolve();
    }
    return text.split("\n").slice(1, -1);
  })();
  await bound.promise;
  return { told };
}

test.if(hasPython)("tells the service manager, by a path and by an abstract name", async () => {
  for (const socket of [join(temporaryFolder(), "notify"), `@number-dispenser-${process.pid}`]) {
    const { told } = await listen(socket, 1);
    expect(notify("READY=1", socket)).toBe(true);
    expect(await told).toEqual(["READY=1"]);
  }
});

test("tells nobody where there is no socket", () => {
  expect(notify("READY=1", undefined)).toBe(false);
  expect(notify("READY=1", "")).toBe(false);
  expect(notify("READY=1", "/nowhere/notify")).toBe(false);
  expect(notify("READY=1", `/${"x".repeat(200)}`)).toBe(false);
});

test.if(hasPython)("a server says when it is ready, and when it stops", async () => {
  const socket = join(temporaryFolder(), "notify");
  const { told } = await listen(socket, 2);
  const server = await ServerProcess.start({ env: { NOTIFY_SOCKET: socket } });
  await server.end("SIGTERM");
  expect(await told).toEqual(["READY=1", "STOPPING=1"]);
});

/** A listening socket on a free port of 127.0.0.1 or ::1, which nobody accepts from here. */
function heldSocket(family: "inet" | "inet6"): { descriptor: number; port: number } {
  const libc = openLibc({
    socket: { args: ["int", "int", "int"], returns: "int" },
    bind: { args: ["int", "ptr", "u32"], returns: "int" },
    listen: { args: ["int", "int"], returns: "int" },
  })!;
  const address = family === "inet" ? Buffer.alloc(16) : Buffer.alloc(28);
  address.writeUInt16LE(family === "inet" ? 2 : 10, 0);
  if (family === "inet") address.set([127, 0, 0, 1], 4);
  else address[23] = 1;
  const descriptor = libc.socket(address.readUInt16LE(0), 1, 0);
  let port: number;
  do {
    // One that others connected to just now is free for Bun alone, which sets SO_REUSEADDR.
    port = freePort();
    address.writeUInt16BE(port, 2);
  } while (libc.bind(descriptor, ptr(address), address.length) !== 0);
  expect(libc.listen(descriptor, 16)).toBe(0);
  return { descriptor, port };
}

/** The program as a service manager starts it: with its own process in LISTEN_PID. */
const asService = ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", ...fromSource];

describe.skipIf(process.platform !== "linux")("sockets of the service manager", () => {
  test("are listened on, and who connects between two servers is served by the next", async () => {
    const { descriptor, port } = heldSocket("inet");
    const options = {
      program: asService,
      dataDir: join(temporaryFolder(), "data"),
      passed: [descriptor],
      env: { LISTEN_FDS: "1" },
    };
    const early = await TestClient.connect(port);
    early.send("HSET x type 3\r\nGET x\r\n");
    const first = await ServerProcess.start(options);
    expect(first.port).toBe(port);
    expect([await early.next(), await early.next()]).toEqual([1, "0"]);
    expect(await early.command("INFO", "server")).toContain(`tcp_port:${port}\r\n`);
    expect(await first.end("SIGTERM")).toBe(0);
    const between = await TestClient.connect(port);
    between.send("GET x\r\n");
    const second = await ServerProcess.start(options);
    expect(await between.next()).toBe("1");
    await second.end("SIGTERM");
  });

  test("named tls serve TLS, and go on when the certificate is read again", async () => {
    const { descriptor, port } = heldSocket("inet6");
    const { cert, key } = makeCertificate("localhost", makeAuthority("authority"));
    const server = ServerProcess.launch({
      program: asService,
      passed: [descriptor],
      env: {
        ...{ LISTEN_FDS: "1", LISTEN_FDNAMES: "tls", NUMBER_DISPENSER_TLS_ADDR: ":1" },
        // What nothing was passed for is listened on as always.
        NUMBER_DISPENSER_ADDR: "127.0.0.1:0",
        ...{ NUMBER_DISPENSER_TLS_CERT: cert, NUMBER_DISPENSER_TLS_KEY: key },
      },
    });
    await server.logged(new RegExp(`ready .*address=127\\.0\\.0\\.1:\\d+,tls:\\[::1\\]:${port} `));
    const ping = async () => {
      const url = `rediss://[::1]:${port}`;
      const client = new RedisClient(url, { tls: { rejectUnauthorized: false } });
      expect(await client.ping()).toBe("PONG");
      client.close();
    };
    await ping();
    server.signal("SIGHUP");
    await server.logged(/certificates read again/);
    await ping();
    expect(await server.end("SIGTERM")).toBe(0);
  });

  test("are told by their addresses, those named tls apart", () => {
    const of = (descriptor: number, names = "") =>
      passedSockets(
        { LISTEN_FDS: "1", LISTEN_PID: String(process.pid), LISTEN_FDNAMES: names },
        process.pid,
        descriptor,
      );
    const [four, six] = [heldSocket("inet"), heldSocket("inet6")];
    expect(of(four.descriptor)).toEqual({
      addr: [{ host: "127.0.0.1", port: four.port, descriptor: four.descriptor }],
    });
    expect(of(six.descriptor, "tls")).toEqual({
      tlsAddr: [{ host: "::1", port: six.port, descriptor: six.descriptor }],
    });
    const path = join(temporaryFolder(), "socket");
    const listener = Bun.listen({ unix: path, socket: { data() {} } });
    const { fd } = listener as unknown as { fd: number };
    expect(of(fd)).toEqual({ addr: [{ unix: path, descriptor: fd }] });
    listener.stop();
    const file = openSync(import.meta.path, "r");
    expect(() => of(file)).toThrow(/is no TCP or unix socket that listens/);
    const copy = duplicate(file);
    for (const each of [file, copy, four.descriptor, six.descriptor]) closeSync(each);
    expect(() => duplicate(-1)).toThrow("descriptor -1 is not open");
  });

  test("of another process are not this one's, and what is no socket is refused", async () => {
    expect(passedSockets({ LISTEN_FDS: "1", LISTEN_PID: "1" })).toBeUndefined();
    expect(passedSockets({ LISTEN_FDS: "0", LISTEN_PID: String(process.pid) })).toBeUndefined();
    const file = openSync(import.meta.path, "r");
    const datagrams = openLibc({ socket: { args: ["int", "int", "int"], returns: "int" } })!;
    for (const passed of [file, datagrams.socket(2, 2, 0)]) {
      const { status, log } = await ServerProcess.run({
        program: asService,
        passed: [passed],
        env: { LISTEN_FDS: "1" },
      });
      expect([status, log]).toEqual([
        1,
        "number-dispenser: descriptor 3 of the service manager is no TCP or unix socket that listens\n",
      ]);
      closeSync(passed);
    }
  });
});
