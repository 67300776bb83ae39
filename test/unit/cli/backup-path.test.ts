/** BACKUP where others may have prepared the path: nothing of the server's is overwritten, blocked or ended. */

import { describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { checkBackup, copyDatabase, refuseOwnPath, targetOf } from "../../../src/storage/backup.ts";
import { openSqliteStore } from "../../../src/storage/sqlite.ts";
import { makeFifo, temporaryFolder } from "../../../testkit/folder.ts";
import { ServerProcess } from "../../../testkit/process.ts";
import { ReplyError, TestClient } from "../../../testkit/resp.ts";
import { startLocal } from "../../support/server.ts";

const create = { create: true, allowNetworkFileSystem: false };

async function start(overrides = {}) {
  const dataDir = join(temporaryFolder(), "data");
  const server = startLocal(openSqliteStore(dataDir, create), overrides);
  const client = await TestClient.connect(server.port);
  await client.command("HSET", "x", "type", "3");
  const stop = async () => {
    client.close();
    await server.server.stop();
  };
  return { ...server, dataDir, client, stop };
}

describe("BACKUP", () => {
  test("is not led elsewhere, kept waiting or ended by what lies at names it could use", async () => {
    const server = await ServerProcess.start();
    const client = await TestClient.connect(server.port);
    await client.command("HSET", "x", "type", "3");
    const folder = temporaryFolder();
    const victim = join(server.dataDir, "number-dispenser.db");
    const traps: ((at: string) => void)[] = [
      (at) => symlinkSync(victim, at),
      (at) => makeFifo(at),
      (at) => mkdirSync(at),
      (at) => writeFileSync(at, "mine"),
    ];
    for (const [index, trap] of traps.entries()) {
      const path = join(folder, `backup-${index}`);
      trap(`${path}.unfinished-${server.pid}`);
      expect(await client.command("BACKUP", path)).toBe("OK");
      expect(checkBackup(path)).toBe(1);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      const taken = join(folder, `taken-${index}`);
      trap(taken);
      expect(await client.command("BACKUP", taken)).toEqual(
        new ReplyError(`ERR cannot back up to '${taken}': file already exists (EEXIST)`),
      );
    }
    expect(await client.command("GET", "x")).toBe("0");
    expect(readdirSync(folder).filter((name) => /unfinished-.{9}/.test(name))).toEqual([]);
    expect(await server.end("SIGTERM")).toBe(0);
    const next = await server.startAgain();
    expect(await (await TestClient.connect(next.port)).command("GET", "x")).toBe("1");
    expect(await next.end("SIGTERM")).toBe(0);
  });

  test("answers an error, whatever the file system says", async () => {
    const { client, fatal, stop } = await start();
    const folder = temporaryFolder();
    writeFileSync(join(folder, "file"), "");
    symlinkSync(join(folder, "loop"), join(folder, "loop"));
    const paths = [
      join(folder, "file", "x"),
      join(folder, "loop", "x"),
      join(folder, "x".repeat(240)),
      join(folder, "x".repeat(5000)),
      `${folder}/.`,
      `${folder}/..`,
      "/",
      "/proc/x",
      "/dev/null",
    ];
    for (const path of paths) {
      expect([path, await client.command("BACKUP", path)]).toEqual([path, expect.any(ReplyError)]);
    }
    expect(fatal).toEqual([]);
    expect(readdirSync(folder).sort()).toEqual(["file", "loop"]);
    await stop();
  });

  test("does not go into the data folder under a name of the server's", async () => {
    const { client, dataDir, stop } = await start();
    const link = join(temporaryFolder(), "link");
    symlinkSync(dataDir, link);
    mkdirSync(join(dataDir, "number-dispenser.db.restoring-1"));
    for (const path of [
      join(dataDir, "number-dispenser.db.unfinished-1"),
      join(dataDir, "number-dispenser.db-wal"),
      join(dataDir, "number-dispenser.db-journal"),
      join(dataDir, "number-dispenser.db.restoring-1", "x"),
      join(dataDir, "number-dispenser.pid"),
      join(link, "number-dispenser.db.unfinished-1"),
    ]) {
      expect(await client.command("BACKUP", path)).toEqual(
        new ReplyError(
          `ERR cannot back up to '${path}': names that begin with number-dispenser.db are the server's own there`,
        ),
      );
    }
    const monday = join(dataDir, "monday.db");
    expect(await client.command("BACKUP", monday)).toBe("OK");
    await stop();
    // It outlives the next start.
    openSqliteStore(dataDir, create);
    expect(existsSync(monday)).toBe(true);
  });

  test("writes only below storage.backup_dir where that is set, whatever links say", async () => {
    const [allowed, other] = [temporaryFolder(), temporaryFolder()];
    const alias = join(temporaryFolder(), "alias");
    symlinkSync(allowed, alias);
    const { client, stop } = await start({ backupDir: alias });
    mkdirSync(join(allowed, "below"));
    symlinkSync(other, join(allowed, "out"));
    symlinkSync(allowed, join(other, "in"));
    const inside = [join(allowed, "a"), join(alias, "b"), join(allowed, "below", "c")];
    for (const path of [...inside, join(other, "in", "d")]) {
      expect([path, await client.command("BACKUP", path)]).toEqual([path, "OK"]);
    }
    const outside = [
      join(other, "x"),
      join(allowed, "out", "x"),
      `${allowed}x/y`,
      `${allowed}/../${basename(other)}/x`,
    ];
    mkdirSync(`${allowed}x`);
    for (const path of outside) {
      expect(await client.command("BACKUP", path)).toEqual(
        new ReplyError(
          `ERR cannot back up to '${path}': storage.backup_dir allows only what is below ${alias}`,
        ),
      );
    }
    expect(readdirSync(other)).toEqual(["in"]);
    await stop();
  });
});

describe("the copy", () => {
  const source = () => {
    const folder = temporaryFolder();
    const store = openSqliteStore(folder, create);
    for (const _ of store.load());
    store.close();
    return join(folder, "number-dispenser.db");
  };

  test("overwrites nothing that appeared meanwhile, and removes only what is its own", async () => {
    const reader = openSync(source(), "r");
    const folder = temporaryFolder();
    const path = join(folder, "backup");
    const unfinished = () => readdirSync(folder).find((name) => name.includes("unfinished"))!;
    // The name is taken while it copies.
    await expect(copyDatabase(reader, path, () => writeFileSync(path, "mine"))).rejects.toThrow(
      /EEXIST/,
    );
    expect([readFileSync(path, "utf8"), readdirSync(folder)]).toEqual(["mine", ["backup"]]);
    rmSync(path);
    // Its unfinished file is exchanged.
    let exchanged = "";
    const exchange = () => {
      if (exchanged !== "") return;
      exchanged = join(folder, unfinished());
      renameSync(exchanged, join(folder, "stolen"));
      writeFileSync(exchanged, "theirs");
    };
    await expect(copyDatabase(reader, path, exchange)).rejects.toThrow(
      "others moved its unfinished file",
    );
    expect(existsSync(path)).toBe(false);
    expect(readFileSync(exchanged, "utf8")).toBe("theirs");
  });

  test("goes by real paths", () => {
    const folder = temporaryFolder();
    const link = join(temporaryFolder(), "link");
    symlinkSync(folder, link);
    expect(targetOf(join(link, "x"), "")).toBe(join(folder, "x"));
    expect(targetOf("/x", "/")).toBe("/x");
    expect(() => targetOf(join(folder, "x"), join(folder, "none"))).toThrow(/ENOENT/);
    expect(() => refuseOwnPath(join(folder, "number-dispenser.db-shm"), link)).toThrow(/own/);
    expect(refuseOwnPath(join(folder, "x"), folder)).toBeUndefined();
  });
});
