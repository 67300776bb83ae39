/** Certificates that are read again while clients come: the listening sockets stay open throughout. */

import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../../../../testkit/folder.ts";
import { ServerProcess } from "../../../../testkit/process.ts";
import { makeAuthority, noCertificates } from "../../../support/certificates.ts";
import { startInMemory } from "../../../support/server.ts";

type Place = { readonly hostname: string; readonly port: number } | { readonly unix: string };

/** Sends a PING over TLS, and answers what came back, or why nothing did. */
async function ping(place: Place): Promise<string> {
  const answer = Promise.withResolvers<string>();
  const connected = Bun.connect({
    ...(place as { hostname: string; port: number }),
    tls: { rejectUnauthorized: false },
    socket: {
      open: (opened) => void opened.write("PING\r\n"),
      data: (socket, chunk) => {
        answer.resolve(chunk.toString());
        socket.end();
      },
      close: (_, error) => answer.resolve(`closed: ${error?.message}`),
      error: (_, error) => answer.resolve(error.message),
    },
  });
  connected.catch((error: Error) => answer.resolve(error.message));
  return answer.promise;
}

const PONG = "+PONG\r\n";

describe.skipIf(noCertificates !== undefined)("certificates that are read again", () => {
  const { cert, key } = noCertificates === undefined ? makeAuthority("own") : { cert: "", key: "" };

  test("cost no connection, however many are under way, over TCP and a unix socket", async () => {
    const unix = join(temporaryFolder(), "tls.sock");
    const server = await ServerProcess.start({
      env: {
        NUMBER_DISPENSER_TLS_ADDR: `127.0.0.1:0,unix:${unix}`,
        NUMBER_DISPENSER_TLS_CERT: cert,
        NUMBER_DISPENSER_TLS_KEY: key,
      },
    });
    const port = Number(/tls:127\.0\.0\.1:(\d+)/.exec(server.log)![1]);
    const places: Place[] = [{ hostname: "127.0.0.1", port }, { unix }];
    let isOver = false;
    const signals = (async () => {
      while (!isOver) {
        server.signal("SIGHUP");
        await Bun.sleep(1);
      }
    })();
    const reloads = () => server.log.match(/certificates read again/g)?.length ?? 0;
    for (const place of places) {
      const enough = reloads() + 5;
      do {
        const answers = await Promise.all(Array.from({ length: 200 }, () => ping(place)));
        expect(answers.filter((answer) => answer !== PONG)).toEqual([]);
      } while (reloads() < enough);
    }
    isOver = true;
    await signals;
    expect(await server.end("SIGTERM")).toBe(0);
    expect(existsSync(unix)).toBe(false);
  });

  test("leave the path and the mode of a unix socket, the port, and no descriptor", async () => {
    const folder = temporaryFolder();
    const unix = join(folder, "tls.sock");
    const tlsCert = join(folder, "live.pem");
    await Bun.write(tlsCert, Bun.file(cert));
    const { server: listener, logged } = startInMemory({
      addr: [],
      tlsAddr: [{ host: "127.0.0.1", port: 0 }, { unix }],
      ...{ tlsCert, tlsKey: key, unixSocketMode: 0o600 },
    });
    const { addresses, port } = listener;
    const entry = statSync(unix);
    expect(entry.mode & 0o777).toBe(0o600);
    const sockets = () =>
      readdirSync("/proc/self/fd").filter((descriptor) => {
        try {
          return readlinkSync(`/proc/self/fd/${descriptor}`).startsWith("socket:");
        } catch {
          return false;
        }
      }).length;
    const open = process.platform === "linux" ? sockets() : 0;
    for (let count = 0; count < 10; count++) listener.reloadTls();
    writeFileSync(tlsCert, "nothing");
    for (let count = 0; count < 10; count++) listener.reloadTls();
    expect(logged.filter((line) => line.startsWith("info certificates read"))).toHaveLength(10);
    expect(logged.filter((line) => line.startsWith("error certificates not"))).toHaveLength(10);
    if (process.platform === "linux") expect(sockets()).toBe(open);
    expect([listener.addresses, listener.port]).toEqual([addresses, port]);
    expect(statSync(unix).ino).toBe(entry.ino);
    expect(readdirSync(folder).sort()).toEqual(["live.pem", "tls.sock"]);
    for (const place of [{ hostname: "127.0.0.1", port }, { unix }])
      expect(await ping(place)).toBe(PONG);
    await listener.stop();
    expect(readdirSync(folder)).toEqual(["live.pem"]);
  });
});
