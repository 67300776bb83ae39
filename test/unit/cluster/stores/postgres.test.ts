import { describe, expect, test } from "bun:test";
import { PostgresStore } from "../../../../src/cluster/stores/postgres.ts";
import type { LeaseStore } from "../../../../src/cluster/stores/store.ts";
import { PostgresServer } from "../../../../testkit/postgres.ts";
import { succeeds, until } from "../../../../testkit/until.ts";
import { FragileLink } from "../../../support/fragile-link.ts";
import { noPostgres } from "../../../support/installed.ts";

/** A call fails within its own time and a little. */
const FAILS_WITHIN_MS = 2500;

const put = (store: LeaseStore, key: string, value: string) =>
  store.write({ guards: new Map(), puts: new Map([[key, value]]) });
const textAt = async (store: LeaseStore, key: string) =>
  (await store.read([key])).rows.get(key)?.value;

const failureOf = async (work: Promise<unknown>) => {
  const began = performance.now();
  const { name, message } = await work.then(
    () => new Error("no failure"),
    (error: Error) => error,
  );
  expect(performance.now() - began).toBeLessThan(FAILS_WITHIN_MS);
  return `${name}: ${message}`;
};

describe.skipIf(noPostgres !== undefined)("PostgreSQL as it fails", () => {
  test("a server that is gone, or silent, fails in time, and is used again when it is back", async () => {
    const server = new PostgresServer();
    await server.start();
    const link = new FragileLink(server.port);
    const store = new PostgresStore(server.url.replace(`:${server.port}/`, `:${link.port}/`));
    let isTold = false;
    store.watch("names", () => {
      isTold = true;
    });
    await put(store, "a", "1");

    link.set("silent");
    expect(await failureOf(store.read(["a"]))).toBe(
      `LeaseStoreUnavailable: 127.0.0.1:${link.port} did not answer within 1500 ms`,
    );
    link.set("none");
    await succeeds(() => store.read(["a"]));

    // All of its connections are there, and have seen the statement: otherwise it would not get far.
    await Promise.all(Array.from({ length: 9 }, (_, index) => put(store, `b${index}`, "1")));
    link.set("answers lost");
    expect(await failureOf(put(store, "a", "2"))).toStartWith("LeaseStoreUnavailable: ");
    link.set("none");
    // It was written all the same: nobody can know but who looks.
    await succeeds(async () => expect(await textAt(store, "a")).toBe("2"));

    await server.stop("SIGQUIT");
    expect(await failureOf(store.read(["a"]))).toStartWith("LeaseStoreUnavailable: ");
    await server.start();
    await succeeds(() => store.read(["a"]));
    expect(await textAt(store, "a")).toBe("2");
    isTold = false;
    await until(async () => {
      await put(store, "names", "x").catch(() => {});
      return isTold;
    }, 100);

    await store.close();
    link.stop();
    await server.stop();
  }, 30_000);

  test("a table that was left half made is finished, and another's errors are told", async () => {
    const server = new PostgresServer();
    await server.start();
    const sql = new Bun.SQL(server.url);
    await sql.unsafe(
      "CREATE TABLE number_dispenser (key text PRIMARY KEY, value text NOT NULL, revision bigint NOT NULL)",
    );
    const store = new PostgresStore(server.url);
    await put(store, "a", "1");
    expect(await textAt(store, "a")).toBe("1");
    await sql.unsafe("DELETE FROM number_dispenser WHERE key = ''");
    expect(await failureOf(store.read(["a"]))).toContain("has lost its counter");
    await sql.unsafe("DROP TABLE number_dispenser");
    await sql.unsafe("CREATE TABLE number_dispenser (other int)");
    expect(await failureOf(store.read(["a"]))).toContain("does not exist");
    await sql.close();
    await store.close();
    await server.stop();
  }, 30_000);
});
