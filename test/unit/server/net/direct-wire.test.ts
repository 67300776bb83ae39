/** What the kernel is told of clients' sockets: that it asks whether a silent client is there. */

import { afterAll, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { openLibc } from "../../../../src/platform/libc.ts";
import type { Server } from "../../../../src/server/server.ts";
import { TestClient } from "../../../../testkit/resp.ts";
import { until } from "../../../../testkit/until.ts";
import { makeAuthority, noCertificates } from "../../../support/certificates.ts";
import { LateReader, type Place } from "../../../support/late-reader.ts";
import { startInMemory } from "../../../support/server.ts";

const running: Server[] = [];
afterAll(() => Promise.all(running.map((server) => server.stop())));

const SO_KEEPALIVE = [1, 9] as const;
const TCP_KEEPIDLE = [6, 4] as const;
const TCP_KEEPINTVL = [6, 5] as const;
const TCP_KEEPCNT = [6, 6] as const;

const isLinux = process.platform === "linux";
const libc = isLinux
  ? openLibc({ getsockopt: { args: ["i32", "i32", "i32", "buffer", "buffer"], returns: "i32" } })
  : undefined;

/** An option of a descriptor; undefined if it is no socket that has one such. */
function optionOf(descriptor: number, [level, option]: readonly [number, number]) {
  const value = new Int32Array(1);
  const failed = libc!.getsockopt(descriptor, level, option, value, Int32Array.of(4));
  return failed === 0 ? value[0] : undefined;
}

/** Whether, after how long, how often and how many times the kernel asks, of each such socket. */
function keepalives(idleSeconds: number) {
  return readdirSync("/proc/self/fd")
    .map(Number)
    .filter((descriptor) => optionOf(descriptor, TCP_KEEPIDLE) === idleSeconds)
    .map((descriptor) =>
      [SO_KEEPALIVE, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT].map((option) =>
        optionOf(descriptor, option),
      ),
    );
}

describe.skipIf(!isLinux || noCertificates !== undefined)("keepalive_seconds of silence", () => {
  test.each([
    ["TCP", 77, [1, 77, 25, 3]],
    ["TLS", 78, [1, 78, 26, 3]],
    ["TCP", 2, [1, 2, 1, 3]],
    ["TLS", 1, [1, 1, 1, 3]],
  ])(
    "over %s: after %i, the kernel asks three times, a third of that apart, as in Redis",
    async (kind, keepaliveSeconds, asked) => {
      const { cert: tlsCert, key: tlsKey } = makeAuthority("own");
      const { port, server } = startInMemory({
        ...{ tlsAddr: [{ host: "127.0.0.1", port: 0 }], tlsCert, tlsKey, keepaliveSeconds },
      });
      running.push(server);
      const tlsPort = Number(/tls:127\.0\.0\.1:(\d+)/.exec(server.addresses.join())![1]);
      const place: Place = kind === "TLS" ? { port: tlsPort, isTls: true } : { port };
      const client = await LateReader.connect(place);
      await client.send("PING\r\n");
      expect(await client.line()).toBe("+PONG");
      expect(keepalives(keepaliveSeconds)).toEqual([asked]);
      // Who comes after a change has the new value, and who is there keeps the old one.
      const admin = await TestClient.connect(port);
      await until(() => keepalives(keepaliveSeconds).length === 2);
      expect(await admin.command("CONFIG", "SET", "tcp-keepalive", "900")).toBe("OK");
      const later = await TestClient.connect(port);
      await later.command("PING");
      expect(keepalives(900)).toEqual([[1, 900, 300, 3]]);
      expect(keepalives(keepaliveSeconds)).toHaveLength(2);
      for (const each of [admin, later, client]) each.close();
      await until(() => server.sessions.size === 0);
    },
  );
});
