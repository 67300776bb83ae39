/** A database that is taken away under a running server: it stops, and says so. */

import { describe, expect, test } from "bun:test";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { ServerProcess } from "../../../testkit/process.ts";
import { TestClient } from "../../../testkit/resp.ts";
import { until } from "../../../testkit/until.ts";

const FILE = "number-dispenser.db";
const VANISHED = 78;

const replace = (path: string) => {
  copyFileSync(path, `${path}.copy`);
  renameSync(`${path}.copy`, path);
};

/** What may be done to a data folder, and what the server says of it. */
const removals: [string, (dataDir: string) => void, RegExp][] = [
  ["the folder is removed", (dir) => rmSync(dir, { recursive: true }), /was removed/],
  [
    "the folder is emptied",
    (dir) => {
      for (const entry of readdirSync(dir)) rmSync(join(dir, entry));
    },
    /was removed/,
  ],
  ["the database is removed", (dir) => rmSync(join(dir, FILE)), /\.db was removed/],
  [
    "its log is removed",
    (dir) => rmSync(join(dir, `${FILE}-wal`)),
    /-wal was removed or moved away/,
  ],
  [
    "another database is copied over it",
    (dir) => writeFileSync(join(dir, FILE), readFileSync(join(dir, FILE))),
    /\.db was (written to by others|cut)/,
  ],
  [
    "the database is cut",
    (dir) => truncateSync(join(dir, FILE), 4096),
    /\.db was (cut|written to by others)/,
  ],
  [
    "its log is cut",
    (dir) => truncateSync(join(dir, `${FILE}-wal`), 0),
    /-wal was cut from \d+ to 0|cut and written to again/,
  ],
  ["the database is replaced", (dir) => replace(join(dir, FILE)), /\.db was (removed|replaced)/],
  [
    "its log is replaced",
    (dir) => replace(join(dir, `${FILE}-wal`)),
    /-wal was (removed|replaced)/,
  ],
  [
    "the files are moved into a folder below",
    (dir) => {
      mkdirSync(join(dir, "old"));
      for (const name of [FILE, `${FILE}-wal`]) renameSync(join(dir, name), join(dir, "old", name));
    },
    /\.db was removed or moved away/,
  ],
  ["the folder is moved", (dir) => renameSync(dir, `${dir}.old`), /\.db was removed or moved away/],
];

function expectTold(server: ServerProcess, status: number, said: RegExp): void {
  expect([status, server.log]).toEqual([VANISHED, expect.stringMatching(said)]);
  expect(server.log).toContain("stopped: no number leaves any more, and positions are not saved");
  expect(server.log).not.toContain("all positions saved");
}

describe.each(removals)("when %s", (_, remove, said) => {
  test("under load the server stops, and no number leaves for which nothing stands there", async () => {
    const server = await ServerProcess.start();
    const client = await TestClient.connect(server.port);
    await client.command("HSET", "x", "type", "3");
    const others = await Promise.all([1, 2, 3].map(() => TestClient.connect(server.port)));
    const load = others.map(async (other) => {
      for (;;) {
        const replies = await other.pipeline(Array.from({ length: 50 }, () => ["GET", "x"]));
        if (replies.some((reply) => typeof reply !== "string")) return;
      }
    });
    await until(async () => Number((await client.info("x")).current) > 2000);
    remove(server.dataDir);
    // Of what was moved every number stands in the files until the server notices, within a second;
    // what was cut in the middle of a commit is noticed with the next one, or then.
    const isAtOnce = !/\.db was removed or moved|cut/.test(said.source);
    const reply = await client.command("GET", "x");
    if (isAtOnce) expect(reply).toBeInstanceOf(Error);
    expectTold(server, await server.exited(), said);
    await Promise.all(load);
    client.close();
  });

  test("while nobody asks the server stops, too", async () => {
    const server = await ServerProcess.start();
    const client = await TestClient.connect(server.port);
    await client.command("HSET", "x", "type", "3");
    remove(server.dataDir);
    expectTold(server, await server.exited(), said);
    client.close();
  });

  test("and SIGTERM comes at once, it does not say that positions were saved", async () => {
    const server = await ServerProcess.start();
    const client = await TestClient.connect(server.port);
    await client.command("HSET", "x", "type", "3");
    remove(server.dataDir);
    expectTold(server, await server.end("SIGTERM"), said);
    client.close();
  });
});

test("files that were only moved have every number that left", async () => {
  const server = await ServerProcess.start();
  const client = await TestClient.connect(server.port);
  await client.command("HSET", "x", "type", "3");
  renameSync(server.dataDir, `${server.dataDir}.old`);
  let last = -1;
  for (;;) {
    const reply = await client.command("GET", "x");
    if (typeof reply !== "string") break;
    last = Number(reply);
  }
  expect(await server.exited()).toBe(VANISHED);
  expect(existsSync(server.dataDir)).toBe(false);
  const next = await ServerProcess.start({ dataDir: `${server.dataDir}.old` });
  const again = await TestClient.connect(next.port);
  expect(Number(await again.command("GET", "x"))).toBeGreaterThan(last);
  expect(await next.end("SIGTERM")).toBe(0);
});
