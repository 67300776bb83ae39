/** The programs that tests need, and the reasons to skip tests, each of which is printed once. */

import { findPostgres } from "../../testkit/postgres.ts";
import { hasFaketime } from "./faketime.ts";
import { findPgBouncer } from "./pgbouncer.ts";

function reasonFor(isThere: boolean, what: string, packageName: string): string | undefined {
  if (isThere) return undefined;
  const reason = `${what} is not installed (apt-get install ${packageName})`;
  console.warn(`skipped: ${reason}`);
  return reason;
}

/** The reasons why tests with these programs are skipped; undefined if they run. */
export const noPostgres = reasonFor(findPostgres() !== undefined, "PostgreSQL", "postgresql");
/** The same for PgBouncer, which stands in front of one. */
export const noPgBouncer =
  noPostgres ?? reasonFor(findPgBouncer() !== null, "PgBouncer", "pgbouncer");
export const noEtcd = reasonFor(Bun.which("etcd") !== null, "etcd", "etcd-server");
/** The same for etcdctl, which makes snapshots of an etcd and restores them. */
export const noEtcdctl =
  noEtcd ?? reasonFor(Bun.which("etcdctl") !== null, "etcdctl", "etcd-client");
export const noRedis = reasonFor(
  Bun.which("redis-server") !== null,
  "redis-server",
  "redis-server",
);
export const noHaproxy = reasonFor(Bun.which("haproxy") !== null, "HAProxy", "haproxy");
/** The same for spin, which searches a model that a C compiler translates. */
export const noSpin = reasonFor(
  Bun.which("spin") !== null && Bun.which("cc") !== null,
  "spin, or a C compiler,",
  "spin gcc",
);
export const noFaketime = reasonFor(hasFaketime, "libfaketime", "faketime");
