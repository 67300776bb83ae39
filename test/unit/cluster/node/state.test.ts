import { describe, expect, test } from "bun:test";
import { chmodSync, cpSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { advanceHistory, forgetNode } from "../../../../src/cluster/admin/operations.ts";
import { allocationOf } from "../../../../src/cluster/node/allocation.ts";
import { fingerprintOf, isSameFolder, parseState } from "../../../../src/cluster/node/state.ts";
import { DATABASE_FILE } from "../../../../src/storage/file.ts";
import { openSqliteStore } from "../../../../src/storage/sqlite.ts";
import { temporaryFolder } from "../../../../testkit/folder.ts";
import { TestClient } from "../../../../testkit/resp.ts";
import { MemoryStore } from "../../../support/memory-store.ts";
import { messageOf } from "../../../support/message-of.ts";
import { startNode } from "../../../support/server.ts";
import { SharedRows } from "../../../support/shared-store.ts";

const options = { create: true, allowNetworkFileSystem: false };
const alone = { store: "", node: "" };

/** A node that took some numbers of the line `o`; the client is closed. */
async function nodeWithLine(rows: SharedRows, store = new MemoryStore(), count = 10) {
  const node = await startNode(store, rows.open());
  const client = await TestClient.connect(node.port);
  await client.command("HSET", "o", "type", "3");
  const numbers = await client.pipeline(Array.from({ length: count }, () => ["GET", "o"]));
  client.close();
  return { node, store, last: Number(numbers.at(-1)) };
}

async function takeOne(port: number): Promise<number> {
  const client = await TestClient.connect(port);
  const number = Number(await client.command("GET", "o"));
  client.close();
  return number;
}

describe("who a node is", () => {
  test("it goes on as the node it was after a crash, and in its own run", async () => {
    const rows = new SharedRows();
    const { store, node } = await nodeWithLine(rows);
    const next = await startNode(store.reopen(), rows.open());
    expect(next.cluster.node).toBe(node.cluster.node);
    expect(await takeOne(next.port)).toBe(10);
    await next.server.stop();
  });

  test("a copy of its folder is another node, and repeats nothing", async () => {
    const rows = new SharedRows();
    const { store, node } = await nodeWithLine(rows);
    const twin = await startNode(store.reopen(), rows.open(), {}, "elsewhere");
    expect(twin.cluster.node).not.toBe(node.cluster.node);
    expect(twin.logged.join("\n")).toContain(
      'this folder goes on as a new node reason="its data folder is not where the node was last ' +
        'started: it is a copy, or was restored"',
    );
    expect(twin.logged.join("\n")).toContain("runs_of_lines_lost=1 numbers_lost=90");
    expect(await takeOne(twin.port)).toBe(100);
    expect(await takeOne(node.port)).toBe(10);
    await twin.server.stop();
    await node.server.stop();
  });

  test("an older state of its own folder is another node", async () => {
    const rows = new SharedRows();
    const { store } = await nodeWithLine(rows);
    const old = store.reopen();
    const next = await startNode(store.reopen(), rows.open());
    expect(await takeOne(next.port)).toBe(10);
    await next.server.stop();
    const back = await startNode(old, rows.open());
    expect(back.cluster.node).not.toBe(next.cluster.node);
    expect(await takeOne(back.port)).toBe(100);
    await back.server.stop();
  });

  test("one that another was started as stops at once", async () => {
    const rows = new SharedRows();
    const { store, node } = await nodeWithLine(rows);
    const next = await startNode(store.reopen(), rows.open());
    const fatal = (await node.fatalOf) as Error;
    expect(fatal.message).toContain("was started elsewhere");
    await next.server.stop();
  });

  test("one that was written off stops, and comes back as another", async () => {
    const rows = new SharedRows();
    const { store, node } = await nodeWithLine(rows);
    const name = node.cluster.node;
    expect(await forgetNode(rows.open(), name)).toBe(100n);
    const fatal = (await node.fatalOf) as Error;
    expect(fatal.message).toBe(`node ${name} was written off (cluster forget)`);
    const next = await startNode(store.reopen(), rows.open());
    expect(next.cluster.node).not.toBe(name);
    expect(next.logged.join("\n")).toContain("was written off (cluster forget)");
    expect(await takeOne(next.port)).toBe(100);
    await next.server.stop();
  });

  test("a copy does not write over what the node did, when the store went back", async () => {
    const rows = new SharedRows();
    const { store, node } = await nodeWithLine(rows);
    const copy = store.reopen();
    const client = await TestClient.connect(node.port);
    await client.pipeline(Array.from({ length: 200 }, () => ["GET", "o"]));
    client.close();
    await advanceHistory(rows.open(), 1000n, Date.now());
    const twin = await startNode(copy, rows.open(), {}, "elsewhere");
    expect(twin.cluster.node).not.toBe(node.cluster.node);
    const own = await TestClient.connect(node.port);
    for (;;) {
      const reply = await own.command("GET", "o");
      if (typeof reply === "string" && Number(reply) > 1000) break;
    }
    own.close();
    expect(node.fatal).toEqual([]);
    await twin.server.stop();
    await node.server.stop();
  });

  test("a folder does not go to another store, nor to an emptied one, nor without", async () => {
    const rows = new SharedRows();
    const { store, node } = await nodeWithLine(rows);
    await node.server.stop();
    const other = new SharedRows({ isFounded: false });
    expect(await messageOf(() => startNode(store.reopen(), other.open()))).toMatch(
      /^CannotStart: the store shared rows is empty, and the data folder belongs to cluster /,
    );
    await (await startNode(new MemoryStore(), other.open())).server.stop();
    expect(await messageOf(() => startNode(store.reopen(), other.open()))).toMatch(
      /^CannotStart: the store shared rows is that of cluster .*, and the data folder belongs to cluster /,
    );
    const { node: state } = store.reopen();
    expect(await messageOf(() => allocationOf(alone, parseState(state), 1))).toMatch(
      /^CannotStart: the data folder belongs to cluster .*: its numbers are leased from a store, and storage.store/,
    );
  });

  test("a folder with lines of its own joins by a command alone", async () => {
    const settings = { store: "postgres://x", node: "" };
    expect(await messageOf(() => allocationOf(settings, {}, 3))).toContain(
      "'number-dispenser cluster join' takes them into the cluster",
    );
    const joining = { cluster: "c", node: "n", base: 1 };
    expect(await messageOf(() => allocationOf(settings, { joining }, 3))).toContain(
      "run 'number-dispenser cluster join' again",
    );
    expect(await messageOf(() => parseState("{"))).toContain("the database is damaged");
  });
});

/** Changes a file, as a start does, until that is later than its birth by the system's clock. */
function touch(path: string): void {
  const isYoung = () => {
    const { birthtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return birthtimeNs === ctimeNs;
  };
  do chmodSync(path, 0o600);
  while (isYoung());
}

test("a copied file is not where it was, and one that was written to is", () => {
  const folder = temporaryFolder();
  const path = join(folder, DATABASE_FILE);
  const store = openSqliteStore(folder, options);
  [...store.load()];
  touch(path);
  const before = fingerprintOf(path);
  store.writeNode("{}");
  store.close();
  touch(path);
  expect(isSameFolder(before, fingerprintOf(path))).toBe(true);
  const copy = join(temporaryFolder(), DATABASE_FILE);
  cpSync(path, copy);
  expect(isSameFolder(before, fingerprintOf(copy))).toBe(false);
  // In its place, even if it happens to get the same inode.
  rmSync(path);
  cpSync(copy, path);
  touch(path);
  expect(isSameFolder(before, fingerprintOf(path))).toBe(false);
});

test("what is not known of a place does not count", () => {
  const place = { inode: "1", born: "5", machine: "m" };
  expect(isSameFolder(place, { ...place, born: "" })).toBe(true);
  expect(isSameFolder(place, { ...place, born: "6" })).toBe(false);
  expect(isSameFolder(place, { ...place, machine: "" })).toBe(false);
});
