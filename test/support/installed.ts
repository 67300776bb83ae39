/** Which servers the tests find on this machine, and why some are skipped: said once, when they are. */

import { findPostgres } from "../../testkit/postgres.ts";

function reasonFor(isThere: boolean, what: string, packageName: string): string | undefined {
  if (isThere) return undefined;
  const reason = `${what} is not installed (apt-get install ${packageName})`;
  console.warn(`skipped: ${reason}`);
  return reason;
}

/** Why tests of these are skipped; undefined where they are not. */
export const noPostgres = reasonFor(findPostgres() !== undefined, "PostgreSQL", "postgresql");
export const noEtcd = reasonFor(Bun.which("etcd") !== null, "etcd", "etcd-server");
/** What makes snapshots of an etcd, and puts them back. */
export const noEtcdctl =
  noEtcd ?? reasonFor(Bun.which("etcdctl") !== null, "etcdctl", "etcd-client");
export const noRedis = reasonFor(
  Bun.which("redis-server") !== null,
  "redis-server",
  "redis-server",
);
/** Searches a model, which a C compiler translates. */
export const noSpin = reasonFor(
  Bun.which("spin") !== null && Bun.which("cc") !== null,
  "spin, or a C compiler,",
  "spin gcc",
);
