/** PostgreSQL behind Debian's PgBouncer: as a store where its sessions last, refused where not. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { PostgresStore } from "../../../../src/cluster/stores/postgres.ts";
import { temporaryFolder } from "../../../../testkit/folder.ts";
import { PostgresServer } from "../../../../testkit/postgres.ts";
import { ServerProcess } from "../../../../testkit/process.ts";
import { TestClient } from "../../../../testkit/resp.ts";
import { until } from "../../../../testkit/until.ts";
import { noPgBouncer, noPostgres } from "../../../support/installed.ts";
import { messageOf } from "../../../support/message-of.ts";
import { PgBouncer } from "../../../support/pgbouncer.ts";
import { describeSharedStore } from "./conformance.ts";

const refusal = (port: number) =>
  `storage.store: 127.0.0.1:${port} is a pooler whose clients share sessions of PostgreSQL, such as PgBouncer with ` +
  "pool_mode = transaction: give the node pool_mode = session, or name PostgreSQL itself";

describe.skipIf(noPgBouncer !== undefined)("behind PgBouncer", () => {
  let server: PostgresServer;
  let bouncer: PgBouncer;
  describeSharedStore("a shared store behind PgBouncer in session mode", {
    start: async () => {
      server = new PostgresServer();
      await server.start();
      bouncer = new PgBouncer(server);
      await bouncer.start("session");
    },
    open: () => new PostgresStore(bouncer.url),
    stop: async () => {
      await bouncer.stop();
      await server.stop();
    },
    watches: true,
  });
});

describe.skipIf(noPgBouncer !== undefined)("a pooler", () => {
  let server: PostgresServer;

  beforeAll(async () => {
    server = new PostgresServer();
    await server.start();
  }, 60_000);

  afterAll(() => server.stop());

  const throughPooler = async (
    mode: Parameters<PgBouncer["start"]>[0],
    work: (bouncer: PgBouncer) => Promise<void>,
    settings = {},
  ) => {
    const bouncer = new PgBouncer(server);
    await bouncer.start(mode, settings);
    try {
      await work(bouncer);
    } finally {
      await bouncer.stop();
    }
  };

  test("in session mode serves two nodes, whose statements the server limits in time", async () => {
    await throughPooler("session", async ({ url }) => {
      const args = ["-store", url];
      const nodes = await Promise.all(
        [0, 1].map(() => ServerProcess.start({ dataDir: join(temporaryFolder(), "data"), args })),
      );
      const clients = await Promise.all(nodes.map(({ port }) => TestClient.connect(port)));
      await clients[0]!.command("HSET", "o", "type", "3");
      const numbers = await Promise.all(
        clients.map((client) => client.pipeline(Array.from({ length: 300 }, () => ["GET", "o"]))),
      );
      expect(new Set(numbers.flat()).size).toBe(600);
      for (const client of clients) client.close();
      for (const node of nodes) expect(await node.end("SIGTERM")).toBe(0);
    });
  }, 60_000);

  test.each([
    ["transaction", {}],
    ["transaction", { default_pool_size: "1" }],
    ["transaction", { server_round_robin: "1", min_pool_size: "5" }],
    ["statement", {}],
  ] as const)(
    "in %s mode with %p is refused at the start",
    async (mode, settings) => {
      await throughPooler(
        mode,
        async ({ url, port }) => {
          const store = new PostgresStore(url);
          expect(await messageOf(store.read(["a"]))).toBe(`CannotStart: ${refusal(port)}`);
          await store.close();
          const { log, status } = await ServerProcess.run({ args: ["-store", url] });
          expect(log).toContain(refusal(port));
          expect(status).toBe(1);
        },
        settings,
      );
    },
    60_000,
  );

  test("whose mode becomes transaction while the store is in use is told, and waited for", async () => {
    const bouncer = new PgBouncer(server);
    await bouncer.start("session");
    const store = new PostgresStore(bouncer.url);
    await store.read(["a"]);
    await bouncer.stop();
    await bouncer.start("transaction");
    const reason = refusal(bouncer.port).replace("storage.store: ", "");
    await until(
      async () => (await messageOf(store.read(["a"]))) === `LeaseStoreUnavailable: ${reason}`,
    );
    await bouncer.stop();
    await bouncer.start("session");
    await until(async () => (await messageOf(store.read(["a"]))) === "no error");
    await store.close();
    await bouncer.stop();
  }, 60_000);
});

describe.skipIf(noPostgres !== undefined)("the server", () => {
  test.each([
    ["directly", false],
    ["behind PgBouncer", true],
  ] as const)(
    "%s ends a statement that takes too long, on each connection and after it was lost",
    async (_, isPooled) => {
      if (isPooled && noPgBouncer !== undefined) return;
      const server = new PostgresServer();
      await server.start();
      const bouncer = new PgBouncer(server);
      if (isPooled) await bouncer.start("session");
      const store = new PostgresStore(isPooled ? bouncer.url : server.url);
      const admin = new Bun.SQL(server.url);
      await store.read(["a"]);
      for (let round = 0; round < 2; round++) {
        // A lock that a write waits for.
        const writes = await admin.begin(async (transaction) => {
          await transaction.unsafe("LOCK TABLE number_dispenser IN ACCESS EXCLUSIVE MODE");
          const some = Array.from({ length: 3 }, () => messageOf(store.read(["a"])));
          const said = await Promise.all(some);
          await until(async () => (await waiting(admin)) === 0);
          return said;
        });
        expect(writes).toHaveLength(3);
        for (const said of writes) expect(said).toStartWith("LeaseStoreUnavailable: ");
        await until(async () => (await messageOf(store.read(["a"]))) === "no error");
      }
      await admin.close();
      await store.close();
      await bouncer.stop();
      await server.stop();
    },
    60_000,
  );
});

/** How many statements of the store wait for a lock. */
async function waiting(admin: Bun.SQL): Promise<number> {
  const rows: unknown[] = await admin.unsafe(
    "SELECT 1 FROM pg_stat_activity WHERE application_name = 'number-dispenser' AND wait_event_type = 'Lock'",
  );
  return rows.length;
}
