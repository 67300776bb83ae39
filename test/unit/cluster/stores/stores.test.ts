import { Database } from "bun:sqlite";
import { describe } from "bun:test";
import { EtcdStore } from "../../../../src/cluster/stores/etcd.ts";
import { parseEtcdUrl } from "../../../../src/cluster/stores/etcd-url.ts";
import { PostgresStore } from "../../../../src/cluster/stores/postgres.ts";
import { PostgresServer } from "../../../../testkit/postgres.ts";
import { EtcdCluster } from "../../../support/etcd.ts";
import { noEtcd, noPostgres } from "../../../support/installed.ts";
import { SqliteSharedStore } from "../../../support/shared-sqlite.ts";
import { describeSharedStore } from "./conformance.ts";

const database = new Database(":memory:", { strict: true, safeIntegers: true });
const watchers: SqliteSharedStore[] = [];

describeSharedStore("a shared store on SQLite", {
  start: async () => {},
  open: () => {
    const store = new SqliteSharedStore(database, watchers);
    watchers.push(store);
    return store;
  },
  stop: async () => {},
  watches: true,
});

describe.skipIf(noPostgres !== undefined)("PostgreSQL", () => {
  for (const isPlain of [false, true]) {
    let server: PostgresServer;
    const how = isPlain ? ", by statements that every SQL has" : "";
    describeSharedStore(`a shared store on PostgreSQL${how}`, {
      start: async () => {
        server = new PostgresServer();
        await server.start();
      },
      open: () => new PostgresStore(server.url, { isPlain }),
      stop: () => server.stop(),
      watches: !isPlain,
    });
  }
});

describe.skipIf(noEtcd !== undefined)("etcd", () => {
  const cluster = new EtcdCluster(3);
  describeSharedStore("a shared store on etcd, three members", {
    start: () => cluster.start(),
    open: () => new EtcdStore(parseEtcdUrl(cluster.url)!),
    stop: () => cluster.stop(),
    watches: true,
  });
});
