/** A data folder that was copied; one that is made before the first start. */

import { describe, expect, test } from "bun:test";
import { cpSync, existsSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { acceptCopy } from "../../../src/cli/home.ts";
import { initialize } from "../../../src/cli/init.ts";
import { checkHome, noteHome } from "../../../src/cluster/node/home.ts";
import { fingerprintOf, parseState } from "../../../src/cluster/node/state.ts";
import { openSqliteStore } from "../../../src/storage/sqlite.ts";
import { temporaryFolder } from "../../../testkit/folder.ts";
import { fromSource, ServerProcess } from "../../../testkit/process.ts";
import { TestClient } from "../../../testkit/resp.ts";

const options = { create: true, allowNetworkFileSystem: false };
const COPIED = "the data folder was copied from another place or machine";

async function lifeOf(dataDir: string, args: readonly string[] = []) {
  const server = await ServerProcess.start({ dataDir, args });
  const client = await TestClient.connect(server.port);
  await client.command("HSET", "x", "type", "3");
  const number = Number(await client.command("GET", "x"));
  client.close();
  expect(await server.end("SIGTERM")).toBe(0);
  const warning = server.log.split("\n").find((line) => line.includes(COPIED)) ?? "";
  if (warning !== "") expect(warning).toMatch(/snapshot.* advance -all.* accept-copy/);
  return { number, isWarned: warning !== "" };
}

describe.each([[[]], [["-node", "1/3"]]] as [string[]][])("a data folder with %j", (args) => {
  test("that was copied is warned of at every start, until it is accepted", async () => {
    const folder = temporaryFolder();
    const [original, copy] = [join(folder, "data"), join(folder, "copy")];
    expect(await lifeOf(original, args)).toEqual({ number: 0, isWarned: false });
    expect(await lifeOf(original, args)).toEqual({ number: 1, isWarned: false });
    cpSync(original, copy, { recursive: true });
    expect(await lifeOf(copy, args)).toEqual({ number: 2, isWarned: true });
    expect(await lifeOf(copy, args)).toEqual({ number: 3, isWarned: true });
    const { exitCode, stdout } = Bun.spawnSync([...fromSource, "accept-copy", "-data", copy]);
    expect([exitCode, stdout.toString()]).toEqual([
      0,
      `${copy}/number-dispenser.db is at home here now: never start the original that it was copied from again\n`,
    ]);
    expect(await lifeOf(copy, args)).toEqual({ number: 4, isWarned: false });
    // The original is where it was, and does not know of the copy.
    expect(await lifeOf(original, args)).toEqual({ number: 2, isWarned: false });
  });

  test("that was only renamed is the same", async () => {
    const folder = join(temporaryFolder(), "data");
    await lifeOf(folder, args);
    renameSync(folder, `${folder}.moved`);
    expect(await lifeOf(`${folder}.moved`, args)).toEqual({ number: 1, isWarned: false });
  });
});

test("accept-copy after a crash of the copy loses and repeats nothing", async () => {
  const folder = temporaryFolder();
  const [original, copy] = [join(folder, "data"), join(folder, "copy")];
  await lifeOf(original);
  cpSync(original, copy, { recursive: true });
  const server = await ServerProcess.start({ dataDir: copy });
  const client = await TestClient.connect(server.port);
  expect(await client.command("GET", "x")).toBe("1");
  await server.end("SIGKILL");
  acceptCopy(copy, options);
  expect(await lifeOf(copy)).toEqual({ number: 2, isWarned: false });
});

test("what a node remembers stays when its home is noted", () => {
  const folder = join(temporaryFolder(), "data");
  const opened = (dataDir: string) => {
    const store = openSqliteStore(dataDir, options);
    for (const _ of store.load());
    return store;
  };
  const first = opened(folder);
  expect(checkHome(first, "1/3")).toBe(false);
  expect(parseState(first.node)).toEqual({ stripe: "1/3", home: fingerprintOf(first.path) });
  const written = first.node;
  expect(checkHome(first, "1/3")).toBe(false);
  expect(first.node).toBe(written!);
  first.close();
  const copy = `${folder}.copy`;
  cpSync(folder, copy, { recursive: true });
  const second = opened(copy);
  expect([checkHome(second, "1/3"), second.node]).toEqual([true, written!]);
  second.close();
  expect(acceptCopy(copy, options)).toContain("is at home here now");
  const third = opened(copy);
  expect(checkHome(third, "1/3")).toBe(false);
  expect(parseState(third.node).stripe).toBe("1/3");

  // A cluster's node knows its folder by itself.
  const member = JSON.stringify({ membership: { cluster: "c", node: "n", written: {} } });
  third.writeNode(member);
  noteHome(third);
  expect(third.node).toBe(member);
  third.close();
  expect(() => acceptCopy(copy, options)).toThrow(/belongs to cluster c: a copy of it joins/);
});

test("accept-copy is for a folder that there is, and that is not in use", async () => {
  const empty = temporaryFolder();
  expect(() => acceptCopy(empty, options)).toThrow(`data folder ${empty} has no database`);
  const server = await ServerProcess.start();
  expect(() => acceptCopy(server.dataDir, options)).toThrow(/is in use by process/);
  expect(await server.end("SIGTERM")).toBe(0);
});

describe("init", () => {
  test("makes what a server with storage.create: false needs, once", async () => {
    const dataDir = join(temporaryFolder(), "data");
    const env = { NUMBER_DISPENSER_CREATE: "false" };
    const refused = await ServerProcess.run({ dataDir, env });
    expect([refused.status, refused.log]).toEqual([
      1,
      `number-dispenser: data folder ${dataDir} does not exist, and storage.create is false: if there was one, find ` +
        "out what became of it (a mount that is missing?) and bring it back; for a first start, 'number-dispenser " +
        "init' makes it\n",
    ]);
    const { exitCode, stdout } = Bun.spawnSync([...fromSource, "init", "-data", dataDir], {
      env: { ...process.env, ...env },
    });
    const path = join(dataDir, "number-dispenser.db");
    expect([exitCode, stdout.toString()]).toEqual([
      0,
      `made ${path}: every line starts at its beginning\n`,
    ]);
    expect(readdirSync(dataDir)).toEqual(["number-dispenser.db"]);
    expect(initialize(dataDir, options)).toBe(`${path} is there already`);
    const server = await ServerProcess.start({ dataDir, env });
    expect(server.log).not.toContain("warning");
    expect(await server.end("SIGTERM")).toBe(0);
    // The mount is missing.
    rmSync(path);
    expect((await ServerProcess.run({ dataDir, env })).log).toMatch(/does not exist, and storage/);
    expect(existsSync(path)).toBe(false);
  });

  test.skipIf(process.getuid?.() !== 0)("by root is the folder's owner's", () => {
    const NOBODY = 65534;
    const dataDir = temporaryFolder();
    Bun.spawnSync(["chown", String(NOBODY), dataDir]);
    initialize(dataDir, options);
    expect(statSync(join(dataDir, "number-dispenser.db")).uid).toBe(NOBODY);
  });
});

test("a start without a database before it is warned of", async () => {
  const server = await ServerProcess.start();
  expect(server.log).toMatch(/ warning new database: every line starts at its beginning next=/);
  expect(await server.end("SIGTERM")).toBe(0);
  const next = await server.startAgain();
  expect(next.log).not.toContain("new database");
  expect(await next.end("SIGTERM")).toBe(0);
});

test("a database that a failed start made is told of by the next one", async () => {
  const running = await ServerProcess.start();
  const dataDir = join(temporaryFolder(), "data");
  const failed = await ServerProcess.run({ dataDir, args: ["-addr", `127.0.0.1:${running.port}`] });
  expect(failed.log).toBe(
    `number-dispenser: cannot listen on 127.0.0.1:${running.port}: the address is in use\n`,
  );
  const next = await ServerProcess.start({ dataDir });
  expect(next.log).toMatch(/ warning empty database: every line starts at its beginning next=/);
  const client = await TestClient.connect(next.port);
  await client.command("HSET", "x", "type", "3");
  client.close();
  expect(await next.end("SIGTERM")).toBe(0);
  const last = await next.startAgain();
  expect(last.log).not.toContain("database: every line");
  for (const server of [last, running]) expect(await server.end("SIGTERM")).toBe(0);
});
