/** What is said where a store cannot be used: who, where and why, and nothing of Bun's. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chownSync, copyFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Server, TCPSocketListener } from "bun";
import { operateCluster } from "../../../../src/cli/cluster.ts";
import { openLeaseStore } from "../../../../src/cluster/stores/open.ts";
import { freePort } from "../../../../testkit/ports.ts";
import { PostgresServer } from "../../../../testkit/postgres.ts";
import { ServerProcess } from "../../../../testkit/process.ts";
import { type Certificate, makeAuthority, makeCertificate } from "../../../support/certificates.ts";
import { EtcdCluster } from "../../../support/etcd.ts";
import { FragileLink } from "../../../support/fragile-link.ts";
import { noEtcd, noPostgres } from "../../../support/installed.ts";
import { messageOf } from "../../../support/message-of.ts";

/** Texts of Bun's clients, and of JavaScript. */
const FOREIGN =
  /able to access|Unable to connect|ERR_|Failed to connect|verbose|JSON Parse|undefined/;

/** How the first read of a store fails. */
async function failureOf(url: string): Promise<string> {
  const store = openLeaseStore(url);
  const said = await messageOf(store.read(["a"]));
  await store.close();
  expect(said).not.toMatch(FOREIGN);
  return said;
}

const unavailable = (reason: string) => `LeaseStoreUnavailable: ${reason}`;

describe.skipIf(noPostgres !== undefined)("PostgreSQL that cannot be used", () => {
  let server: PostgresServer;
  let place = "";
  let authority: Certificate;

  beforeAll(async () => {
    authority = makeAuthority("authority");
    server = new PostgresServer();
    const { cert, key } = makeCertificate("server", authority);
    const { uid, gid } = statSync(server.folder);
    for (const [from, name] of [
      [cert, "server.crt"],
      [key, "server.key"],
    ] as const) {
      const to = join(server.folder, name);
      copyFileSync(from, to);
      chownSync(to, uid, gid);
    }
    const rules = [
      "host all dispenser all trust",
      "host all secret all scram-sha-256",
      "hostssl all encrypted all trust",
    ];
    writeFileSync(join(server.folder, "pg_hba.conf"), `${rules.join("\n")}\n`);
    await server.start();
    place = `127.0.0.1:${server.port}`;
    for (const user of ["secret", "encrypted"])
      await server.query(`CREATE ROLE ${user} LOGIN PASSWORD 'right'`);
    await server.query("GRANT ALL ON SCHEMA public TO public");
  }, 60_000);

  afterAll(() => server.stop());

  const withTls = async () => {
    await server.query("ALTER SYSTEM SET ssl = on");
    await server.query("SELECT pg_reload_conf()");
  };
  const says = (text: string) => unavailable(`PostgreSQL at ${place} says: ${text}`);

  test("because nothing listens, or its host is not known", async () => {
    const port = freePort();
    expect(await failureOf(`postgres://me:hidden@127.0.0.1:${port}/x`)).toBe(
      unavailable(`nothing listens at 127.0.0.1:${port}, or a firewall refuses the connection`),
    );
    expect(await failureOf("postgres://me:hidden@nowhere.invalid/x")).toBe(
      unavailable(
        "the host of nowhere.invalid:5432 is not known: look at its name, and at the DNS of this machine",
      ),
    );
  });

  test("because of the password, the user or the database", async () => {
    expect(await failureOf(`postgres://secret:hidden@${place}/postgres`)).toBe(
      says(
        'password authentication failed for user "secret" (28P01): the user or the password of the URL is wrong',
      ),
    );
    expect(await failureOf(`postgres://dispenser@${place}/none`)).toBe(
      says('database "none" does not exist (3D000): make the database, or name another in the URL'),
    );
    expect(await failureOf(`postgres://nobody@${place}/postgres`)).toMatch(
      /says: no pg_hba\.conf entry .* \(28000\): look at the user of the URL, and at pg_hba\.conf$/,
    );
  });

  test("because it takes no writes", async () => {
    await server.query("ALTER ROLE dispenser SET default_transaction_read_only = on");
    expect(await failureOf(server.url)).toMatch(
      /read-only transaction \(25006\): this is a replica: name the primary in the URL$/,
    );
    await server.query("BEGIN READ WRITE; ALTER ROLE dispenser RESET ALL; COMMIT");
  });

  test("because of TLS", async () => {
    const wanted = `postgres://encrypted@${place}/postgres`;
    expect(await failureOf(`${wanted}?sslmode=require`)).toBe(
      unavailable(`${place} does not speak TLS, and the sslmode of the URL asks for it`),
    );
    await withTls();
    const other = makeAuthority("other");
    const trusting = ({ cert }: Certificate) => `${wanted}?sslmode=verify-full&sslrootcert=${cert}`;
    await untilOk(trusting(authority));
    expect(await failureOf(trusting(other))).toBe(
      unavailable(
        `the certificate of ${place} is signed by an authority that this machine does not trust`,
      ),
    );
    expect(await failureOf(wanted)).toMatch(
      /says: no pg_hba\.conf entry .*no encryption \(28000\)/,
    );
  });

  test("because the connection is cut, or never answered", async () => {
    const link = new FragileLink(server.port);
    const at = `127.0.0.1:${link.port}`;
    const store = openLeaseStore(`postgres://dispenser@${at}/postgres`);
    await store.read(["a"]);
    const blocker = new Bun.SQL(server.url);
    const said = await blocker.begin(async (transaction) => {
      await transaction.unsafe("LOCK TABLE number_dispenser IN ACCESS EXCLUSIVE MODE");
      const reading = messageOf(store.read(["a"]));
      await Bun.sleep(200);
      link.set("closed");
      return reading;
    });
    expect(said).toBe(unavailable(`the connection to ${at} was lost before the answer came`));
    await blocker.close();
    link.set("silent");
    expect(await failureOf(`postgres://dispenser@${at}/postgres`)).toMatch(
      new RegExp(`^LeaseStoreUnavailable: ${at} .*did not answer`),
    );
    await store.close();
    link.stop();
  });

  test("which the command and the log of the server tell as well", async () => {
    const url = `postgres://secret:hidden@${place}/postgres`;
    const settings = { dataDir: "x", store: url, create: true, allowNetworkFileSystem: false };
    const reason =
      `PostgreSQL at ${place} says: password authentication failed for user "secret" (28P01): the user or the ` +
      "password of the URL is wrong";
    expect(await messageOf(operateCluster("nodes", [], new Map(), settings))).toBe(
      `CannotStart: store postgres://${place}/postgres unavailable: ${reason}`,
    );
    const node = ServerProcess.launch({
      args: ["-store", url],
      env: { NUMBER_DISPENSER_LOG_FORMAT: "json" },
    });
    await node.logged(/waits for its store/);
    expect(node.log).toContain(JSON.stringify(reason));
    expect(node.log).not.toMatch(FOREIGN);
    expect(node.log).not.toContain("hidden");
    await node.end("SIGKILL");
  });
});

async function untilOk(url: string): Promise<void> {
  for (let said = ""; said !== "no error"; ) {
    const store = openLeaseStore(url);
    said = await messageOf(store.read(["a"]));
    await store.close();
  }
}

test.each([
  ["postgres://me@h/x?sslmode=nonsense", /sslmode must be one of disable, allow,/],
  ["postgres://me@h/x?sslrootcert=/nowhere/ca.pem", /cannot read \/nowhere\/ca\.pem: no such file/],
  ["postgres://me@h/x?sslrootcert=/dev/null", /cannot read \/dev\/null: it is not a regular file/],
])("%s is refused as it stands", (url, reason) => {
  expect(() => openLeaseStore(url)).toThrow(reason);
});

describe("an etcd that cannot be used", () => {
  const listeners: TCPSocketListener[] = [];
  const servers: Server<undefined>[] = [];

  afterAll(() => {
    for (const listener of listeners) listener.stop(true);
    for (const server of servers) server.stop(true);
  });

  /** The port of something that does this with each piece it is sent. */
  const answering = (data: (socket: Bun.Socket) => void): number => {
    const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data } });
    listeners.push(listener);
    return listener.port;
  };
  const http = (respond: () => Response, tls?: Certificate): number => {
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: respond,
      ...(tls && { tls: { cert: Bun.file(tls.cert), key: Bun.file(tls.key) } }),
    });
    servers.push(server);
    return server.port!;
  };
  const failureAt = async (port: number, parameters = "") => {
    const said = await failureOf(`etcd://127.0.0.1:${port}${parameters}`);
    return said.replaceAll(`127.0.0.1:${port}`, "HERE");
  };

  test("because nothing listens, its host is not known, or it is silent", async () => {
    expect(await failureAt(freePort())).toBe(
      unavailable("nothing listens at HERE, or a firewall refuses the connection"),
    );
    expect(await failureOf("etcd://nowhere.invalid:2379")).toBe(
      unavailable(
        "the host of nowhere.invalid:2379 is not known: look at its name, and at the DNS of this machine",
      ),
    );
    expect(await failureAt(answering(() => {}))).toBe(
      unavailable("HERE did not answer within 700 ms"),
    );
  });

  test("because it is something else", async () => {
    const noEtcdAt = (status: number) =>
      unavailable(
        `HERE answers HTTP ${status} and not as an etcd: is it one, of version 3.4 or later?`,
      );
    const page = (status: number) => () => new Response("<html>hello</html>", { status });
    for (const status of [200, 404, 500]) {
      expect(await failureAt(http(page(status)))).toBe(noEtcdAt(status));
    }
    expect(await failureAt(http(() => Response.json({})))).toBe(noEtcdAt(200));
    expect(await failureAt(http(() => Response.redirect("http://127.0.0.1:1/")))).toBe(
      noEtcdAt(302),
    );
    expect(
      await failureAt(answering((socket) => void socket.write("-ERR unknown command\r\n"))),
    ).toBe(unavailable("HERE does not speak HTTP: is it an etcd?"));
  });

  test("because the connection is cut in the middle", async () => {
    const closed =
      "HERE closed the connection without an answer: does it speak TLS only, or another protocol?";
    expect(await failureAt(answering((socket) => void socket.end()))).toBe(unavailable(closed));
    const half = answering((socket) => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{");
      socket.end();
    });
    expect(await failureAt(half)).toBe(unavailable(closed));
  });

  test("because of TLS", async () => {
    const authority = makeAuthority("authority");
    const encrypted = http(() => Response.json({}), makeCertificate("etcd", authority));
    expect(await failureAt(encrypted, "?tls=true")).toBe(
      unavailable(
        "the certificate of HERE is signed by an authority that this machine does not trust",
      ),
    );
    expect(await failureAt(encrypted)).toContain("does it speak TLS only");
    expect(
      await failureAt(
        http(() => Response.json({})),
        "?tls=true",
      ),
    ).toBe(unavailable("HERE does not speak TLS, and the URL asks for it"));
  });

  test("a write that a member cannot have received goes to the next", async () => {
    const header = { cluster_id: "1", revision: "1", raft_term: "1" };
    const member = http(() => Response.json({ header, succeeded: true }));
    const store = openLeaseStore(`etcd://127.0.0.1:${freePort()},127.0.0.1:${member}`);
    const write = { guards: new Map(), puts: new Map([["a", "1"]]) };
    expect(await store.write(write)).toMatchObject({ identity: "1", revision: 1n });
    await store.close();
  });

  test.skipIf(noEtcd !== undefined)(
    "because it has no leader, or the password is wrong",
    async () => {
      const cluster = new EtcdCluster(3);
      await cluster.start();
      await cluster.kill(0);
      await cluster.kill(1);
      const [gone, other, left] = cluster.clientPorts;
      const said = await failureOf(cluster.url);
      for (const port of [gone, other])
        expect(said).toContain(`nothing listens at 127.0.0.1:${port}`);
      expect(said).toMatch(
        new RegExp(
          `127\\.0\\.0\\.1:${left} did not answer within|at 127\\.0\\.0\\.1:${left} says: .*leader`,
        ),
      );
      const stranger = await failureOf(`etcd://me:hidden@127.0.0.1:${left}`);
      expect(stranger).not.toContain("hidden");
      await cluster.stop();
    },
  );
});
