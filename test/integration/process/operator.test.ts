/** What an operator changes while the server runs, and how it says why it does not start. */

import { expect, test } from "bun:test";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../../../testkit/folder.ts";
import { ServerProcess } from "../../../testkit/process.ts";
import { TestClient } from "../../../testkit/resp.ts";
import { until } from "../../../testkit/until.ts";

const TIMEOUT_MS = 30_000;

test(
  "SIGHUP reads settings and users from the file, and what is wrong in it changes nothing",
  async () => {
    const file = join(temporaryFolder(), "config.yaml");
    const users = (names: readonly string[]) =>
      names
        .map((name) => `    ${name}: { password: ${name}-secret, rights: [take, admin] }\n`)
        .join("");
    writeFileSync(file, `access:\n  users:\n${users(["one", "two"])}`);
    const server = await ServerProcess.start({ args: ["-config", file] });
    const [one, two] = await Promise.all(
      ["one", "two"].map(async (name) => {
        const client = await TestClient.connect(server.port);
        expect(await client.command("AUTH", name, `${name}-secret`)).toBe("OK");
        return client;
      }),
    );
    writeFileSync(file, `log:\n  level: debug\naccess:\n  users:\n${users(["one"])}`);
    server.signal("SIGHUP");
    await two!.closed;
    await server.logged(/settings read again changed="log.level access"/);
    expect(await one!.command("PING")).toBe("PONG");
    // The least level has changed, too.
    await server.logged(/debug client left/);
    writeFileSync(file, "log:\n  level: loud\n");
    server.signal("SIGHUP");
    await server.logged(/error settings not changed reason=".*log.level: 'loud' must be /);
    expect(await one!.command("PING")).toBe("PONG");
    expect(await server.end("SIGTERM")).toBe(0);
  },
  TIMEOUT_MS,
);

test(
  "the audit is a file of JSON lines, which SIGUSR1 opens again",
  async () => {
    const file = join(temporaryFolder(), "audit.json");
    const server = await ServerProcess.start({ env: { NUMBER_DISPENSER_LOG_AUDIT: file } });
    const client = await TestClient.connect(server.port);
    await client.command("HSET", "x", "type", "3");
    const read = (path: string) =>
      readFileSync(path, "utf8")
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line));
    expect(read(file)).toMatchObject([
      { level: "info", event: "dispenser defined", dispenser: "x", user: "default", id: 1 },
    ]);
    renameSync(file, `${file}.1`);
    server.signal("SIGUSR1");
    await until(() => existsSync(file));
    await client.command("DEL", "x");
    expect(read(file)).toMatchObject([{ event: "dispenser deleted", dispenser: "x" }]);
    expect(read(`${file}.1`)).toHaveLength(1);
    expect(await server.end("SIGTERM")).toBe(0);
    const refused = await ServerProcess.run({ env: { NUMBER_DISPENSER_LOG_AUDIT: "/" } });
    expect(refused).toMatchObject({ status: 1, log: expect.stringContaining("cannot write /: ") });
  },
  TIMEOUT_MS,
);

test(
  "a secret that ends with a line break is warned of, and counts as it is",
  async () => {
    const server = await ServerProcess.start({ env: { NUMBER_DISPENSER_REQUIREPASS: "secret\n" } });
    await server.logged(/warning a secret ends with a line break.* variable=NUMBER_DISPENSER_REQ/);
    expect(server.log).not.toContain("secret\\n");
    const client = await TestClient.connect(server.port);
    expect(await client.command("AUTH", "secret\n")).toBe("OK");
    expect(await server.end("SIGTERM")).toBe(0);
  },
  TIMEOUT_MS,
);

test(
  "where the log is JSON, the reason why it cannot start is, too",
  async () => {
    const server = await ServerProcess.start();
    const { status, log } = await ServerProcess.run({
      dataDir: server.dataDir,
      env: { NUMBER_DISPENSER_LOG_FORMAT: "json" },
    });
    expect(status).toBe(1);
    expect(JSON.parse(log)).toMatchObject({
      level: "error",
      event: "cannot start",
      reason: expect.stringContaining(`is in use by process ${server.pid}`),
    });
    expect(await server.end("SIGTERM")).toBe(0);
  },
  TIMEOUT_MS,
);
